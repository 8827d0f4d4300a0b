"""Which faces of a picture a command takes, said aloud where there is a choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cvtool.cli import console
from cvtool.errors import OptionError, PictureError

if TYPE_CHECKING:
    from cvtool.faces.mtcnn import Face


def choose_faces(
    faces: Sequence[Face], name: str, number: int | None = None, every: bool = False
) -> list[tuple[int, Face]]:
    """The faces to look at, with their numbers.

    Args:
        faces: what was found, the largest first.
        name: of the picture, for what is said.
        number: the face to take, counted from 1; None for the largest.
        every: take all of them.
    Raises:
        PictureError: there is no face.
        OptionError: there is no face of that number.
    """
    if not faces:
        raise PictureError(
            f"{name}: no face found; give a picture in which the face is turned to the camera, "
            "and not covered"
        )
    if number is not None and number > len(faces):
        count = "1 face" if len(faces) == 1 else f"{len(faces)} faces"
        raise OptionError(f"{name}: has {count}, so there is no --face {number}")
    chosen = list(enumerate(faces, 1)) if every else [(number or 1, faces[(number or 1) - 1])]
    if len(faces) > 1 and not every and number is None:
        other = "another with --face N"
        console.say(f"{name}: {len(faces)} faces; took the largest, {place(faces[0])}; {other}")
    for _, face in chosen:
        say_if_tiny(face, name)
    return chosen


def place(face: Face) -> str:
    """Where a face is, for a person."""
    x1, y1, x2, y2 = (round(value) for value in face.box)
    return f"at {x1},{y1} to {x2},{y2}"


def say_if_tiny(face: Face, name: str) -> None:
    """Warn of a face that holds too little to compare."""
    from cvtool.faces.verifier import TINY

    width = face.box[2] - face.box[0]
    if width < TINY:
        console.say(f"{name}: the face is {width:.0f} pixels wide; under {TINY}, answers are vague")
