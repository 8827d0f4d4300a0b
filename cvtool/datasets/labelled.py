"""Pictures with class labels: the one form that every reader of such data sets returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cvtool.errors import DatasetError
from cvtool.pictures.contents import HEAD_BYTES, kind_of

# What folders and the column "split" may call each split, in lower case.
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "dev": "dev",
    "test": "test",
    "testing": "test",
}
_TABLE_SUFFIXES = (".csv", ".tsv", ".txt")


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPictures:
    """Pictures for classification; none of them has been opened.

    Attributes:
        classes: names, in the order of the class ids.
        paths: the pictures' files, N of them.
        labels: int64 (N,) class ids; or, with several labels a picture, float32 (N, C) of
            0 (absent), 1 (present) and NaN (not labelled).
        splits: for each picture "train", "dev", "test", or "" where the data set does not say.
    """

    classes: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: np.ndarray
    splits: tuple[str, ...]

    @property
    def several(self) -> bool:
        """Whether a picture can have several labels."""
        return self.labels.ndim == 2

    def subset(self, indices: Sequence[int] | np.ndarray) -> LabelledPictures:
        """The pictures at `indices` (int array (M,)), in that order; the classes stay."""
        indices = np.asarray(indices, np.int64)
        return LabelledPictures(
            classes=self.classes,
            paths=tuple(self.paths[i] for i in indices),
            labels=self.labels[indices],
            splits=tuple(self.splits[i] for i in indices),
        )

    def __len__(self) -> int:
        return len(self.paths)


def read_labelled(path: str | Path, pictures: str | Path | None = None) -> LabelledPictures:
    """Read a data set for classification, whichever of the known layouts it has.

    Args:
        path: a folder with a folder for each class, with or without train, val and test folders
            above them; a CSV file with a column of labels or a column for each class; or a
            folder in the layout of Tiny ImageNet.
        pictures: the folder that a CSV file's paths are relative to, where it is not the CSV's
            own.
    Raises:
        DatasetError: there is nothing at `path`, it has none of these layouts, or its reader
            found a mistake in it.
    """
    # The readers return the type defined here, so they cannot be imported above.
    from cvtool.datasets.class_folders import read_class_folders
    from cvtool.datasets.label_table import read_label_table
    from cvtool.datasets.tiny_imagenet import is_tiny_imagenet, read_tiny_imagenet

    path = Path(path)
    if not path.is_dir():
        _require_table(path)
        return read_label_table(path, pictures)
    if pictures is not None:
        raise DatasetError(
            f"{path}: a folder of classes holds its own pictures; a folder of pictures "
            f"({pictures}) is named for a CSV file only"
        )
    if is_tiny_imagenet(path):
        return read_tiny_imagenet(path)
    return read_class_folders(path)


def _require_table(path: Path) -> None:
    try:
        with open(path, "rb") as stream:
            kind = kind_of(stream.read(HEAD_BYTES))
    except FileNotFoundError:
        raise DatasetError(
            f"{path}: no such file or folder; name a folder of classes or a CSV file"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DatasetError(f"{path}: cannot be read ({reason}); check the path") from None
    if path.suffix.lower() not in _TABLE_SUFFIXES and kind != "plain text":
        remedy = "unpack it first" if kind == "ZIP archive" else "name a folder of classes or a CSV"
        what = "a file of a kind that holds no labels" if kind == "unknown" else f"{kind}"
        raise DatasetError(f"{path}: not a set of labelled pictures ({what}); {remedy}")


def require_trained_classes(source: str | Path, data: LabelledPictures) -> None:
    """Check that no class is first met when the model is measured.

    Args:
        source: what the error message names.
        data: one label a picture. Without any picture in the train split there is nothing to
            check, such as for a set that serves to evaluate only.
    Raises:
        DatasetError: a class has pictures in dev or test but none in train.
    """
    splits = np.array(data.splits)
    trained = set(data.labels[splits == "train"].tolist())
    if not trained:
        return
    for split in ("dev", "test"):
        unknown = sorted(set(data.labels[splits == split].tolist()) - trained)
        if unknown:
            others = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
            raise DatasetError(
                f"{source}: class {data.classes[unknown[0]]!r}{others} has pictures for {split} "
                "but none for training; add some, or take the class out"
            )
