"""What `cvtool stylize` takes, and what it refuses before it looks at a picture."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cvtool.cli.options import known_classes
from cvtool.errors import CvtoolError, OptionError, OutputError, PictureError, SourceError

if TYPE_CHECKING:
    import numpy as np

    from cvtool.pictures.sources import Picture
    from cvtool.style.settings import StyleSettings

STDIN = "-"
# What the pass of --fast has no use for, as nothing is optimised.
ONLY_OPTIMISED = (
    *("preset", "iterations", "content_weight", "style_weight", "tv_weight", "style_scale"),
    *("init", "optimizer", "layers", "content_layer", "seed", "network"),
    *("every", "video", "tile"),
)
# Beginnings that are no file.
INITS = ("content", "noise")


def check_together(given: set[str]) -> None:
    """Refuse options that have no effect together.

    Args:
        given: names of the options on the command line.
    """
    if {"json_array", "json_lines"} <= given:
        raise typer.BadParameter("choose one of --json and --jsonl")
    if {"mask", "where"} <= given:
        raise typer.BadParameter("choose one of --mask and --where")
    if "invert" in given and not given & {"mask", "where"}:
        raise typer.BadParameter("--invert turns a mask round; add --mask or --where")
    if "fast" not in given:
        if "strength" in given:
            raise typer.BadParameter(
                "--strength is for --fast; without it, use --content-weight and --style-weight"
            )
        return
    for name in ONLY_OPTIMISED:
        if name in given:
            raise typer.BadParameter(
                f"{option(name)} is for the optimisation, and --fast makes none; leave one out"
            )


def option(name: str) -> str:
    """A parameter's option: "style_weight" is --style-weight."""
    return f"--{name.replace('_', '-')}"


def check_stdin(*sources: str) -> None:
    """Refuse to read stdin twice."""
    if sources.count(STDIN) > 1:
        raise typer.BadParameter("stdin holds one picture; name a file for the others")


def settings_of(values: dict[str, Any], given: set[str]) -> StyleSettings:
    """The settings of the optimisation: the preset's, and over them the single options.

    Args:
        values: of all options.
        given: names of those on the command line.
    Raises:
        OptionError: an unknown preset, or a value that makes no sense.
    """
    from cvtool.models.near_names import unknown_name
    from cvtool.style.settings import PRESETS, StyleSettings

    name = values["preset"] or "balanced"
    if name not in PRESETS:
        raise OptionError(f"--preset: {unknown_name('preset', name, list(PRESETS))}")
    chosen = dict(PRESETS[name])
    for field in fields(StyleSettings):
        if field.name in given:
            chosen[field.name] = values[field.name]
    for listed in ("layers", "style_blend"):
        if listed in given:
            chosen[listed] = split(option(listed), values[listed])
    if "init" in given and values["init"] not in INITS:
        del chosen["init"]
    if "style_blend" in given:
        chosen["style_blend"] = shares(chosen["style_blend"])
    return StyleSettings(**chosen)


def split(name: str, text: str) -> tuple[str, ...]:
    """The parts of a list with commas."""
    parts = tuple(part.strip() for part in text.split(","))
    if not all(parts):
        raise typer.BadParameter(f'{name}: "{text}" is no list such as a,b,c')
    return parts


def shares(parts: tuple[str, ...]) -> tuple[float, ...]:
    """The numbers of --style-blend."""
    try:
        return tuple(map(float, parts))
    except ValueError:
        raise typer.BadParameter(
            f'--style-blend: "{",".join(parts)}" are no numbers such as 0.7,0.3'
        ) from None


def check_contents(content: str, *, fast: bool, one_file: Path | None, film: Path | None) -> bool:
    """Refuse videos without --fast, and several contents where there is one result.

    A content that cannot be found passes: it is reported in its turn.

    Args:
        content: as given.
        one_file: the file that --out names, or None for a folder.
        film: of --video.
    Returns:
        whether there are several.
    """
    from cvtool.pictures.finding import find

    found = []
    for item in find([content]):
        moving = not isinstance(item, CvtoolError) and item.kind in ("video", "webcam")
        if moving and not fast:
            raise typer.BadParameter(
                f"{item.source}: a video takes --fast, as the optimisation would take minutes a "
                "frame; add it, or name the pictures alone"
            )
        found = [*found, item][:2]
    for path, name, remedy in (
        (one_file, "--out", "name a folder"),
        (film, "--video", "take it for one picture"),
    ):
        if path is not None and len(found) > 1:
            raise typer.BadParameter(
                f"{name} {path} is one file, and {content} holds more than one picture; {remedy}"
            )
    if one_file is not None:
        for item in found:
            if not isinstance(item, CvtoolError):
                check_file_name(one_file, item.kind)
    if film is not None and film.suffix.lower() != ".mp4":
        raise OutputError(f"{film}: the film is written as .mp4; end the name of --video so")
    return len(found) > 1


def check_file_name(path: Path, kind: str) -> None:
    """Refuse a result's name of an ending that cannot be written.

    Raises:
        OutputError: naming what can.
    """
    from cvtool.pictures.writing import check_suffix

    if kind in ("video", "webcam"):
        if path.suffix.lower() != ".mp4":
            raise OutputError(f"{path}: videos are written as .mp4; end the name of --out so")
    elif kind != "url" or path.suffix.lower() != ".mp4":
        check_suffix(path)


def read_one(source: str, what: str, max_pixels: int) -> Picture:
    """The one picture of a source.

    Args:
        source: a file, a URL or "-".
        what: what it is for, in an error's words: "STYLE".
    Raises:
        CvtoolError: it cannot be read, or is several.
    """
    from cvtool.pictures.sources import read_pictures

    with closing(read_pictures([source], max_pixels=max_pixels, read_ahead=0)) as stream:
        pictures = list(islice(stream, 2))
    if len(pictures) != 1 or pictures[0].frame is not None:
        raise SourceError(f"{source}: holds more than one picture; {what} takes one")
    return pictures[0]


def read_start(init: str | None, max_pixels: int) -> np.ndarray | None:
    """The picture of --init to begin with, or None for "content" and "noise".

    Raises:
        CvtoolError: it cannot be read.
    """
    if init is None or init in INITS:
        return None
    if init != STDIN and not os.path.exists(init) and "://" not in init:
        raise PictureError(f"{init}: no such file; --init takes content, noise or a picture")
    return read_one(init, "--init", max_pixels).pixels


def place_finder(
    mask: Path | None, where: str | None, *, invert: bool, device: str, max_pixels: int
) -> Callable[[Picture], np.ndarray | None]:
    """The function from a picture to where it takes the style.

    Args:
        mask: a picture, white where it does.
        where: names of the default segmenter's classes, with commas.
        invert: everywhere but there.
        device: for the segmenter.
    Returns:
        a function to float32 (H, W) in [0, 1], or None for everywhere. It raises PictureError
        where the mask does not fit the picture, or there is none of the classes in it.
    Raises:
        CvtoolError: no mask, an unknown class.
    """
    if mask is not None:
        return _place_of_mask(mask, invert, max_pixels)
    if where is not None:
        return _place_of_classes(where, invert, device)
    return lambda _: None


def _place_of_mask(path: Path, invert: bool, max_pixels: int):
    from cvtool.style.masks import check_shape, read_mask

    mask = read_mask(path, invert=invert, max_pixels=max_pixels)

    def place(picture: Picture) -> np.ndarray:
        check_shape(mask, str(path), picture.pixels, picture.name)
        return mask

    return place


def _place_of_classes(where: str, invert: bool, device: str):
    import numpy as np

    from cvtool.segmentation.cutout import cut_out
    from cvtool.segmentation.segmenter import Segmenter
    from cvtool.style.masks import inverted

    segmenter = Segmenter.load(device=device)
    classes = known_classes(where, segmenter.classes[1:], "--where")

    def place(picture: Picture) -> np.ndarray:
        found = segmenter(picture.pixels, classes=classes, soft=True)
        # A video goes on where they walk out of it.
        if not found.class_ids and picture.frame is None:
            names = " or ".join(classes)
            raise PictureError(
                f"{picture.name}: {segmenter.model_name} finds no {names} in it; give a --mask"
            )
        alpha = cut_out(picture.pixels, found.soft)[..., 3]
        return inverted(alpha / np.float32(255), invert)

    return place
