"""What is written in one layout is read back the same, from every layout to every layout."""

import itertools
import json
import os
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO

from boxed_sets import picture
from cvtool.datasets import boxed_writing
from cvtool.datasets.boxed import DetectionDataset, Example
from cvtool.datasets.boxed_layouts import read_boxed, recognise
from cvtool.datasets.boxed_writing import write_boxed
from cvtool.errors import CvtoolError, OutputError

LAYOUTS = ("YOLO", "COCO", "Pascal VOC")
SIZES = [(100, 80), (37, 211), (3, 3)]


def example(path, boxes=(), class_ids=(), split="", number=1, crowd=()):
    width, height = Image.open(path).size
    return Example(
        path=path,
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        class_ids=np.array(class_ids, np.int64),
        width=width,
        height=height,
        picture_id=number,
        crowd=np.array(crowd, bool),
        split=split,
    )


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """Pictures with names that are hard to write."""
    folder = tmp_path_factory.mktemp("pool")
    names = ["a.jpg", "two words 1.JPG", "v1.0.png", "été.jpeg", "写真&<b>'\"#.webp"]
    return [
        picture(folder / name, *SIZES[number % len(SIZES)]) for number, name in enumerate(names)
    ]


@st.composite
def data_sets(draw, paths):
    classes = ["ant", "bee & <wasp>", "été", "no", "10"]
    split_of = st.just("") if draw(st.booleans()) else st.sampled_from(["train", "dev", "test"])
    examples = []
    for number, path in enumerate(paths):
        width, height = SIZES[number % len(SIZES)]
        edges = st.tuples(
            *(
                st.tuples(st.floats(0, side, width=32), st.floats(0, side, width=32), st.booleans())
                for side in (width, height)
            )
        )
        boxes, class_ids = [], []
        for (x1, x2, whole), (y1, y2, _) in draw(st.lists(edges, max_size=4)):
            box = [min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)]
            box = [float(np.float32(round(v))) for v in box] if whole else box
            class_id = draw(st.integers(0, len(classes) - 1))
            far = all(
                c != class_id or max(abs(a - b) for a, b in zip(box, o, strict=True)) > 0.01
                for o, c in zip(boxes, class_ids, strict=True)
            )
            if min(box[2] - box[0], box[3] - box[1]) > 0.01 and far:
                boxes.append(box)
                class_ids.append(class_id)
        if number == 0:  # each class has a box: Pascal VOC can name no other
            boxes = [[0, 0, 100, 80 - n] for n in range(len(classes))]
            class_ids = list(range(len(classes)))
        examples.append(example(path, boxes, class_ids, draw(split_of), number + 1))
    return DetectionDataset(tuple(classes), tuple(examples), (3, 4, 7, 8, 9))


def assert_same(first, second):
    assert set(first.classes) == set(second.classes)
    assert len(first.examples) == len(second.examples)
    others = {one.path.name: one for one in second.examples}
    for one in first.examples:
        other = others[one.path.name]
        assert other.path.read_bytes() == one.path.read_bytes()
        assert (other.split, other.width, other.height) == (one.split, one.width, one.height)
        labels = [first.classes[class_id] for class_id in one.class_ids]
        assert [second.classes[class_id] for class_id in other.class_ids] == labels
        np.testing.assert_allclose(other.boxes, one.boxes, atol=1e-3)


@pytest.mark.parametrize(("first", "second"), [*itertools.product(LAYOUTS, LAYOUTS)])
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(draw=st.data())
def test_every_layout_to_every_layout(pool, tmp_path_factory, first, second, draw):
    data = draw.draw(data_sets(pool))
    folder = tmp_path_factory.mktemp("round")
    write_boxed(data, first, folder / "one", pictures="link")
    once = read_boxed(folder / "one")
    assert recognise(folder / "one") == once.layout == first
    assert_same(data, once)
    write_boxed(once, second, folder / "two", pictures="link")
    twice = read_boxed(folder / "two")
    assert recognise(folder / "two") == twice.layout == second
    assert_same(data, twice)
    if first == second == "COCO":
        assert twice.category_ids == data.category_ids
    if "Pascal VOC" not in (first, second):
        assert twice.classes == data.classes


def test_whole_pixels_stay_whole_in_pascal_voc(pool, tmp_path):
    data = DetectionDataset(("ant",), (example(pool[0], [[0, 7, 10.5, 80]], [0]),), (1,))
    write_boxed(data, "Pascal VOC", tmp_path / "out")
    root = ElementTree.parse(tmp_path / "out" / "Annotations" / "a.xml").getroot()
    corners = [root.find(f"object/bndbox/{key}").text for key in ("xmin", "ymin", "xmax", "ymax")]
    assert corners == ["0", "7", "10.5", "80"]
    assert root.find("filename").text == "a.jpg" and root.find("size/depth").text == "3"


def test_pycocotools_reads_what_is_written_crowds_included(pool, tmp_path):
    boxes = [[1, 2, 11, 22.5], [0, 0, 100, 80]]
    one = example(pool[0], boxes, [1, 0], "dev", 7, [False, True])
    data = DetectionDataset(("ant", "bee"), (one,), (5, 9))
    written = write_boxed(data, "COCO", tmp_path / "out")
    coco = COCO(tmp_path / "out" / "annotations" / "instances_val.json")
    found = [
        (a["bbox"], a["category_id"], a["iscrowd"]) for a in coco.loadAnns(coco.getAnnIds([7]))
    ]
    assert found == [([1, 2, 10, 20.5], 9, 0), ([0, 0, 100, 80], 5, 1)]
    assert written.crowd == 0
    again = read_boxed(tmp_path / "out")
    assert again.examples[0].crowd.tolist() == [False, True]
    assert write_boxed(data, "YOLO", tmp_path / "yolo").crowd == 1
    assert read_boxed(tmp_path / "yolo").examples[0].crowd.tolist() == [False, False]


def test_yolo_files_hold_what_the_layout_says(pool, tmp_path):
    data = DetectionDataset(
        ("no", "bee"),
        (example(pool[0], [[10, 20, 30, 60]], [1], "train"), example(pool[1])),
        (1, 2),
    )
    written = write_boxed(data, "YOLO", tmp_path / "out")
    labels = tmp_path / "out" / "labels" / "train"
    assert (labels / "a.txt").read_text() == "1 0.2 0.5 0.2 0.5\n"
    assert (labels / "two words 1.txt").read_text() == ""
    assert written.unassigned == 1  # the other picture is in train
    assert "'no'" in (tmp_path / "out" / "data.yaml").read_text()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_names_that_clash_or_cannot_be_written_are_changed(tmp_path, layout):
    names = ["1/a.jpg", "2/a.jpg", "3/A.png", "4/a-2.jpg", "5/.hidden.jpg", "6/ blank .jpg"]
    names += [r"7/back\slash.jpg", "8/line\nend.jpg", "9/none", os.fsdecode(b"10/\xff.jpg")]
    examples = []
    for number, name in enumerate(names):
        path = tmp_path / name
        path.parent.mkdir()
        Image.new("RGB", (20 + number, 20)).save(path, "JPEG")
        examples.append(example(path, [[0, 0, 5, 5 + number]], [0], number=number))
    written = write_boxed(DetectionDataset(("ant",), tuple(examples), (1,)), layout, tmp_path / "o")
    found = read_boxed(tmp_path / "o").examples
    sizes = {(one.width, *one.boxes[0].round(3).tolist()) for one in found}
    assert sizes == {(20 + n, 0, 0, 5, 5 + n) for n in range(len(names))}
    assert len({one.path.stem.casefold() for one in found}) == len(names)
    assert written.renamed == len(names) - 1


def test_pictures_are_copied_linked_or_left(pool, tmp_path):
    data = DetectionDataset(("ant",), (example(pool[0], [[0, 0, 9, 9]], [0]),), (1,))
    for transfer in ("copy", "link", "none"):
        write_boxed(data, "COCO", tmp_path / transfer, pictures=transfer)
    copy, link = (tmp_path / name / "images" / "a.jpg" for name in ("copy", "link"))
    assert copy.read_bytes() == pool[0].read_bytes() and not copy.samefile(pool[0])
    assert link.samefile(pool[0])
    assert not (tmp_path / "none" / "images").exists()
    assert len(read_boxed(tmp_path / "none", pool[0].parent).examples) == 1


def test_a_folder_that_is_not_its_own_is_never_replaced(pool, tmp_path):
    data = DetectionDataset(("ant",), (example(pool[0], [[0, 0, 9, 9]], [0]),), (1,))
    own = tmp_path / "own"
    (tmp_path / "file").touch()
    (own / "labels").mkdir(parents=True)
    (own / "labels" / "precious.txt").touch()
    for folder in (own, tmp_path / "file"):
        for overwrite in (False, True):
            with pytest.raises(OutputError):
                write_boxed(data, "YOLO", folder, overwrite=overwrite)
    assert [path.name for path in own.rglob("*")] == ["labels", "precious.txt"]
    empty = tmp_path / "empty"
    empty.mkdir()
    write_boxed(data, "YOLO", empty)
    with pytest.raises(OutputError, match="--overwrite"):
        write_boxed(data, "COCO", empty)
    write_boxed(data, "COCO", empty, overwrite=True)
    assert recognise(empty) == "COCO" and not (empty / "labels").exists()
    (empty / "thesis.docx").touch()
    with pytest.raises(OutputError, match=r"holds thesis\.docx"):
        write_boxed(data, "YOLO", empty, overwrite=True)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interruption_leaves_what_was_there(pool, tmp_path, monkeypatch, error):
    data = DetectionDataset(("ant",), (example(pool[0], [[0, 0, 9, 9]], [0]),), (1,))
    write_boxed(data, "YOLO", tmp_path / "old")

    def stop(*_):
        raise error

    monkeypatch.setattr(boxed_writing, "_transfer", stop)
    for folder in ("new", "old"):
        with pytest.raises((CvtoolError, KeyboardInterrupt)):
            write_boxed(data, "COCO", tmp_path / folder, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert recognise(tmp_path / "old") == "YOLO"


def test_a_picture_that_has_gone_since_is_named(pool, tmp_path):
    gone = example(picture(tmp_path / "gone.jpg"), [[0, 0, 9, 9]], [0])
    gone.path.unlink()
    with pytest.raises(CvtoolError, match=r"gone\.jpg: cannot be read"):
        write_boxed(DetectionDataset(("ant",), (gone,), (1,)), "YOLO", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_classes_that_xml_cannot_tell_apart_are_refused(pool, tmp_path):
    one = example(pool[0], [[0, 0, 9, 9]], [0])
    for classes in (("a b", "a  b"), ("\x01", "b"), (" ", "b")):
        with pytest.raises(CvtoolError, match="class"):
            write_boxed(DetectionDataset(classes, (one,), (1, 2)), "Pascal VOC", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_numbers_of_pictures_are_kept_unless_two_share_one(pool, tmp_path):
    for ids, expected in (((5, 9), [5, 9]), ((5, 5), [1, 2])):
        examples = [
            replace(example(path, [[0, 0, 2, 2]], [0]), picture_id=number)
            for path, number in zip(pool, ids, strict=False)
        ]
        out = tmp_path / f"{ids}"
        write_boxed(DetectionDataset(("ant",), tuple(examples), (1,)), "COCO", out)
        content = json.loads((out / "annotations" / "instances.json").read_text())
        assert [image["id"] for image in content["images"]] == expected
