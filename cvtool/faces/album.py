"""An album: the faces of many pictures, grouped by person, and its pictures in folders."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cvtool.errors import CvtoolError, OutputError
from cvtool.faces.grouping import group_faces
from cvtool.faces.mtcnn import Face
from cvtool.faces.thresholds import Threshold
from cvtool.faces.verifier import TINY
from cvtool.pictures.sources import Picture
from cvtool.pictures.writing import check_output_folder, whole_file

# The folder of the pictures of those who are in no group.
SINGLES = "singles"


@dataclass(frozen=True, slots=True, eq=False)
class AlbumFace:
    """A face of an album.

    Attributes:
        about: the keys of JSON that name its picture: "picture", of a frame "frame" and "time".
        file: the picture's file and where its copy goes below a folder; None for an address,
            stdin or a video.
        number: of the face in its picture, from 1, the largest first.
        face: in pixels of the picture.
    """

    about: dict[str, Any]
    file: tuple[str, Path] | None
    number: int
    face: Face

    def to_dict(self) -> dict[str, Any]:
        """The face as the documented JSON object."""
        where = self.face.to_dict()
        return self.about | {"face": self.number, "box": where["box"], "score": where["score"]}


@dataclass(frozen=True, slots=True, eq=False)
class GroupedAlbum:
    """An album's faces by person: the groups, the largest first, and the faces alone."""

    groups: list[list[AlbumFace]]
    singles: list[AlbumFace]

    def files(self) -> tuple[list[list[tuple[str, Path]]], list[tuple[str, Path]]]:
        """The picture files of each group, and of the singles, as `sort_pictures` takes them."""
        groups = [_files(group) for group in self.groups]
        return groups, _files(self.singles)

    def without_file(self) -> int:
        """How many pictures and frames with faces are no picture files."""
        faces = [*itertools.chain(*self.groups), *self.singles]
        return len({_key(face.about) for face in faces if face.file is None})


class Album:
    """Collects the faces of pictures; keeps embeddings, not pixels.

    Args:
        verifier: a `faces.verifier.Verifier`.
        min_face: narrower faces are left out, pixels.
    Attributes:
        pictures, narrow: how many pictures were looked at, and faces left out.
        repeated: how many were not looked at, since the same file was before.
        without: names of the pictures in which no face was found.
    """

    def __init__(self, verifier, min_face: float = TINY):
        self.verifier = verifier
        self.min_face = min_face
        self.pictures = self.narrow = self.repeated = 0
        self._seen: set[tuple] = set()
        self.without: list[str] = []
        self._faces: list[AlbumFace] = []
        self._embeddings: list[np.ndarray] = []

    def add(self, picture: Picture) -> None:
        """Look for all faces of a picture, unless the same file was here before."""
        key = _key(about(picture))
        if key in self._seen:
            self.repeated += 1
            return
        self._seen.add(key)
        found = self.verifier.find(picture.pixels)
        self.pictures += 1
        if not found:
            self.without.append(picture.name)
        wide = [
            (number, face)
            for number, face in enumerate(found, 1)
            if face.box[2] - face.box[0] >= self.min_face
        ]
        self.narrow += len(found) - len(wide)
        still = picture.frame is None and os.path.isfile(picture.name)
        file = (picture.name, picture.relative) if still else None
        self._faces += [AlbumFace(about(picture), file, number, face) for number, face in wide]
        aligned = [self.verifier.align(picture.pixels, face) for _, face in wide]
        self._embeddings.append(self.verifier.embed(aligned))

    def group(self, threshold: Threshold) -> GroupedAlbum:
        """Group all faces so far, see `grouping.group_faces`."""
        none = np.zeros((0, self.verifier.dimensions), np.float32)
        embeddings = np.concatenate([none, *self._embeddings])
        groups, singles = group_faces(embeddings, threshold.distance)
        return GroupedAlbum(
            [[self._faces[i] for i in group] for group in groups],
            [self._faces[i] for i in singles],
        )

    def to_dict(self, grouped: GroupedAlbum, threshold: Threshold) -> dict[str, Any]:
        """The groups as the documented JSON object."""
        return {
            "model": self.verifier.model_name,
            "threshold": round(threshold.distance, 6),
            "far": threshold.far,
            "pictures": self.pictures,
            "groups": [[face.to_dict() for face in group] for group in grouped.groups],
            "singles": [face.to_dict() for face in grouped.singles],
            "without_face": self.without,
            "narrow_faces": self.narrow,
        }


def about(picture: Picture) -> dict[str, Any]:
    """What JSON says of which picture or frame it is."""
    if picture.frame is None:
        return {"picture": picture.name}
    time = round(picture.time or 0.0, 4)
    return {"picture": picture.name, "frame": picture.frame, "time": time}


def _key(about: dict[str, Any]) -> tuple:
    """What tells a picture or frame from all others, whatever its file is called."""
    name = about["picture"]
    return os.path.realpath(name) if os.path.isfile(name) else name, about.get("frame")


def check_new_folder(folder: Path) -> None:
    """Refuse a folder that pictures are to be sorted into, unless it is new or empty.

    Raises:
        OutputError: naming the folder.
    """
    if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder}: is there already, and not empty; name another --copy")
    check_output_folder(folder, "name another --copy")


def sort_pictures(
    folder: str | Path,
    groups: Sequence[Iterable[tuple[str | Path, Path]]],
    singles: Iterable[tuple[str | Path, Path]],
    *,
    link: bool = False,
    on_error: Callable[[CvtoolError], None],
) -> int:
    """Copy pictures into folders person-1, person-2, ... and singles; the originals stay.

    Args:
        folder: new or empty.
        groups: for each person, pictures: the file, and where it goes below the person's folder,
            different for each file; its suffix becomes the file's own. Given twice, it is copied
            once.
        singles: pictures of those who are alone, likewise.
        link: make symbolic links to the originals instead.
        on_error: called with the error of each file that cannot be copied.
    Returns:
        how many files were made.
    Raises:
        OutputError: the folder cannot be written, or is not empty.
    """
    folder = Path(folder)
    check_new_folder(folder)
    made = 0
    names = [f"person-{number}" for number in range(1, len(groups) + 1)]
    for name, pictures in zip([*names, SINGLES], [*groups, singles], strict=True):
        for source, below in dict.fromkeys(pictures):
            target = folder / name / below.with_suffix(Path(source).suffix)
            try:
                _place(Path(source), target, link)
                made += 1
            except OutputError as error:
                on_error(error)
    return made


def _place(source: Path, target: Path, link: bool) -> None:
    try:
        if link:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source.absolute())
        else:
            with whole_file(target, source=source) as temporary:
                shutil.copy2(source, temporary)
    except OSError as error:
        raise OutputError(
            f"{target}: cannot be written ({error.strerror}); choose another --copy"
        ) from None


def _files(faces: Iterable[AlbumFace]) -> list[tuple[str, Path]]:
    return list(dict.fromkeys(face.file for face in faces if face.file is not None))
