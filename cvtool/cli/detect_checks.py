"""What `cvtool detect` refuses before it looks at a picture."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import PurePath

import typer

from cvtool.errors import CvtoolError, DeviceError


def check_show(no_pictures: bool) -> None:
    """Refuse --show where there is nothing to show, or nowhere to show it."""
    if no_pictures:
        raise typer.BadParameter("--show opens the annotated picture; leave out --no-pictures")
    has_display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform == "linux" and not has_display:
        raise DeviceError("--show: there is no display; leave it out and open the file in --out")


def check_grid(no_pictures: bool) -> None:
    """Refuse --grid where its picture has no place."""
    if no_pictures:
        raise typer.BadParameter("--grid writes a picture into --out; leave out --no-pictures")


def check_track(sources: Iterable[str]) -> None:
    """Refuse --track where no source can be a video: pictures of a folder need not be a sequence.

    A source that cannot be found passes: it is reported in its turn.
    """
    from cvtool.pictures.contents import PICTURE_SUFFIXES
    from cvtool.pictures.finding import find
    from cvtool.pictures.urls import output_name

    for item in find(sources):
        if isinstance(item, CvtoolError) or item.kind in ("video", "webcam"):
            return
        if item.kind == "url":
            suffix = PurePath(output_name(item.source)).suffix.lower()
            if suffix not in PICTURE_SUFFIXES:
                return
    raise typer.BadParameter(
        "--track follows objects through videos and webcams, and the sources are pictures only; "
        "leave it out, or make a video of them"
    )
