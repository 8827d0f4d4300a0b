"""`cvtool check`: look through a data set before a model learns from it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cvtool.cli import console
from cvtool.cli.options import JsonOption, OverwriteOption
from cvtool.errors import OutputError

SHEETS = Path("check")


def check(
    dataset: Annotated[
        Path,
        typer.Argument(
            metavar="DATASET",
            help="Boxes: YOLO, COCO, Pascal VOC, or a CSV of boxes. Masks: a folder with images "
            "and masks. Classes: a folder with a folder for each class, a CSV of labels, or "
            "Tiny-ImageNet's folder.",
        ),
    ],
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of the pictures. Default: looked for near the labels."
        ),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of the masks. Default: masks, or the like, in DATASET."
        ),
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Masks: list of the classes, a line each: name, or name R G B. Default: "
            "classes.txt, labels.txt or labelmap.txt in DATASET.",
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default="check/NAME.jpg, or the next free NAME-2.jpg, ...",
            help="A sheet of pictures with their labels, for you to look at.",
        ),
    ] = None,
    no_sheet: Annotated[bool, typer.Option("--no-sheet", help="Write no sheet.")] = False,
    show_all: Annotated[bool, typer.Option("--all", help="List every finding.")] = False,
    as_json: JsonOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Find what is wrong in a data set: in its labels, its pictures, its splits.

    Nothing in the data set is changed. Faults are things to mend, and make the exit code 1;
    remarks are things to know.
    """
    if sheet is not None and no_sheet:
        raise typer.BadParameter("choose one of --sheet and --no-sheet")

    from cvtool.datasets.dataset_check import check_dataset

    if not no_sheet:
        sheet = choose_sheet(sheet, dataset, (dataset, pictures, masks), overwrite)
    result = check_dataset(
        dataset, pictures, masks=masks, classes=classes, progress=console.progress
    )
    if sheet is not None and not write_sheet(sheet, result, overwrite):
        console.say("no picture can be read, so there is no sheet")
        sheet = None
    if as_json:
        console.print_json(result.to_dict() | {"sheet": None if sheet is None else str(sheet)})
    else:
        from cvtool.cli.check_report import show

        show(result, show_all)
    say_what_spoils_scores(result)
    if sheet is not None:
        print(f"written: {sheet}", file=sys.stderr if as_json else sys.stdout)
    if result.faults:
        raise typer.Exit(1)


def choose_sheet(
    sheet: Path | None, dataset: Path, checked: Sequence[Path | None], overwrite: bool
) -> Path:
    """The file for the sheet; refused now rather than after the work.

    Args:
        sheet: what the user named.
        dataset: after which it is called where the user named none.
        checked: folders that it must not lie in; also files, and None.
        overwrite: whether it may be there.
    """
    from cvtool.pictures.writing import check_output_folder, check_suffix, free_name

    if sheet is None:
        whole = dataset.resolve()
        name = whole.name if whole.is_dir() else whole.stem
        sheet = SHEETS / f"{name or 'dataset'}.jpg"
        sheet = sheet if overwrite else free_name(sheet)
    check_suffix(sheet)
    for folder in checked:
        # It would be a picture of the data set from now on.
        if (
            folder is not None
            and folder.is_dir()
            and sheet.resolve().is_relative_to(folder.resolve())
        ):
            raise OutputError(
                f"{sheet}: lies in {folder}, which is checked; name a file outside of it with "
                "--sheet, or use --no-sheet"
            )
    if sheet.exists() and not overwrite:
        raise OutputError(f"{sheet}: already exists; use --overwrite or another --sheet")
    check_output_folder(sheet.parent, "name another --sheet")
    return sheet


def write_sheet(sheet: Path, result, overwrite: bool) -> bool:
    """Write the contact sheet; False where there is no picture to show.

    Raises:
        OutputError: the sheet would replace a file of the data set, or cannot be written.
    """
    from cvtool.datasets.contact_sheet import choose_tiles, contact_sheet
    from cvtool.pictures.writing import same_file, write_picture

    present = result.masks.present if result.masks else ()
    pixels = contact_sheet(choose_tiles(result.data, result.faults, present=present))
    if pixels is None:
        return False
    named = (*result.paths, *(fault.file for fault in result.faults)) if sheet.exists() else ()
    source = next((path for path in named if same_file(path, sheet)), None)
    write_picture(sheet, pixels, overwrite=overwrite, source=source)
    return True


def say_what_spoils_scores(result) -> None:
    """Say what no table must hide: pictures that are in two splits."""
    shared = sum(remark.kind == "across splits" for remark in result.remarks)
    if shared:
        are = "picture is" if shared == 1 else "pictures are"
        console.say(
            f"{shared:,} {are} in more than one split, the same or nearly so: "
            "scores will come out too high"
        )
