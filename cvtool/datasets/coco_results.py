"""A COCO JSON file of what a model found in pictures, written as they come."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from cvtool.pictures.writing import whole_file


class CocoFile:
    """A COCO JSON file that grows with the pictures, written whole or not at all.

    The layout is that of a data set (cocodataset.org, "Data format"): "images" (id, file_name
    as the source was named, width, height, and for a video frame and time), "annotations"
    (id, image_id, and what the task says of an object) and "categories" (id from 1, name).
    Memory does not grow with the pictures.

    Args:
        path: the file.
        classes: labels in the order of the category ids, which count from 1.
        overwrite: replace a file that is there.
    Raises:
        OutputError: on entering, if the file is there; at the end, if it cannot be written.
    """

    def __init__(self, path: str | Path, classes: Sequence[str], *, overwrite: bool = False):
        self._path = path
        self._classes = classes
        self._overwrite = overwrite
        self._images = 0
        self._annotations = 0
        self._open_files = ExitStack()

    def __enter__(self) -> CocoFile:
        temporary = self._open_files.enter_context(
            whole_file(self._path, overwrite=self._overwrite)
        )
        # JSON has one list after the other, but both grow together.
        self._spool = self._open_files.enter_context(TemporaryFile("w+", encoding="utf-8"))
        self._stream = self._open_files.enter_context(temporary.open("w", encoding="utf-8"))
        categories = [{"id": n, "name": label} for n, label in enumerate(self._classes, 1)]
        self._stream.write(f'{{"categories": {json.dumps(categories)},\n"images": [')
        return self

    def add(
        self,
        file_name: str,
        height: int,
        width: int,
        annotations: Iterable[Mapping[str, Any]],
        **more: Any,
    ) -> None:
        """Add one picture.

        Args:
            file_name: how the source was named.
            height, width: of the picture, pixels.
            annotations: what was found: JSON objects without "id" and "image_id".
            more: further keys of the image.
        """
        self._images += 1
        image = {"id": self._images, "file_name": file_name, "width": width, "height": height}
        self._stream.write("\n" if self._images == 1 else ",\n")
        self._stream.write(json.dumps(image | more))
        for annotation in annotations:
            self._annotations += 1
            numbers = {"id": self._annotations, "image_id": self._images}
            self._spool.write("\n" if self._annotations == 1 else ",\n")
            self._spool.write(json.dumps(numbers | annotation))

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self._stream.write('],\n"annotations": [')
            self._spool.seek(0)
            shutil.copyfileobj(self._spool, self._stream)
            self._stream.write("]}\n")
        self._open_files.__exit__(kind, error, trace)
