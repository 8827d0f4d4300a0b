"""The JSON objects that commands print, one a picture or frame."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from cvtool.cli import console

if TYPE_CHECKING:
    from cvtool.pictures.sources import Picture

Record = dict[str, Any]


def about_picture(picture: Picture, *, model: str, engine: str, seconds: float) -> Record:
    """What every command's record says of the picture and of the work on it."""
    height, width = picture.pixels.shape[:2]
    record: Record = {"picture": picture.name, "width": width, "height": height}
    if picture.frame is not None:
        record |= {"frame": picture.frame, "time": round(picture.time or 0.0, 4)}
    return record | {"model": model, "engine": engine, "seconds": round(seconds, 5)}


def size_text(record: Record) -> str:
    """For example "640 x 480"."""
    return f"{record['width']} x {record['height']}"


def milliseconds(record: Record) -> str:
    """The time that the work took, a whole number of milliseconds."""
    return f"{1000 * record['seconds']:.0f}"


def json_report(json_array: bool, json_lines: bool) -> JsonArray | JsonLines | None:
    """The way to print that --json or --jsonl asks for; None where people read."""
    if json_array:
        return JsonArray()
    return JsonLines() if json_lines else None


class JsonLines:
    """One object a line, as soon as it is known."""

    def __enter__(self) -> JsonLines:
        return self

    def add(self, record: Record) -> None:
        print(console.to_json(record), flush=True)

    def __exit__(self, *_: object) -> None:
        pass


class JsonArray:
    """One array, written as it grows and closed whatever happens, so that it always parses."""

    def __enter__(self) -> JsonArray:
        self._before = ""
        sys.stdout.write("[")
        return self

    def add(self, record: Record) -> None:
        sys.stdout.write(f"{self._before}\n{console.to_json(record)}")
        self._before = ","

    def __exit__(self, kind: Any, *_: object) -> None:
        # After a broken pipe there is nobody left to close it for.
        if kind is None or not issubclass(kind, BrokenPipeError):
            sys.stdout.write("\n]\n")
