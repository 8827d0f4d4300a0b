"""Options that several commands share, so that they read and mean the same everywhere."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Device = Literal["auto", "cpu", "gpu"]

# Beyond this the network's layers take gigabytes, and no object in a picture needs it.
LARGEST_SIZE = 4096


def complete_model(incomplete: str) -> list[str]:
    """Names of models for the shell's completion."""
    from cvtool.errors import CvtoolError
    from cvtool.models.presets import known_names, load_presets

    try:
        return [name for name in known_names(load_presets()) if name.startswith(incomplete)]
    except CvtoolError:
        return []


def check_size(size: int | None) -> int | None:
    """Refuse an input size that the network cannot take."""
    if size is not None and (size < 32 or size % 32):
        nearest = max(32, round(size / 32) * 32)
        raise typer.BadParameter(f"{size} is not a multiple of 32; try {nearest}")
    if size is not None and size > LARGEST_SIZE:
        raise typer.BadParameter(f"{size} is more than {LARGEST_SIZE}; try 640")
    return size


def known_classes(
    given: str | None, known: tuple[str, ...], option: str = "--classes"
) -> list[str] | None:
    """The classes of an option as the model spells them.

    Raises:
        OptionError: the model does not know one; the message offers the nearest names.
    """
    if given is None:
        return None
    from cvtool.errors import OptionError
    from cvtool.models.near_names import unknown_name

    spelling = {label.casefold(): label for label in known}
    wanted = []
    for name in (part.strip() for part in given.split(",")):
        if name.casefold() in spelling:
            wanted.append(spelling[name.casefold()])
        elif name:
            raise OptionError(f"{option}: {unknown_name('class', name, known)}")
    if not wanted:
        raise typer.BadParameter(f"{option} names no class")
    return wanted


SourcesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCES",
        help="Pictures, folders, globs, http(s) URLs, .txt lists, videos, webcam numbers, "
        "or - for a picture on stdin.",
    ),
]
EndingSourcesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCES",
        help="Pictures, folders, globs, http(s) URLs, .txt lists, videos, "
        "or - for a picture on stdin.",
    ),
]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME",
        help="A model of cvtool models list, or the folder of a trained model.",
        autocompletion=complete_model,
    ),
]
SizeOption = Annotated[
    int | None,
    typer.Option(
        "--size",
        metavar="PIXELS",
        callback=check_size,
        help="Side of the square that the network sees, a multiple of 32; "
        "larger finds smaller objects and takes longer. Default: the model's own.",
    ),
]
LongSideOption = Annotated[
    int | None,
    typer.Option(
        "--size",
        min=32,
        max=LARGEST_SIZE,
        metavar="PIXELS",
        help="Longer side of the picture that the network sees; larger sees finer detail and "
        "takes longer. Default: the model's own.",
    ),
]
ViewSizeOption = Annotated[
    int | None,
    typer.Option(
        "--size",
        min=16,
        max=LARGEST_SIZE,
        metavar="PIXELS",
        help="Side of the square that the network sees. Default: the model's own.",
    ),
]
TtaOption = Annotated[
    bool,
    typer.Option(
        "--tta",
        help="Test-time augmentation: average over five crops and their mirror images; "
        "ten times the work.",
    ),
]
EveryOption = Annotated[
    int, typer.Option(min=1, metavar="N", help="Of videos, take every Nth frame.")
]
MaxPixelsOption = Annotated[
    int, typer.Option(min=1, metavar="N", help="Refuse pictures of more pixels than this.")
]
JsonArrayOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON array instead of a table.")
]
JsonLinesOption = Annotated[
    bool, typer.Option("--jsonl", help="Print one JSON object a line, as they come.")
]
DeviceOption = Annotated[
    Device,
    typer.Option(
        "--device",
        help="auto takes a GPU that TensorFlow can see, else the CPU; gpu without one is an error.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace results that are there already.")
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=4,
        metavar="DISTANCE",
        show_default="verify: the model's most accurate one; else that of --far 0.001",
        help="Up to this distance, two faces are one person's.",
    ),
]
FarOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        metavar="RATE",
        help="Take the model's threshold at this false accept rate: of so many pairs of two "
        "people, it takes one for the same person; or at the next lower rate that was measured. "
        "0.001 is strict.",
    ),
]
