"""`cvtool faces group`: an album by person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvtool.cli import console
from cvtool.cli.face_output import check_output
from cvtool.cli.face_threshold import refuse_both
from cvtool.cli.faces_input import complain, load, look
from cvtool.cli.options import (
    DeviceOption,
    EndingSourcesArgument,
    EveryOption,
    FarOption,
    JsonOption,
    MaxPixelsOption,
    ModelOption,
    OverwriteOption,
    ThresholdOption,
)
from cvtool.cli.verify import DEFAULT_MODEL
from cvtool.errors import CvtoolError, OptionError, OutputError

if TYPE_CHECKING:
    from cvtool.faces.album import GroupedAlbum


def group(
    sources: EndingSourcesArgument,
    threshold: ThresholdOption = None,
    far: FarOption = None,
    min_face: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="PIXELS",
            show_default="40",
            help="Leave out narrower faces, of which too little is left to compare.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write the groups to a JSON file too."),
    ] = None,
    copy: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Copy the pictures into the folders person-1, person-2, ... and singles of this "
            "new folder.",
        ),
    ] = None,
    link: Annotated[
        bool, typer.Option("--link", help="With --copy, make symbolic links, not copies.")
    ] = False,
    model: ModelOption = DEFAULT_MODEL,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    every: EveryOption = 1,
    max_pixels: MaxPixelsOption = 100_000_000,
    overwrite: OverwriteOption = False,
) -> None:
    """Group the pictures of an album by person, without knowing anyone.

    Looks at all faces. The pictures stay where and as they are. Nothing leaves this
    machine. Pictures that fail are listed at the end, and the exit code is then 1.
    """
    refuse_both(threshold, far)
    if link and copy is None:
        raise typer.BadParameter("--link needs --copy DIR")
    check_places(sources, out, copy, overwrite)
    from cvtool.cli.faces_report import show_groups
    from cvtool.faces.album import Album
    from cvtool.faces.verifier import TINY
    from cvtool.pictures.writing import same_file

    verifier, limit = load(model, device, threshold, far, None)
    problems: list[CvtoolError] = []
    album = Album(verifier, TINY if min_face is None else min_face)
    with look(sources, "looking", problems, every, max_pixels, endless=False) as pictures:
        for picture in pictures:
            if out is not None and same_file(out, picture.name):
                raise OutputError(f"{out}: is an input, never overwritten; name another --out")
            album.add(picture)
    if album.repeated:
        console.say(f"{album.repeated} picture(s) or frame(s) named more than once; taken once")
    grouped = album.group(limit)
    summary = album.to_dict(grouped, limit)
    # What was found is told whether or not it can be written.
    if copy is not None:
        copy_groups(grouped, copy, link, problems)
    if out is not None:
        write_groups(out, summary, overwrite, problems)
    if as_json:
        console.print_json(summary)
    else:
        show_groups(summary, album.min_face)
    complain(problems)


def check_places(
    sources: Sequence[str], out: Path | None, copy: Path | None, overwrite: bool
) -> None:
    """Refuse results that cannot be written, or are in the way of each other or of the sources.

    Raises:
        OptionError: --out ends in something else than .json.
        OutputError: naming the file or folder.
    """
    from cvtool.faces.album import check_new_folder
    from cvtool.pictures.writing import same_file

    if out is not None:
        if out.suffix.lower() != ".json":
            raise OptionError(f"{out}: the groups are written as JSON; end --out in .json")
        if copy is not None and same_file(out, copy):
            raise OutputError(f"{out}: is both --out and --copy; name two")
        check_output(out, sources, "name another --out", overwrite=overwrite)
    if copy is not None:
        place = copy.resolve()
        for source in sources:
            if Path(source).is_dir() and place.is_relative_to(Path(source).resolve()):
                raise OutputError(
                    f"{copy}: lies in {source}, of which the copies would be pictures the next "
                    "time; name a --copy elsewhere"
                )
        check_new_folder(copy)


def copy_groups(
    grouped: GroupedAlbum, folder: Path, link: bool, problems: list[CvtoolError]
) -> None:
    """Sort the pictures into the folder, and say how many."""
    from cvtool.faces.album import sort_pictures

    try:
        made = sort_pictures(folder, *grouped.files(), link=link, on_error=problems.append)
    except OutputError as error:
        problems.append(error)
        return
    said = f"{made} {'link(s)' if link else 'file(s)'} made in {folder}"
    left = grouped.without_file()
    if left:
        said += f"; {left} frame(s), address(es) or stdin left out, which are no picture files"
    console.say(said)


def write_groups(
    out: Path, summary: dict[str, Any], overwrite: bool, problems: list[CvtoolError]
) -> None:
    """Write the groups as JSON."""
    from cvtool.pictures.writing import write_json

    try:
        write_json(out, summary, overwrite=overwrite)
    except OutputError as error:
        problems.append(error)
