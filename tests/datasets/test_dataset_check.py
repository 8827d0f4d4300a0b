"""The whole check, on data sets made with one mistake each."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from cvtool.datasets.dataset_check import check_dataset
from cvtool.errors import DatasetError

ORIENTATION = 0x0112
BOX = [10, 20, 50, 40]  # x, y, width, height


def draw(path, seed, size=(160, 120), **options):
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise).resize(size, Image.BICUBIC).save(path, **options)
    return path


def coco_content(count=3, **changes):
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 160, "height": 120} for n in range(count)]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": BOX} for n in range(count)]
    return {
        "images": images,
        "annotations": boxes,
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    } | changes


@pytest.fixture
def coco(tmp_path):
    """Write a COCO set with pictures 0.jpg, 1.jpg, 2.jpg; gives the JSON file."""
    for number in range(3):
        draw(tmp_path / "set/images" / f"{number}.jpg", number)

    def write(content=None):
        path = tmp_path / "set/boxes.json"
        path.write_text(json.dumps(content or coco_content(), indent=1))
        return path

    return write


@pytest.fixture
def yolo(tmp_path):
    """A YOLO set of two splits, each with two pictures of one cat."""
    folder = tmp_path / "yolo"
    for number in range(4):
        split = ("train", "val")[number // 2]
        draw(folder / "images" / split / f"{number}.jpg", number)
        label = folder / "labels" / split / f"{number}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text("0 0.5 0.5 0.4 0.4\n")
    (folder / "data.yaml").write_text(
        "path: .\ntrain: images/train\nval: images/val\nnames: [cat, dog]\n"
    )
    return folder


def kinds(findings):
    return [finding.kind for finding in findings]


def fingerprint(folder):
    return {
        str(path): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_sound_set_has_no_faults(coco, tmp_path):
    path = coco()
    before = fingerprint(tmp_path)
    result = check_dataset(path)
    assert (result.task, result.layout, result.faults) == ("detect", "COCO", ())
    assert result.classes == ("cat", "dog")
    assert result.boxes.counts["cat"] == result.class_pictures["cat"]
    assert sum(result.boxes.counts["cat"].values()) == 3
    assert fingerprint(tmp_path) == before


@pytest.mark.parametrize(
    "bbox, category, kind, counted",
    [
        ([150, 20, 50, 40], 1, "outside", 3),  # cut at the edge, not dropped
        ([200, 20, 50, 40], 1, "outside", 2),
        ([10, 20, 0, 40], 1, "no area", 2),
        ([10, 20, 50, 40], 9, "unknown class", 2),
        ([10, 20, "x", 40], 1, "unreadable label", 2),
    ],
)
def test_faults_of_boxes_name_the_picture_and_the_rest_is_read(coco, bbox, category, kind, counted):
    content = coco_content()
    content["annotations"][1] |= {"bbox": bbox, "category_id": category}
    path = coco(content)
    result = check_dataset(path)
    assert kinds(result.faults) == [kind]
    (fault,) = result.faults
    assert fault.picture.name == "1.jpg" and fault.file == path
    assert sum(result.boxes.counts["cat"].values()) == counted
    # That the picture has no box left is told already.
    assert "empty" not in kinds(result.remarks)
    assert kind in result.remedies


def test_a_box_that_is_listed_twice(coco):
    content = coco_content()
    content["annotations"].append(content["annotations"][1] | {"id": 77})
    assert kinds(check_dataset(coco(content)).faults) == ["twice"]


def test_faults_of_pictures(coco, tmp_path):
    pictures = tmp_path / "set/images"
    (pictures / "0.jpg").unlink()
    cut = (pictures / "1.jpg").read_bytes()
    (pictures / "1.jpg").write_bytes(cut[: len(cut) // 2])
    draw(pictures / "2.jpg", 2, (200, 100))
    result = check_dataset(coco())
    found = {fault.kind: (fault.picture or fault.file).name for fault in result.faults}
    assert found == {
        "missing picture": "0.jpg",
        "unreadable picture": "1.jpg",
        "wrong size": "2.jpg",
    }
    assert len(result.faults) == 3
    assert result.splits == {} and result.boxes.counts == {"cat": {}, "dog": {}}
    (size,) = (fault for fault in result.faults if fault.kind == "wrong size")
    assert "200 x 100" in size.message and "160 x 120" in size.message


def test_a_picture_that_its_exif_data_turns(coco, tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    draw(tmp_path / "set/images/1.jpg", 1, (160, 120), exif=exif)
    (fault,) = check_dataset(coco()).faults
    assert fault.kind == "wrong size" and "120 x 160" in fault.message


def test_lines_of_text_labels_are_named(yolo):
    label = yolo / "labels/train/1.txt"
    label.write_text("0 0.5 0.5 0.4 0.4\n5 0.2 0.2 0.1 0.1\n0 0.3 oops 0.2 0.2\n")
    result = check_dataset(yolo)
    places = {(fault.kind, fault.file.name, fault.line) for fault in result.faults}
    assert places == {("unknown class", "1.txt", 2), ("unreadable label", "1.txt", 3)}
    assert all(str(fault).startswith(f"{label}:{fault.line}: ") for fault in result.faults)
    assert result.splits == {"train": 2, "dev": 2}
    assert result.boxes.counts["cat"] == {"train": 2, "dev": 2}


def test_the_same_picture_in_two_splits(yolo):
    with Image.open(yolo / "images/train/0.jpg") as image:
        image.resize((80, 60)).save(yolo / "images/val/2.jpg")
    result = check_dataset(yolo)
    assert result.faults == ()
    assert result.remarks[0].kind == "across splits"
    assert {path.name for path in result.remarks[0].pictures} == {"0.jpg", "2.jpg"}


def test_remarks_on_boxes(yolo):
    rows = "0 0.5 0.5 0.4 0.4\n0 0.5 0.5 0.41 0.4\n0 0.5 0.5 1 1\n0 0.1 0.1 0.01 0.01\n"
    (yolo / "labels/train/0.txt").write_text(rows)
    (yolo / "labels/val/2.txt").write_text("")
    found = kinds(check_dataset(yolo).remarks)
    assert found == ["untrained", "rare", "double", "tiny", "whole picture", "empty"]


def test_json_form_of_boxes(yolo):
    (yolo / "labels/train/1.txt").write_text("7 0.5 0.5 0.4 0.4\n")
    result = check_dataset(yolo)
    content = json.loads(json.dumps(result.to_dict()))
    assert content["pictures"] == {"train": 2, "dev": 2}
    assert content["classes"]["cat"] == {
        "pictures": {"train": 1, "dev": 2},
        "boxes": {"train": 1, "dev": 2},
    }
    assert content["sizes"] == {"small": 0.0, "medium": 0.0, "large": 1.0}
    (fault,) = content["faults"]
    assert fault["kind"] == "unknown class" and fault["line"] == 1
    assert fault["file"] == str(result.faults[0].file)
    assert fault["picture"] == str(yolo / "images/train/1.jpg")
    assert len(content["remarks"]) == len(result.remarks) > 0
    assert set(content["remedies"]) == {f["kind"] for f in content["faults"] + content["remarks"]}


@pytest.fixture
def folders(tmp_path):
    """Two classes of twelve pictures each, without splits."""
    for number in range(24):
        draw(tmp_path / "pets" / ("cat", "dog")[number % 2] / f"{number}.jpg", number)
    return tmp_path / "pets"


def test_class_folders(folders):
    result = check_dataset(folders)
    assert (result.task, result.layout, result.boxes) == ("classify", "class folders", None)
    assert result.faults == result.remarks == ()
    assert result.to_dict()["classes"] == {
        "cat": {"pictures": {"unsplit": 12}},
        "dog": {"pictures": {"unsplit": 12}},
    }
    assert "sizes" not in result.to_dict()


def test_what_is_wrong_in_class_folders(folders):
    (folders / "cat/0.jpg").write_bytes(b"no picture")
    draw(folders / "dog/2.jpg", 2)  # is also cat/2.jpg
    draw(folders / "dog/odd.jpg", 50, (900, 100))
    for number in (4, 6, 8):
        (folders / "cat" / f"{number}.jpg").unlink()
    result = check_dataset(folders)
    assert [(f.kind, f.file) for f in result.faults] == [
        ("unreadable picture", folders / "cat/0.jpg")
    ]
    assert result.class_pictures == {"cat": {"unsplit": 8}, "dog": {"unsplit": 14}}
    assert [(r.kind, r.message) for r in result.remarks] == [
        ("two classes", "cat/2.jpg (cat) = dog/2.jpg (dog)"),
        ("rare", "cat: 8 pictures"),
        ("duplicate", "cat/2.jpg = dog/2.jpg"),
        ("odd", "900 x 100 px: sides 9.0 to 1"),
    ]


def test_a_table_of_several_labels(tmp_path):
    for number in range(2):
        draw(tmp_path / f"{number}.jpg", number)
    table = tmp_path / "labels.csv"
    table.write_text("file,split,sunny,windy\n0.jpg,train,1,\n1.jpg,val,1,0\n")
    result = check_dataset(table)
    assert result.layout == "CSV"
    assert result.class_pictures == {
        "sunny": {"train": 1, "dev": 1},
        "windy": {"train": 0, "dev": 0},
    }
    assert kinds(result.remarks) == ["untrained", "rare"]


def test_progress_has_a_step_for_each_picture(folders):
    from contextlib import contextmanager

    steps = []

    @contextmanager
    def progress(description, total):
        yield lambda: steps.append((description, total))

    check_dataset(folders, progress=progress)
    assert steps == [("checking pictures", 24)] * 24


def test_what_is_no_data_set(tmp_path):
    with pytest.raises(DatasetError, match="absent: no such file or folder; check the path"):
        check_dataset(tmp_path / "absent")
    with pytest.raises(DatasetError, match="no picture in this folder"):
        check_dataset(tmp_path)
    (tmp_path / "boxes.json").write_text("{}")
    with pytest.raises(DatasetError, match=r"boxes.json: .*images"):
        check_dataset(tmp_path / "boxes.json")
