"""What `cvtool segment` prints of each picture: a table for people, or JSON."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from cvtool.cli import console
from cvtool.cli.records import Record, about_picture, milliseconds, size_text
from cvtool.cli.running_table import RunningTable

if TYPE_CHECKING:
    from cvtool.pictures.sources import Picture
    from cvtool.segmentation.segmenter import Segmentation

# What the paths of results are called, in the order in which they are named.
PATHS = {"output": "overlay", "mask": "mask", "cutout": "cut-out"}


def make_record(
    picture: Picture,
    segmentation: Segmentation,
    *,
    model: str,
    engine: str,
    seconds: float,
    paths: dict[str, Any],
) -> Record:
    """The documented JSON object of one picture or frame."""
    about = about_picture(picture, model=model, engine=engine, seconds=seconds)
    return about | segmentation.to_dict() | paths


class SingleTable:
    """Every class of the one picture."""

    def __enter__(self) -> SingleTable:
        return self

    def add(self, record: Record) -> None:
        name = console.visible(record["picture"])
        print(f"{name}: {size_text(record)} pixels, {milliseconds(record)} ms")
        edges = ("left", "top", "right", "bottom")
        rows = [
            (c["label"], f"{c['area']:,}", percent(c["share"]), *(str(edge) for edge in c["box"]))
            for c in record["classes"]
        ]
        if rows:
            columns = ("class", "pixels", "share", *edges)
            console.print_table(console.table(columns, rows, right=columns[1:]))
        else:
            console.say("nothing but background; a larger --size or --tile may find more")
        for key, name in PATHS.items():
            if record.get(key):
                print(f"{name}: {record[key]}")
        for label, path in record.get("class_masks", {}).items():
            if path:
                print(f"mask of {label}: {path}")

    def __exit__(self, *_: object) -> None:
        pass


class NoReport:
    """Nothing: stdout is the cut-out's."""

    def __enter__(self) -> NoReport:
        return self

    def add(self, record: Record) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


class ShareTally:
    """The mean share of each class over the frames of a video."""

    def __init__(self) -> None:
        self._frames = 0
        self._shares: Counter = Counter()

    def add(self, record: Record) -> None:
        self._frames += 1
        for found in record["classes"]:
            self._shares[found["label"]] += found["share"]

    def text(self) -> str:
        return shares({name: s / self._frames for name, s in self._shares.most_common()})


def running_table() -> RunningTable:
    """A line a picture."""
    return RunningTable(
        "classes",
        lambda record: shares({c["label"]: c["share"] for c in record["classes"]}),
        ShareTally,
        tuple(PATHS),
    )


def shares(found: dict[str, float]) -> str:
    """For example "person 34.2 %, dog 5.1 %"."""
    return ", ".join(f"{label} {percent(share)}" for label, share in found.items()) or "background"


def percent(share: float) -> str:
    """A share of 0 to 1 for people."""
    return "<0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"
