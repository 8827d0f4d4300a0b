"""From folders of people as the user has them to the aligned faces of each split."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cvtool.datasets.labelled import LabelledPictures
from cvtool.datasets.people import read_people, refuse_overlap
from cvtool.errors import CvtoolError, DatasetError, few
from cvtool.faces.alignment import align
from cvtool.faces.mtcnn import central_face
from cvtool.faces.mtcnn_networks import load_networks
from cvtool.faces.people_split import PICTURES, split_people
from cvtool.faces.verifier import TINY, find_turned
from cvtool.pictures.reading import read_picture
from cvtool.pictures.sources import read_each
from cvtool.pictures.writing import whole_file
from cvtool.training.page import counted

# What is kept round each aligned face, so that it can be turned and shifted, in pixels.
BORDER = 14
# The aligned faces of a run, by split.
FACES_FILE = "faces.npz"
# Files or names in a message.
_SHOWN = 3


@dataclass(frozen=True, slots=True, eq=False)
class FaceSet:
    """Pictures with one face each.

    Attributes:
        files: N paths.
        people: N names.
        landmarks: float64 (N, 5, 2) of the faces, pixels, see `mtcnn.Face`.
    """

    files: tuple[Path, ...]
    people: tuple[str, ...]
    landmarks: np.ndarray

    def subset(self, positions) -> FaceSet:
        """The faces at `positions`, in that order."""
        return FaceSet(
            tuple(self.files[i] for i in positions),
            tuple(self.people[i] for i in positions),
            self.landmarks[positions],
        )

    @property
    def numbers(self) -> np.ndarray:
        """Int (N,): the number of each face's person, counted from 0 within the set."""
        return np.unique(np.array(self.people), return_inverse=True)[1]


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A data set, its faces found and its people split.

    Attributes:
        splits: split name -> FaceSet, without empty ones.
        faces: split name -> uint8 (N, S, S, 3), aligned, with a border.
        left_out: reason -> files of the pictures that are in no split.
        remarks: what was found, a line each.
        how: in words, how the splits were made.
    """

    splits: dict[str, FaceSet]
    faces: dict[str, np.ndarray]
    left_out: dict[str, list[str]]
    remarks: list[str]
    how: str


def prepare(dataset, *, size, split=None, test=None, seed=0, on_picture=None):
    """Read folders of people, find their faces, and split the people. No file is changed.

    Of several faces, the one nearest to the middle of the picture is taken, as in the training
    of facenet-lfw.

    Args:
        dataset: see `datasets.people.read_people`.
        size: side of an aligned face, pixels.
        split: shares of the people such as "70/15/15", or None to choose them by the size.
        test: another folder of people, all of them for testing, or None.
        seed: of the random split.
        on_picture: called after each picture is looked at, for a progress bar.
    Returns:
        Prepared.
    Raises:
        DatasetError: it cannot be read, no picture shows a face, too few people, or somebody
            in two splits.
        CvtoolError: shares that make no sense.
    """
    data = read_people(dataset)
    if test is not None:
        data = with_test(data, read_people(test), dataset, test)
    found, faces, left_out = find_all(data, size, on_picture)
    if not found.files:
        raise DatasetError(
            f"{dataset}: no face was found in its {counted(len(data), 'picture', 'pictures')}; "
            "give some in which both eyes are seen"
        )
    names = np.array(found.people)
    tally = Counter(found.people)
    counts = np.array([tally[person] for person in data.classes])
    home = dict(zip((data.classes[i] for i in data.labels), data.splits, strict=True))
    given = [home.get(person, "") for person in data.classes]
    parts, how = split_people(given, counts, split, seed, dataset)
    splits, aligned = {}, {}
    for name, people in parts.items():
        chosen = [data.classes[i] for i in people]
        positions = np.flatnonzero(np.isin(names, chosen))
        splits[name], aligned[name] = found.subset(positions), faces[positions]
    alone = [person for person, n in zip(data.classes, counts, strict=True) if n < PICTURES]
    left_out["no other picture of the person"] = [
        str(file)
        for file, person in zip(found.files, found.people, strict=True)
        if tally[person] < PICTURES
    ]
    return Prepared(splits, aligned, left_out, remarks_on(left_out, alone, found), how)


def with_test(data, more, dataset, test):
    """The people of two folders as one data set, those of the second for testing.

    Raises:
        DatasetError: the first has people for testing, or somebody is in both.
    """
    if "test" in data.splits:
        raise DatasetError(
            f"{dataset}: has people for test of its own, which --test {test} would replace; give "
            "its train folder"
        )
    homes = dict(zip((data.classes[i] for i in data.labels), data.splits, strict=True))
    refuse_overlap(homes, dict.fromkeys(more.classes, "test"), test)
    return LabelledPictures(
        data.classes + more.classes,
        data.paths + more.paths,
        np.concatenate([data.labels, more.labels + len(data.classes)]),
        data.splits + ("test",) * len(more),
    )


def find_all(data, size, on_picture=None):
    """Find and align the face of each picture.

    Args:
        data: LabelledPictures, whose classes are people.
        size: side of an aligned face, pixels.
        on_picture: called after each picture.
    Returns:
        FaceSet of the pictures that show a face; their aligned faces, uint8 (N, S, S, 3); and
        reason -> files of the others.
    """
    networks = load_networks()
    files, people, landmarks, faces = [], [], [], []
    no_face: list[str] = []
    unreadable: list[str] = []

    def failed(error: CvtoolError) -> None:
        unreadable.append(str(error))
        if on_picture is not None:
            on_picture()

    for index, picture in read_each(data.paths, on_error=failed):
        found = find_turned(picture.pixels, networks)
        if found:
            height, width = picture.pixels.shape[:2]
            # As run.json keeps them, so that a resumed run aligns the very same pixels.
            points = np.round(central_face(found, height, width).landmarks.astype(float), 2)
            landmarks.append(points)
            faces.append(align(picture.pixels, points, size, BORDER))
            files.append(data.paths[index])
            people.append(data.classes[data.labels[index]])
        else:
            no_face.append(str(data.paths[index]))
        if on_picture is not None:
            on_picture()
    side = size + 2 * BORDER
    return (
        FaceSet(tuple(files), tuple(people), np.array(landmarks).reshape(-1, 5, 2)),
        np.array(faces, np.uint8).reshape(-1, side, side, 3),
        {"unreadable": unreadable, "no face": no_face},
    )


def remarks_on(left_out, alone, found):
    """What is said of the pictures that are left out, a line each.

    Args:
        left_out: of `Prepared`; the unreadable ones are told by their errors.
        alone: people who have fewer than two pictures.
        found: FaceSet of all faces.
    """
    remarks = []
    for reason, one, many in (
        ("unreadable", "picture cannot be read and is left out", "pictures cannot be read and are"),
        ("no face", "picture shows no face and is left out", "pictures show no face and are"),
    ):
        files = left_out[reason]
        if files:
            many += " left out"
            remarks.append(f"{counted(len(files), one, many)}: {few(files, _SHOWN)}")
    if alone:
        words = counted(len(alone), "person has", "people have")
        remarks.append(
            f"{words} fewer than two pictures that show a face, and teach nothing: "
            + few(alone, _SHOWN)
        )
    # The eyes of an aligned face are 0.28 of its side apart, about twice that of its width.
    eyes = np.linalg.norm(found.landmarks[:, 1] - found.landmarks[:, 0], axis=1)
    small = int((eyes < TINY / 2.3).sum())
    if small:
        words = counted(small, "face is", "faces are")
        remarks.append(f"{words} about {TINY} pixels wide or less, which tells little of a person")
    return remarks


def split_lists(prepared):
    """The splits as run.json keeps them: files, absolute, with their people and landmarks."""
    return {
        name: {
            "files": [str(file.absolute()) for file in part.files],
            "people": list(part.people),
            "landmarks": part.landmarks.tolist(),
        }
        for name, part in prepared.splits.items()
    }


def faces_from(part):
    """The FaceSet of one split of run.json."""
    landmarks = np.array(part["landmarks"], np.float64).reshape(-1, 5, 2)
    return FaceSet(tuple(map(Path, part["files"])), tuple(part["people"]), landmarks)


def keep_faces(folder, faces):
    """Write the aligned faces of a run; raises OutputError."""
    with (
        whole_file(Path(folder) / FACES_FILE, overwrite=True) as part,
        part.open("wb") as stream,
    ):
        np.savez(stream, **faces)


def aligned_faces(folder, splits, size):
    """The aligned faces of a run, as they were kept; where they were not, made again.

    Args:
        folder: run folder.
        splits: split name -> FaceSet.
        size: side of an aligned face, pixels.
    Returns:
        split name -> uint8 (N, S, S, 3).
    Raises:
        PictureError: a picture can no longer be read.
    """
    side = size + 2 * BORDER
    shapes = {name: (len(part.files), side, side, 3) for name, part in splits.items()}
    try:
        with np.load(Path(folder) / FACES_FILE) as kept:
            faces = {name: kept[name] for name in splits}
    except (OSError, ValueError, KeyError):
        faces = {}
    if {name: part.shape for name, part in faces.items()} == shapes:
        return faces
    faces = {
        name: np.stack(
            [
                align(read_picture(file), points, size, BORDER)
                for file, points in zip(part.files, part.landmarks, strict=True)
            ]
        )
        for name, part in splits.items()
    }
    keep_faces(folder, faces)
    return faces
