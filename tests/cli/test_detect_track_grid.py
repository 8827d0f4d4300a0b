"""`cvtool detect --track` and `--grid`: ids of objects, and pictures of what the network thinks."""

import json
import re
import shutil

import numpy as np
import pytest

from cvtool.detection.detector import Detector
from cvtool.models.presets import pretrained_folder
from cvtool.pictures.drawing import class_colour
from cvtool.pictures.reading import read_picture
from cvtool.pictures.sources import read_pictures
from cvtool.pictures.video import VideoWriter
from cvtool.pictures.writing import write_picture
from red_finder import PRESET, RedFinder, picture


@pytest.fixture
def ideal(monkeypatch):
    """Every red rectangle is a dog, whatever the model."""
    monkeypatch.setattr(
        Detector, "load", classmethod(lambda cls, *_, **__: cls(PRESET, RedFinder()))
    )


def write_video(path, *, frames=12, missing=(), blink=None):
    """Two rectangles that pass each other, none in `missing`; in frame `blink` a third."""
    with VideoWriter(path, 10) as writer:
        for t in range(frames):
            boxes = [(60 + 10 * t, 30, 110 + 10 * t, 90), (210 - 10 * t, 130, 260 - 10 * t, 190)]
            boxes = [] if t in missing else boxes
            if t == blink:
                boxes.append((10, 200, 60, 238))
            writer.write(picture(240, 320, *boxes))
    return path


def parse_lines(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("every", [1, 2])
def test_objects_keep_their_ids_in_json_coco_and_picture(run, tmp_path, ideal, every):
    write_video(tmp_path / "clip.mp4", missing=(4, 5))
    result = run(
        *("detect", "clip.mp4", "--track", "--every", every, "--jsonl", "--save-coco", "c.json"),
        *("--save-txt", "txt"),
    )
    assert result.exit_code == 0, result.stderr
    records = parse_lines(result.stdout)
    for record in records:
        found = record["detections"]
        assert len(found) == (0 if record["frame"] in (4, 5) else 2)
        assert all(list(d) == ["label", "score", "box", "id"] for d in found)
        tops = {d["id"]: round(d["box"][1], -1) for d in found}
        if record["frame"] == 0:
            first = tops
        assert tops in ({}, first) and sorted(first) == [1, 2]
    annotations = json.loads((tmp_path / "c.json").read_text())["annotations"]
    in_json = [d["id"] for record in records for d in record["detections"]]
    assert [a["track_id"] for a in annotations] == in_json
    # A colour an object, and label files as they always are.
    (drawn, *_) = read_pictures([tmp_path / "detected" / "clip.mp4"])
    for number in (1, 2):
        near = np.abs(drawn.pixels.astype(int) - class_colour(f"dog {number}")).sum(-1) < 60
        assert near.sum() > 50
    assert len((tmp_path / "txt" / "clip-000000.txt").read_text().splitlines()[0].split()) == 5


def test_without_track_nothing_has_an_id(run, tmp_path, ideal):
    write_video(tmp_path / "clip.mp4", frames=2)
    result = run("detect", "clip.mp4", "--jsonl", "--save-coco", "c.json")
    found = [d for record in parse_lines(result.stdout) for d in record["detections"]]
    assert len(found) == 4 and not any("id" in d for d in found)
    assert "track_id" not in (tmp_path / "c.json").read_text()


def test_a_videos_line_counts_different_objects(run, tmp_path, ideal):
    write_video(tmp_path / "clip.mp4", blink=6)
    write_video(tmp_path / "empty.mp4", missing=range(12))
    result = run("detect", "clip.mp4", "empty.mp4", "--track", "--no-pictures")
    lines = result.stdout.splitlines()
    assert "12 frames: 2 dog, 1 seen once" in lines[1]
    assert "12 frames: nothing" in lines[2]
    assert "dog in 12" in run("detect", "clip.mp4", "--no-pictures").stdout


def test_ids_begin_again_in_every_video_and_pictures_have_none(run, tmp_path, ideal):
    write_video(tmp_path / "a.mp4", frames=3)
    write_picture(tmp_path / "b.png", picture(100, 100, (20, 20, 60, 70)))
    result = run("detect", "a.mp4", "a.mp4", "b.png", "a.mp4", "--track", "--jsonl")
    assert result.exit_code == 0, result.stderr
    *frames, _ = ids = [
        sorted(d.get("id", 0) for d in record["detections"])
        for record in parse_lines(result.stdout)
    ]
    assert ids == [[1, 2]] * 6 + [[0]] + [[1, 2]] * 3


def test_a_single_frame_is_a_table_with_numbers(run, tmp_path, ideal):
    write_video(tmp_path / "clip.mp4", frames=1)
    table = run("detect", "clip.mp4", "--track", "--no-pictures").stdout
    assert sorted(re.findall(r"^ (dog \d) ", table, re.MULTILINE)) == ["dog 1", "dog 2"]


def test_score_and_classes_and_max_boxes_hold_for_tracked_objects(run, tmp_path):
    """With a real network, which answers with scores of all kinds."""
    import skimage.data

    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        for t in range(4):
            writer.write(skimage.data.astronaut()[:256, 8 * t : 8 * t + 256])
    options = ("clip.mp4", "--no-pictures", "--jsonl", "--score", "0.1", "--classes", "person,dog")
    for more in ((), ("--max-boxes", 1)):
        plain, tracked = (
            [r["detections"] for r in parse_lines(run("detect", *options, *more, *track).stdout)]
            for track in ((), ("--track",))
        )
        assert sum(map(len, plain)) > 2
        for before, after in zip(plain, tracked, strict=True):
            assert [d["box"] for d in before] == [d["box"] for d in after]
            assert [d["score"] for d in before] == [d["score"] for d in after]
            assert {d["label"] for d in after} <= {"person", "dog"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["photo.jpg", "--track"], 2, "the sources are pictures only"),
        ([".", "--track"], 2, "the sources are pictures only"),
        (["-", "--track"], 2, "the sources are pictures only"),
        (["http://127.0.0.1:9/a.JPG?x=1", "--track"], 2, "the sources are pictures only"),
        (["http://127.0.0.1:9/a", "--track"], 1, "cannot be fetched"),
        (["gone.mp4", "--track"], 1, "gone.mp4: no such file"),
        (["77", "--track"], 1, "77: no webcam"),
        (["photo.jpg", "--grid", "--no-pictures"], 2, "leave out --no-pictures"),
    ],
)
def test_bad_input_is_one_line(run, photo, arguments, code, words):
    result = run("detect", *arguments)
    assert result.exit_code == code and words in result.stderr
    assert result.stderr.count("cvtool: error:") == 1


def test_a_grid_lies_beside_the_annotated_picture_and_is_named(run, photo, tmp_path):
    for name in ("photo", "photo-2"):
        result = run("detect", "photo.jpg", "--grid")
        assert result.exit_code == 0, result.stderr
        assert f"grid: detected/{name}-grid.jpg" in result.stdout
    result = run("detect", "photo.jpg", "--grid", "--json", "--out", "out")
    (record,) = json.loads(result.stdout)
    assert record["output"] == "out/photo.jpg" and record["grid"] == "out/photo-grid.jpg"
    height, width, _ = read_picture(tmp_path / "out" / "photo-grid.jpg").shape
    assert width > 2 * 640 and height > 2 * 320
    assert "grid" not in json.loads(run("detect", "photo.jpg", "--json").stdout)[0]


def test_grids_of_a_folder_and_of_a_videos_frames(run, tmp_path, ideal):
    write_video(tmp_path / "clip.mp4", frames=3)
    for name in ("set/a.png", "set/sub/b.jpg"):
        write_picture(tmp_path / name, picture(60, 80, (20, 20, 40, 40)))
    result = run("detect", "set", "clip.mp4", "--every", 2, "--grid", "--out", "out")
    assert result.exit_code == 0, result.stderr
    assert "-> out/a.png, out/a-grid.png" in result.stdout
    written = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*")}
    assert written == {
        *("a.png", "a-grid.png", "sub/b.jpg", "sub/b-grid.jpg"),
        *("clip.mp4", "clip-000000-grid.jpg", "clip-000002-grid.jpg"),
    }


def test_a_grid_replaces_no_result_of_the_same_run(run, tmp_path, ideal):
    for name in ("a.png", "a-grid.png"):
        write_picture(tmp_path / "set" / name, picture(60, 80, (20, 20, 40, 40)))
    result = run("detect", "set", "--grid", "--out", "out", "--overwrite")
    assert result.exit_code == 1 and "a-grid.png: just written for another" in result.stderr
    # Without --out there is a free name for everything.
    assert run("detect", "set", "--grid").exit_code == 0
    names = {p.name for p in (tmp_path / "detected").iterdir()}
    assert names == {"a.png", "a-grid.png", "a-grid-2.png", "a-grid-grid.png"}


def test_a_grid_that_is_there_is_replaced_with_overwrite_only(run, photo, tmp_path):
    old = tmp_path / "out" / "photo-grid.jpg"
    old.parent.mkdir()
    old.write_text("precious")
    result = run("detect", "photo.jpg", "--grid", "--out", "out")
    assert result.exit_code == 1 and "photo-grid.jpg: already exists" in result.stderr
    assert old.read_text() == "precious" and (tmp_path / "out" / "photo.jpg").exists()
    assert run("detect", "photo.jpg", "--grid", "--out", "out", "--overwrite").exit_code == 0
    assert read_picture(old).shape[1] > 640


def test_the_models_own_score_is_the_default(run, photo, tmp_path):
    entry = json.loads((pretrained_folder() / "presets.json").read_text())["everyday"]
    shutil.copy(pretrained_folder() / entry["files"]["litert"]["file"], tmp_path)
    entry["files"] = {"litert": entry["files"]["litert"]}

    def found(own, *more):
        score = {} if own is None else {"score": own}
        (tmp_path / "model.json").write_text(json.dumps(entry | {"name": "mine"} | score))
        command = ("detect", photo, "--model", ".", "--device", "cpu", "--json", "--no-pictures")
        (record,) = json.loads(run(*command, *more).stdout)
        return len(record["detections"])

    assert found(0.05) == found(None, "--score", 0.05) == found(0.9, "--score", 0.05)
    assert found(0.05) > found(None) == found(0.05, "--score", 0.25)
    assert found(1) == 0


def test_the_help_says_which_score_holds(run):
    words = re.findall(r"[\w.']+", run("detect", "--help").stdout)
    assert "default the model's own or 0.25" in " ".join(words)
