"""`cvtool verify`: say whether two pictures show the same person."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvtool.cli import console
from cvtool.cli.face_choice import choose_faces
from cvtool.cli.face_output import check_output
from cvtool.cli.face_threshold import choose_threshold, refuse_both
from cvtool.cli.options import (
    DeviceOption,
    FarOption,
    JsonOption,
    MaxPixelsOption,
    ModelOption,
    OverwriteOption,
    ThresholdOption,
)
from cvtool.errors import OutputError, SourceError

if TYPE_CHECKING:
    import numpy as np

    from cvtool.faces.mtcnn import Face
    from cvtool.faces.thresholds import Threshold
    from cvtool.faces.verifier import Verification, Verifier
    from cvtool.pictures.sources import Picture

DEFAULT_MODEL = "facenet-lfw"
DEFAULT_OUT = Path("verified.png")
# Errors are a 2, see `cli.main.ANSWERING`.
SAME, DIFFERENT = 0, 1


def verify(
    one: Annotated[str, typer.Argument(metavar="A", help="A picture, a URL, or - for stdin.")],
    other: Annotated[str, typer.Argument(metavar="B", help="The other one.")],
    model: ModelOption = DEFAULT_MODEL,
    threshold: ThresholdOption = None,
    far: FarOption = None,
    face: Annotated[
        str | None,
        typer.Option(
            metavar="N[,N]",
            help="Of several faces, take the Nth largest of A (and of B) instead of the largest.",
        ),
    ] = None,
    every: Annotated[
        bool,
        typer.Option("--all", help="Compare each face of A with each of B, and tell the nearest."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            show_default="verified.png, or the next free verified-2.png, ...",
            help="Where to write the two faces side by side.",
        ),
    ] = None,
    no_picture: Annotated[bool, typer.Option("--no-picture", help="Write no picture.")] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    max_pixels: MaxPixelsOption = 100_000_000,
    overwrite: OverwriteOption = False,
) -> None:
    """Say whether two pictures show the same person.

    The exit code is 0 for the same person, 1 for two people, 2 for an error. Nothing
    leaves this machine.
    """
    refuse_both(threshold, far)
    numbers = face_numbers(face)
    if every and face is not None:
        raise typer.BadParameter("choose one of --face and --all")
    if no_picture and out is not None:
        raise typer.BadParameter("choose one of --out and --no-picture")
    if one == other == "-":
        raise typer.BadParameter("stdin holds one picture; name a file for the other")

    from cvtool.faces.verifier import Verifier

    target = None if no_picture else picture_file(out, (one, other), overwrite)
    start = time.perf_counter()
    pictures = [read_one(source, max_pixels) for source in (one, other)]
    verifier = Verifier.load(model, device=device)
    limit = choose_threshold(verifier, threshold, far)
    before = time.perf_counter()
    sides = [
        look_at(verifier, picture, number, every)
        for picture, number in zip(pictures, numbers, strict=True)
    ]
    found = compare(verifier, sides, limit)
    seconds = time.perf_counter() - before
    best = found[0]
    problem = None
    if target is not None:
        try:
            write_faces(best, target, overwrite=overwrite)
        except OutputError as error:
            # The answer is there all the same.
            problem, target = error, None
    if as_json:
        console.print_json(
            {"a": pictures[0].name, "b": pictures[1].name}
            | best.result.to_dict()
            | {
                "face_numbers": list(best.numbers),
                "pairs": [
                    {"face_numbers": list(pair.numbers), "distance": round(pair.result.distance, 6)}
                    for pair in found
                ],
                "model": verifier.model_name,
                "engine": verifier.engine_name,
                "time_ms": round(1000 * seconds, 1),
                "output": None if target is None else str(target),
            }
        )
    else:
        show(best, len(found), time.perf_counter() - start)
        if target is not None:
            print(f"written: {target}")
    if problem is not None:
        raise problem
    raise typer.Exit(SAME if best.result.same else DIFFERENT)


@dataclass(frozen=True, slots=True)
class Side:
    """The faces of one picture that are compared: their numbers, where, and embeddings."""

    numbers: list[int]
    faces: list[Face]
    aligned: list[np.ndarray]
    embeddings: np.ndarray


@dataclass(frozen=True, slots=True)
class Compared:
    """Two faces, one of each picture: their numbers there, aligned, and the result."""

    numbers: tuple[int, int]
    aligned: tuple[np.ndarray, np.ndarray]
    result: Verification


def face_numbers(face: str | None) -> tuple[int | None, int | None]:
    """Read --face: a number for both pictures, or one for each."""
    if face is None:
        return None, None
    if not re.fullmatch(r"[1-9]\d{0,3}(,[1-9]\d{0,3})?", face):
        raise typer.BadParameter(
            f'--face "{face}" is neither a number from 1 on, nor two as in 1,2'
        )
    first, _, second = face.partition(",")
    return int(first), int(second or first)


def read_one(source: str, max_pixels: int) -> Picture:
    """The one picture of a source.

    Raises:
        CvtoolError: it cannot be read, or is several.
    """
    from cvtool.pictures.sources import read_pictures

    with closing(read_pictures([source], max_pixels=max_pixels, read_ahead=0)) as stream:
        pictures = list(islice(stream, 2))
    if len(pictures) != 1:
        many = "more than one picture" if pictures else "no picture"
        raise SourceError(f"{source}: holds {many}; name one picture for each side")
    return pictures[0]


def look_at(verifier: Verifier, picture: Picture, number: int | None, every: bool) -> Side:
    """Find, choose, align and embed the faces of a picture."""
    chosen = choose_faces(verifier.find(picture.pixels), picture.name, number, every)
    faces = [face for _, face in chosen]
    aligned = [verifier.align(picture.pixels, face) for face in faces]
    return Side([n for n, _ in chosen], faces, aligned, verifier.embed(aligned))


def compare(verifier: Verifier, sides: Sequence[Side], limit: Threshold) -> list[Compared]:
    """Each face of one side with each of the other, the nearest first."""
    one, other = sides
    pairs = [
        Compared(
            (one.numbers[i], other.numbers[j]),
            (one.aligned[i], other.aligned[j]),
            verifier.compare(
                one.embeddings[i], other.embeddings[j], (one.faces[i], other.faces[j]), limit
            ),
        )
        for i, j in product(range(len(one.faces)), range(len(other.faces)))
    ]
    return sorted(pairs, key=lambda pair: pair.result.distance)


def picture_file(out: Path | None, sources: Sequence[str], overwrite: bool) -> Path:
    """Where the two faces are to be written.

    Raises:
        OutputError: they cannot be.
    """
    from cvtool.pictures.writing import check_suffix, free_name

    if out is None:
        out = DEFAULT_OUT if overwrite else free_name(DEFAULT_OUT)
    check_suffix(out)
    check_output(out, sources, "name another --out, or use --no-picture", overwrite=overwrite)
    return out


def write_faces(pair: Compared, out: Path, *, overwrite: bool) -> None:
    """Write the two faces side by side."""
    from cvtool.faces.drawing import side_by_side
    from cvtool.pictures.writing import write_picture

    result = pair.result
    words = f"{result.band}: {result.distance:.2f}, threshold {result.threshold.distance:.2f}"
    write_picture(out, side_by_side(pair.aligned, result.same, words), overwrite=overwrite)


def show(pair: Compared, count: int, seconds: float) -> None:
    """Print the answer and what it rests on, for a person."""
    result = pair.result
    threshold = result.threshold
    print("the same person" if result.same else "two people")
    if count > 1:
        print(f"nearest of {count} pairs: face {pair.numbers[0]} of A and {pair.numbers[1]} of B")
    print(f"distance    {result.distance:.3f} ({result.band})")
    if threshold.far is None:
        print(f"threshold   {threshold.distance:.3f}, as given")
    else:
        print(
            f"threshold   {threshold.distance:.3f}: takes {threshold.far:.1%} of pairs of two "
            f"people for one, and knows {threshold.tar:.1%} of pairs of one person again "
            f"({threshold.source})"
        )
    print(f"time        {seconds:.2f} s")
