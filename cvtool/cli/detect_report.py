"""What `cvtool detect` prints of each picture: a table for people, or JSON."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from cvtool.cli import console
from cvtool.cli.records import Record, about_picture, milliseconds, size_text
from cvtool.cli.running_table import RunningTable

if TYPE_CHECKING:
    from cvtool.cli.detect_files import Written
    from cvtool.detection.detector import Detection
    from cvtool.pictures.sources import Picture

# Scores shown for one label in a line; the rest are counted.
SCORES_SHOWN = 3


def make_record(
    picture: Picture,
    detections: Sequence[Detection],
    *,
    model: str,
    engine: str,
    seconds: float,
    written: Written,
    grid: bool = False,
) -> Record:
    """The documented JSON object of one picture or frame; `grid` is whether to name the grid's."""
    record = about_picture(picture, model=model, engine=engine, seconds=seconds) | {
        "detections": [detection.to_dict() for detection in detections],
        "output": written.picture,
    }
    return record | {"grid": written.grid} if grid else record


class SingleTable:
    """Every object of the one picture."""

    def __enter__(self) -> SingleTable:
        return self

    def add(self, record: Record) -> None:
        detections = record["detections"]
        name = console.visible(record["picture"])
        head = f"{name}: {size_text(record)} pixels, {milliseconds(record)} ms"
        print(f"{head}, {len(detections)} object{'' if len(detections) == 1 else 's'}")
        if detections:
            rows = [
                (named(d), f"{d['score']:.2f}", *(f"{edge:.0f}" for edge in d["box"]))
                for d in detections
            ]
            edges = ("left", "top", "right", "bottom")
            console.print_table(
                console.table(("object", "score", *edges), rows, right=("score", *edges))
            )
        else:
            console.say("nothing found; a lower --score or a larger --size may find more")
        if record["output"]:
            print(f"annotated picture: {record['output']}")
        if record.get("grid"):
            print(f"grid: {record['grid']}")

    def __exit__(self, *_: object) -> None:
        pass


def running_table() -> RunningTable:
    """A line a picture."""
    return RunningTable(
        "objects",
        lambda record: summarise(record["detections"]),
        ObjectTally,
        ("output", "grid"),
    )


class ObjectTally:
    """In how many frames of a video each label was seen, or each object where they are tracked."""

    def __init__(self) -> None:
        self._labels: Counter = Counter()
        self._objects: defaultdict = defaultdict(Counter)

    def add(self, record: Record) -> None:
        self._labels.update({d["label"] for d in record["detections"]})
        for detection in record["detections"]:
            if "id" in detection:
                self._objects[detection["id"]][detection["label"]] += 1

    def text(self) -> str:
        if self._objects:
            return count_objects(self._objects.values())
        labels = self._labels.most_common()
        return ", ".join(f"{label} in {count}" for label, count in labels) or "nothing"


def named(detection: Record) -> str:
    """The label, with the object's number where it is tracked."""
    return f"{detection['label']} {detection['id']}" if "id" in detection else detection["label"]


def count_objects(objects: Iterable[Counter]) -> str:
    """How many different objects of each class, for example "3 person, 1 dog, 2 seen once".

    What is seen in a single frame is more often a false alarm than an object.

    Args:
        objects: for each object, in how many frames it had which label.
    """
    labels, once = Counter(), 0
    for frames in objects:
        if frames.total() == 1:
            once += 1
        else:
            labels[frames.most_common(1)[0][0]] += 1
    parts = [f"{count} {label}" for label, count in labels.most_common()]
    return ", ".join([*parts, f"{once} seen once"] if once else parts)


def summarise(detections: Sequence[Record]) -> str:
    """Objects by label with their best scores, for example "2 dog 0.91 0.40, 1 person 0.88"."""
    scores = defaultdict(list)
    for detection in detections:
        scores[detection["label"]].append(detection["score"])
    parts = []
    for label, values in sorted(scores.items(), key=lambda item: -len(item[1])):
        shown = " ".join(f"{value:.2f}" for value in sorted(values, reverse=True)[:SCORES_SHOWN])
        more = " ..." if len(values) > SCORES_SHOWN else ""
        parts.append(f"{len(values)} {label} {shown}{more}")
    return ", ".join(parts) or "nothing"
