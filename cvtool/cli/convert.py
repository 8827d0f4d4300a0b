"""`cvtool convert`: write a data set with boxes in another layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cvtool.cli import console
from cvtool.cli.faults import complain_of_faults
from cvtool.cli.options import JsonOption
from cvtool.errors import OutputError

if TYPE_CHECKING:
    from cvtool.datasets.boxed import DetectionDataset
    from cvtool.datasets.boxed_writing import Written

Layout = Literal["yolo", "coco", "voc"]
NAMES: dict[Layout, str] = {"yolo": "YOLO", "coco": "COCO", "voc": "Pascal VOC"}


def convert(
    dataset: Annotated[
        Path,
        typer.Argument(
            metavar="DATASET", help="Pictures with boxes: YOLO, COCO, Pascal VOC, or a CSV."
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.")],
    to: Annotated[Layout, typer.Option("--to", help="The layout to write.")],
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of the pictures. Default: looked for near the labels."
        ),
    ] = None,
    link: Annotated[
        bool,
        typer.Option(
            "--link", help="Link the pictures instead of copying them; takes no further space."
        ),
    ] = False,
    no_pictures: Annotated[
        bool, typer.Option("--no-pictures", help="Write the labels only.")
    ] = False,
    as_json: JsonOption = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a folder that convert wrote.")
    ] = False,
) -> None:
    """Write pictures with boxes in another layout, for another tool.

    Boxes, classes and splits are kept, and nothing in DATASET is changed. What is wrong in it
    is listed and left out, and makes the exit code 1.
    """
    if link and no_pictures:
        raise typer.BadParameter("choose one of --link and --no-pictures")

    from cvtool.datasets.boxed_layouts import read_boxed
    from cvtool.datasets.boxed_writing import check_new_folder, write_boxed
    from cvtool.datasets.faults import Fault

    check_new_folder(out, overwrite)
    faults: list[Fault] = []
    data = read_boxed(dataset, pictures, on_fault=faults.append)
    refuse_inside(out, [dataset, *([] if pictures is None else [pictures])], data)
    complain_of_faults(faults, dataset, pictures)
    transfer = "none" if no_pictures else "link" if link else "copy"
    with console.progress("writing", len(data.examples)) as advance:
        written = write_boxed(
            data, NAMES[to], out, pictures=transfer, overwrite=overwrite, on_picture=advance
        )
    say_what_changed(written, NAMES[to])
    summary = summarise(data, written, NAMES[to], len(faults))
    if as_json:
        console.print_json(summary)
    else:
        show(summary)
    if faults:
        raise typer.Exit(1)


def refuse_inside(out: Path, sources: Sequence[Path], data: DetectionDataset) -> None:
    """Refuse to write into the data set, or over it.

    Raises:
        OutputError: `out` lies in one of the folders, or holds a picture.
    """
    place = out.resolve()
    for source in sources:
        if source.is_dir() and place.is_relative_to(source.resolve()):
            raise OutputError(f"{out}: lies in {source}, which is read; name a folder outside")
        if source.resolve().is_relative_to(place):
            raise OutputError(f"{out}: holds {source}, which is read; name another folder")
    folders = {example.path.parent for example in data.examples}
    for folder in sorted(folders):
        if folder.resolve().is_relative_to(place):
            raise OutputError(f"{out}: holds pictures of the data set; name another folder")


def say_what_changed(written: Written, layout: str) -> None:
    """Say what the new layout cannot hold, and what has another name now."""
    if written.crowd:
        console.say(
            f"{count(written.crowd, 'box')} round groups (crowd) became ordinary boxes; "
            f"{layout} has no mark for them"
        )
    if written.unassigned:
        console.say(f"{count(written.unassigned, 'picture')} in no split went to train")
    if written.renamed:
        console.say(
            f"{count(written.renamed, 'picture')} got another name, "
            "because names clashed or cannot be written in every layout"
        )
    if written.copied:
        console.say(f"{count(written.copied, 'picture')} could not be linked and were copied")


def summarise(data: DetectionDataset, written: Written, layout: str, faults: int) -> dict[str, Any]:
    """What was written, ready for JSON."""
    splits = [example.split for example in data.examples]
    return {
        "from": data.layout,
        "to": layout,
        "out": str(written.folder),
        "classes": list(data.classes),
        "pictures": len(data.examples),
        "boxes": sum(len(example.boxes) for example in data.examples),
        "splits": {
            name or "none": splits.count(name)
            for name in ("train", "dev", "test", "")
            if name in splits
        },
        "renamed": written.renamed,
        "crowd_lost": written.crowd,
        "faults": faults,
    }


def show(summary: dict[str, Any]) -> None:
    """Print what was written, for people."""
    splits = ", ".join(f"{name} {number:,}" for name, number in summary["splits"].items())
    divided = set(summary["splits"]) != {"none"}
    print(
        f"{summary['from']} to {summary['to']}: {count(summary['pictures'], 'picture')} "
        f"({splits if divided else 'no splits'}), "
        f"{count(summary['boxes'], 'box')}, {count(len(summary['classes']), 'class')}"
    )
    print(f"written: {summary['out']}")


def count(number: int, word: str) -> str:
    """For example "1 box" and "2 boxes"."""
    many = f"{word}es" if word.endswith(("s", "x")) else f"{word}s"
    return f"{number:,} {word if number == 1 else many}"
