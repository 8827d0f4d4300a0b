"""What `cvtool classify` prints of each picture for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cvtool.cli import console
from cvtool.cli.records import Record, about_picture, milliseconds, size_text

if TYPE_CHECKING:
    from cvtool.classification.classifier import Classification
    from cvtool.pictures.sources import Picture

# Classes shown of each picture where there are many pictures.
SHOWN_IN_LINE = 3


def make_record(
    picture: Picture, classes: Sequence[Classification], *, model: str, engine: str, seconds: float
) -> Record:
    """The documented JSON object of one picture or frame."""
    return about_picture(picture, model=model, engine=engine, seconds=seconds) | {
        "classes": [each.to_dict() for each in classes]
    }


class SingleTable:
    """Every class asked for of the one picture."""

    def __enter__(self) -> SingleTable:
        return self

    def add(self, record: Record) -> None:
        name = console.visible(record["picture"])
        print(f"{name}: {size_text(record)} pixels, {milliseconds(record)} ms")
        rows = [(c["label"], f"{c['score']:.3f}") for c in record["classes"]]
        if rows:
            console.print_table(console.table(("class", "score"), rows, right=("score",)))
        else:
            console.say("no class scores that much; a lower --score shows more")

    def __exit__(self, *_: object) -> None:
        pass


class RunningTable:
    """A line a picture or frame, printed as they come."""

    def __enter__(self) -> RunningTable:
        self._headed = False
        return self

    def add(self, record: Record) -> None:
        if not self._headed:
            print(f"{'picture':40}  {'size':>11}  {'ms':>5}  classes")
            self._headed = True
        name = console.visible(record["picture"])
        if "frame" in record:
            name += f" at {record['time']:.2f} s"
        shown = record["classes"][:SHOWN_IN_LINE]
        classes = ", ".join(f"{c['label']} {c['score']:.2f}" for c in shown) or "-"
        print(f"{name:40}  {size_text(record):>11}  {milliseconds(record):>5}  {classes}")

    def __exit__(self, *_: Any) -> None:
        pass
