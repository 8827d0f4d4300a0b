import json
import shutil

import pytest
import skimage.data

from boxed_sets import boxes_of, picture, splits_of, text, voc
from cvtool.datasets.boxed_layouts import read_boxed
from cvtool.detection.detector import Detection, Detector
from cvtool.pictures.writing import write_picture


@pytest.fixture
def source(tmp_path):
    """A set in the layout of YOLO with two classes, two splits and two faults, all in train."""
    folder = tmp_path / "source"
    text(folder / "data.yaml", "names: [ant, bee]", "train: images/train", "val: images/val")
    for name in ("train/a b.jpg", "train/bare.jpg", "val/é.jpg"):
        picture(folder / "images" / name)
        text(folder / "labels" / name.replace("jpg", "txt"))
    text(folder / "labels/train/a b.txt", "1 0.5 0.5 0.5 0.5", "7 0.5 0.5 0.5 0.5", "nonsense")
    text(folder / "labels/val/é.txt", "0 0.25 0.25 0.5 0.5")
    return folder


@pytest.mark.parametrize(
    ("to", "layout"), [("yolo", "YOLO"), ("coco", "COCO"), ("voc", "Pascal VOC")]
)
def test_converts_what_is_right_and_names_what_is_not(run, source, tmp_path, to, layout):
    before = {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    result = run("convert", source, "out", "--to", to)
    assert result.exit_code == 1
    first, second = result.stderr.splitlines()
    assert "a b.txt:2: class 7 is not among" in first and "a b.txt:3: 'nonsense'" in second
    assert f"YOLO to {layout}: 3 pictures (train 2, dev 1), 2 boxes, 2 classes" in result.stdout
    data = read_boxed(tmp_path / "out")
    assert data.layout == layout and data.classes == ("ant", "bee")
    assert splits_of(data) == {"a b.jpg": "train", "bare.jpg": "train", "é.jpg": "dev"}
    assert boxes_of(data)["a b.jpg"] == [("bee", 25, 20, 75, 60)]
    assert {path: path.read_bytes() for path in source.rglob("*") if path.is_file()} == before
    clean = run("convert", "out", "again", "--to", "coco", "--json")
    assert clean.exit_code == 0 and clean.stderr == ""
    assert json.loads(clean.stdout) == {
        "from": layout,
        "to": "COCO",
        "out": "again",
        "classes": ["ant", "bee"],
        "pictures": 3,
        "boxes": 2,
        "splits": {"train": 2, "dev": 1},
        "renamed": 0,
        "crowd_lost": 0,
        "faults": 0,
    }


def test_of_many_faults_the_first_ten_are_named(run, source):
    text(source / "labels" / "train" / "a b.txt", "1 0.5 0.5 0.5 0.5", *["x"] * 14)
    result = run("convert", source, "out", "--to", "voc")
    lines = result.stderr.splitlines()
    assert len(lines) == 11 and "4 more faults" in lines[-1] and "cvtool check" in lines[-1]


def test_says_that_marks_of_groups_are_lost_and_names_changed(run, tmp_path):
    picture(tmp_path / "in" / "1" / "a.jpg")
    picture(tmp_path / "in" / "2" / "a.jpg")
    content = {
        "images": [
            {"id": n, "file_name": f"{n}/a.jpg", "width": 100, "height": 80} for n in (1, 2)
        ],
        "categories": [{"id": 1, "name": "ant"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40], "iscrowd": 1}
        ],
    }
    text(tmp_path / "in" / "boxes.json", json.dumps(content))
    result = run("convert", "in", "out", "--to", "yolo")
    assert result.exit_code == 0
    assert "1 box round groups (crowd) became ordinary" in result.stderr
    assert "1 picture got another name" in result.stderr
    assert run("convert", "in", "same", "--to", "coco", "--no-pictures").exit_code == 0
    assert not (tmp_path / "same" / "images").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["gone", "out", "--to", "yolo"], 1, "gone: no such file or folder"),
        (["empty", "out", "--to", "yolo"], 1, "no data set with boxes"),
        (["source", "source/out", "--to", "voc"], 1, "lies in source, which is read"),
        (["source/data.yaml", "source/images", "--to", "voc"], 1, "is not empty"),
        (["source", "full", "--to", "voc"], 1, "full: is not empty"),
        (["source", "full", "--to", "voc", "--overwrite"], 1, "not what convert wrote"),
        (["source", "out", "--to", "csv"], 2, "'csv' is not one of"),
        (["source", "out"], 2, "--to"),
        (["source", "out", "--to", "voc", "--link", "--no-pictures"], 2, "choose one of"),
    ],
)
def test_refuses_in_one_line_and_writes_nothing(run, source, tmp_path, arguments, code, words):
    (tmp_path / "empty").mkdir()
    text(tmp_path / "full" / "thesis.txt", "precious")
    before = sorted(tmp_path.rglob("*"))
    result = run("convert", *arguments)
    assert result.exit_code == code and words in result.stderr
    assert len(result.stderr.splitlines()) == 1 and result.stdout == ""
    assert sorted(tmp_path.rglob("*")) == before


def test_a_converted_set_is_not_written_over_itself(run, source, tmp_path):
    text(source / "labels" / "train" / "a b.txt")
    run("convert", source, "out", "--to", "yolo")
    result = run("convert", "out/data.yaml", "out", "--to", "coco", "--overwrite")
    assert result.exit_code == 1 and "out: holds out/data.yaml" in result.stderr
    assert read_boxed(tmp_path / "out").layout == "YOLO"
    assert run("convert", source, "out", "--to", "coco", "--overwrite", "--link").exit_code == 0
    assert read_boxed(tmp_path / "out").layout == "COCO"


@pytest.fixture
def cats(tmp_path, monkeypatch):
    """A set in the layout of Pascal VOC with a cat in train, dev and test, all of them found."""
    found = [Detection("cat", 0.9, (40.0, 20.0, 300.0, 260.0))]
    monkeypatch.setattr(Detector, "__call__", lambda *_, **__: found)
    folder = tmp_path / "cats"
    for stem, word in (("a", "train"), ("b", "val"), ("c", "test")):
        write_picture(folder / "JPEGImages" / f"{stem}.png", skimage.data.chelsea())
        voc(folder / "Annotations" / f"{stem}.xml", ("cat", 40, 20, 300, 260), size=(451, 300))
        text(folder / "ImageSets" / "Main" / f"{word}.txt", stem)
    return folder


@pytest.mark.parametrize(("split", "name"), [(None, "test"), ("train", "train"), ("dev", "dev")])
def test_evaluate_takes_any_layout_and_the_split_asked_for(run, cats, split, name):
    for number in range(2):  # a second picture in each split
        write_picture(cats / "JPEGImages" / f"d{number}.png", skimage.data.chelsea()[:, ::-1])
    more = [] if split is None else ["--split", split]
    for dataset in (cats, "as-yolo"):
        result = run("evaluate", "everyday", dataset, "--json", *more)
        assert result.exit_code == 0, result.stderr
        summary = json.loads(result.stdout)
        assert (summary["split"], summary["pictures"]) == (name, 1)
        assert summary["mAP50"] == pytest.approx(1)
        run("convert", cats, "as-yolo", "--to", "yolo", "--overwrite")


def test_evaluate_without_a_test_split_takes_dev(run, cats):
    (cats / "ImageSets" / "Main" / "test.txt").unlink()
    summary = json.loads(run("evaluate", "everyday", cats, "--json").stdout)
    assert (summary["split"], summary["pictures"]) == ("dev", 1)
    result = run("evaluate", "everyday", cats, "--split", "test")
    assert result.exit_code == 1 and "has no split test (its splits: dev, train)" in result.stderr
    for word in ("train", "val"):
        (cats / "ImageSets" / "Main" / f"{word}.txt").unlink()
    result = run("evaluate", "everyday", cats)
    assert result.exit_code == 0 and "3 pictures, " in result.stdout


def test_evaluate_scores_what_is_left_and_ends_with_one(run, cats):
    voc(
        cats / "Annotations" / "c.xml",
        ("cat", 40, 20, 300, 260),
        ("cat", 9, 9, 9, 9),
        size=(451, 300),
    )
    voc(cats / "Annotations" / "a.xml", ("cat", 9, 9, 9, 9), size=(451, 300))
    result = run("evaluate", "everyday", cats, "--json")
    assert result.exit_code == 1 and json.loads(result.stdout)["mAP50"] == pytest.approx(1)
    faults = [line for line in result.stderr.splitlines() if "error" in line]
    assert len(faults) == 1 and "c.xml:5: the box 9, 9, 9, 9 has no area" in faults[0]


def test_evaluate_leaves_out_a_picture_that_cannot_be_decoded(run, cats):
    (cats / "ImageSets").rename(cats / "unused")
    whole = (cats / "JPEGImages" / "b.png").read_bytes()
    (cats / "JPEGImages" / "b.png").write_bytes(whole[: len(whole) // 2])
    result = run("evaluate", "everyday", cats, "--json")
    summary = json.loads(result.stdout)
    assert result.exit_code == 1 and "b.png: the file is" in result.stderr
    assert (summary["pictures"], summary["unreadable"]) == (2, 1)
    assert summary["mAP50"] == pytest.approx(1)


@pytest.mark.parametrize("to", ["coco", "yolo"])
def test_evaluate_needs_no_pictures_of_other_splits(run, cats, tmp_path, to):
    run("convert", cats, "other", "--to", to)
    shutil.rmtree(tmp_path / "other" / "images" / "train")
    result = run("evaluate", "everyday", "other", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["split"] == "test"
    result = run("convert", "other", "again", "--to", "voc")
    assert result.exit_code == 1 and "(dev 1, test 1)" in result.stdout
    assert len(result.stderr.splitlines()) == 1 and "images" in result.stderr


def test_split_is_for_detectors(run, tmp_path):
    result = run("evaluate", "tiny200", tmp_path, "--split", "test")
    assert result.exit_code == 2 and "--split is for detectors" in result.stderr
