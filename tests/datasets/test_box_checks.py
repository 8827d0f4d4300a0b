from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvtool.datasets.box_checks import check_boxes
from cvtool.datasets.boxed import DetectionDataset, Example
from cvtool.detection.boxes import iou


def example(name, boxes=(), class_ids=None, size=(320, 200), split="", crowd=None):
    return Example(
        path=Path(name),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        class_ids=np.array([0] * len(boxes) if class_ids is None else class_ids, np.int64),
        width=size[0],
        height=size[1],
        picture_id=0,
        crowd=np.array([False] * len(boxes) if crowd is None else crowd, bool),
        split=split,
    )


def dataset(*examples, classes=("cat", "dog")):
    return DetectionDataset(classes, examples, tuple(range(len(classes))))


def found(checks, kind):
    return [(str(r.file), r.message) for r in checks.remarks if r.kind == kind]


def test_counts_by_class_and_split():
    a, b = (10, 10, 60, 60), (100, 100, 160, 160)
    data = dataset(
        example("1.jpg", [a, b], [0, 0], split="train"),
        example("2.jpg", [a, b], [0, 1], split="train"),
        example("3.jpg", [a], [1], split="dev"),
        example("4.jpg", [a, b], [0, 1], split="dev", crowd=[True, False]),
        example("5.jpg", split="test"),
    )
    checks = check_boxes(data)
    assert checks.counts == {
        "cat": {"train": 3, "dev": 0, "test": 0},
        "dog": {"train": 1, "dev": 2, "test": 0},
    }
    assert checks.pictures == {
        "cat": {"train": 2, "dev": 0, "test": 0},
        "dog": {"train": 1, "dev": 2, "test": 0},
    }
    assert checks.crowd == 1


def test_pictures_without_a_split_are_counted_apart():
    data = dataset(example("1.jpg", [(0, 0, 50, 50)]), example("2.jpg", split="train"))
    assert check_boxes(data).counts["cat"] == {"train": 0, "unsplit": 1}


def test_shares_of_sizes_are_relative_to_the_picture():
    data = dataset(
        example("1.jpg", [(0, 0, 9.9, 10), (0, 0, 10, 10), (0, 0, 50, 20)], size=(100, 100)),
        example("2.jpg", [(0, 0, 101, 100)], size=(1000, 100)),
    )
    sizes = check_boxes(data).sizes
    assert sizes == {"small": 0.25, "medium": 0.5, "large": 0.25}


def test_tiny_boxes_are_measured_at_the_detectors_input():
    seen, unseen = (0, 0, 8, 8), (20, 0, 27, 9)
    data = dataset(
        example("plain.jpg", [seen, unseen], size=(320, 200)),
        example("large.jpg", [(0, 0, 30, 15)], [1], size=(400, 1280)),
        example("small.jpg", [(0, 0, 4, 4)], size=(160, 100)),
    )
    assert found(check_boxes(data), "tiny") == [
        ("plain.jpg", "cat of 7 x 9 px, 7.0 x 9.0 at size 320"),
        ("large.jpg", "dog of 30 x 15 px, 7.5 x 3.8 at size 320"),
    ]


def test_boxes_of_the_whole_picture():
    data = dataset(
        example("1.jpg", [(0, 0, 320, 196), (0, 0, 320, 195)]),
        example("2.jpg", [(0, 0, 320, 200)], [1]),
    )
    assert found(check_boxes(data), "whole picture") == [
        ("1.jpg", "cat, 98 % of the area"),
        ("2.jpg", "dog, 100 % of the area"),
    ]


def test_empty_pictures_unless_their_labels_have_faults():
    data = dataset(example("1.jpg"), example("2.jpg"), example("3.jpg", [(0, 0, 50, 50)]))
    assert found(check_boxes(data, {Path("2.jpg")}), "empty") == [("1.jpg", "no box")]


def test_doubles_are_of_one_class_and_no_crowd():
    a, near_a, half_a = (10, 10, 110, 110), (10, 10, 110, 112), (10, 10, 110, 60)
    boxes = [a, near_a, half_a, near_a, near_a]
    data = dataset(example("1.jpg", boxes, [0, 0, 0, 1, 0], crowd=[0, 0, 0, 0, 1]))
    assert found(check_boxes(data), "double") == [
        ("1.jpg", "cat at 10,10,110,110 and at 10,10,110,112 (IoU 0.98)")
    ]


corner = st.integers(0, 12)
side = st.integers(40, 60)
box = st.tuples(corner, corner, side, side).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(box, st.integers(0, 1)), max_size=8))
def test_one_remark_for_each_box_too_many(rows):
    boxes = np.array([row[0] for row in rows], np.float64).reshape(-1, 4)
    ids = np.array([row[1] for row in rows], np.int64)
    overlaps = iou(boxes, boxes)
    expected = sum(
        any(overlaps[i, j] > 0.9 and ids[i] == ids[j] for i in range(j)) for j in range(len(rows))
    )
    assert len(found(check_boxes(dataset(example("1.jpg", boxes, ids))), "double")) == expected


def test_classes_that_cannot_be_learnt():
    many = [(20 * n, 0, 20 * n + 15, 20) for n in range(12)]
    data = dataset(
        example("1.jpg", many, [0] * 10 + [1, 1], split="train"),
        example("2.jpg", many[:3], [2, 2, 2], split="dev"),
        example("3.jpg", many[:1], [2], split="test"),
        classes=("cat", "dog", "bird", "unicorn"),
    )
    checks = check_boxes(data)
    assert [r.message for r in checks.remarks if r.kind == "rare"] == ["dog: 2 boxes"]
    assert [r.message for r in checks.remarks if r.kind == "untrained"] == [
        "bird: no box in train, 3 in dev, 1 in test",
        "unicorn: no box at all",
    ]


@pytest.mark.parametrize("split", ["", "train", "dev"])
def test_one_box_is_little_to_train_on_but_dev_alone_trains_nothing(split):
    checks = check_boxes(dataset(example("1.jpg", [(0, 0, 50, 50)], split=split), classes=("a",)))
    words = ["a: 1 box"] if split != "dev" else []
    assert [r.message for r in checks.remarks if r.kind in ("rare", "untrained")] == words


def test_nothing_to_count():
    checks = check_boxes(dataset())
    assert checks.sizes == {"small": 0.0, "medium": 0.0, "large": 0.0}
    assert checks.counts == checks.pictures == {"cat": {}, "dog": {}}
    assert checks.remarks == []
