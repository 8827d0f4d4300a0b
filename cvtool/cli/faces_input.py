"""What the commands of `cvtool faces` take: pictures, a model, a threshold."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvtool.cli import console
from cvtool.cli.face_threshold import choose_strict
from cvtool.errors import CvtoolError, SourceError

if TYPE_CHECKING:
    from cvtool.faces.gallery import Gallery
    from cvtool.faces.thresholds import Threshold
    from cvtool.faces.verifier import Verifier
    from cvtool.pictures.sources import Picture

GalleryArgument = Annotated[
    Path, typer.Argument(metavar="GALLERY", help="The gallery's file; any name.")
]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The person's name; any text.")]
FaceOption = Annotated[
    int | None,
    typer.Option(
        "--face",
        min=1,
        metavar="N",
        help="Of several faces in a picture, take the Nth largest instead of the largest.",
    ),
]


@contextmanager
def look(
    sources: list[str],
    description: str,
    problems: list[CvtoolError],
    every: int,
    max_pixels: int,
    endless: bool = True,
) -> Iterator[Iterator[Picture]]:
    """Lend the stream of pictures, with a progress bar.

    Args:
        problems: gets the errors of pictures that cannot be read.
        endless: allow webcams.
    """
    from cvtool.pictures.sources import count_pictures, read_pictures

    # Counting walks through the folders, so only where somebody sees the number.
    total = count_pictures(sources, every=every) if sys.stderr.isatty() else None
    stream = read_pictures(sources, on_error=problems.append, max_pixels=max_pixels, every=every)
    with closing(stream):
        tracked = console.track(stream, description, total)
        yield tracked if endless else with_an_end(tracked)


def with_an_end(pictures: Iterator[Picture]) -> Iterator[Picture]:
    """The pictures; a webcam's are refused.

    Raises:
        SourceError: at a webcam's first picture.
    """
    for picture in pictures:
        if picture.frames is None and picture.name.startswith("webcam "):
            raise SourceError(f"{picture.name}: has no end; save a picture or a video of it")
        yield picture


def load(
    model: str, device: str, threshold: float | None, far: float | None, gallery: Gallery | None
) -> tuple[Verifier, Threshold]:
    """The model, seen to be the gallery's, and the threshold; without an option, the strict one."""
    from cvtool.faces.gallery import Maker
    from cvtool.faces.verifier import Verifier

    verifier = Verifier.load(model, device=device)
    if gallery is not None:
        gallery.check_maker(Maker.of(verifier))
    return verifier, choose_strict(verifier, threshold, far)


def stored_name(name: str) -> str:
    """A picture's file name as a gallery keeps it, without folder, address or what follows `?`."""
    from cvtool.pictures.urls import is_url, output_name

    return output_name(name) if is_url(name) else Path(name).name


def complain(problems: list[CvtoolError]) -> None:
    """List what went wrong; the exit code is then 1."""
    for problem in problems:
        console.complain(problem)
    if problems:
        raise typer.Exit(1)
