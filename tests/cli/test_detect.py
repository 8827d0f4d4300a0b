"""`cvtool detect`: what it prints, what it writes, what it refuses."""

import json

import numpy as np
import pytest
import skimage.data

from cvtool.pictures.reading import read_picture
from cvtool.pictures.sources import read_pictures
from cvtool.pictures.video import VideoWriter
from cvtool.pictures.writing import write_picture

# Whatever the model knows, it gives three boxes then.
THREE = ("--score", "0", "--max-boxes", "3")


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 10) as writer:
        for step in range(7):
            writer.write(np.roll(skimage.data.astronaut()[:200, :300], 9 * step, axis=1))
    return path


def test_one_picture_gives_a_table_and_the_annotated_picture(run, photo, tmp_path):
    result = run("detect", photo.name, *THREE)
    assert result.exit_code == 0 and result.stderr == ""
    assert "photo.jpg: 512 x 256 pixels" in result.stdout and "3 objects" in result.stdout
    assert "annotated picture: detected/photo.jpg" in result.stdout
    drawn = read_picture(tmp_path / "detected" / "photo.jpg")
    assert drawn.shape == (256, 512, 3) and (drawn != read_picture(photo)).any()


def test_json_is_one_array_with_the_documented_keys(run, photo):
    result = run("detect", photo.name, "--json", *THREE)
    (record,) = json.loads(result.stdout)
    assert list(record) == [
        *["picture", "width", "height", "model", "engine", "seconds", "detections", "output"]
    ]
    assert (record["picture"], record["width"], record["height"]) == ("photo.jpg", 512, 256)
    assert (record["model"], record["engine"]) == ("everyday", "litert")
    assert record["output"] == "detected/photo.jpg"
    assert len(record["detections"]) == 3
    for found in record["detections"]:
        assert set(found) == {"label", "score", "box"} and 0 <= found["score"] <= 1
        x1, y1, x2, y2 = found["box"]
        assert 0 <= x1 < x2 <= 512 and 0 <= y1 < y2 <= 256


def test_stdout_holds_json_alone_even_when_pictures_fail(run, photo, tmp_path):
    (tmp_path / "broken.jpg").write_text("no picture")
    for option, parse in (("--json", json.loads), ("--jsonl", parse_lines)):
        result = run("detect", "broken.jpg", photo.name, "--no-pictures", option)
        assert result.exit_code == 1
        assert [r["picture"] for r in parse(result.stdout)] == ["photo.jpg"]
        assert result.stderr.count("\n") == 1 and "broken.jpg" in result.stderr


def parse_lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_a_batch_does_the_good_pictures_and_lists_the_bad_ones_at_the_end(run, photo, tmp_path):
    folder = tmp_path / "some photos"
    write_picture(folder / "ä b.png", skimage.data.chelsea())
    (folder / "empty.jpg").touch()
    data = photo.read_bytes()
    (folder / "cut off.jpg").write_bytes(data[: len(data) // 2])
    result = run("detect", folder, photo, "gone.jpg", "--out", "out")
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if "error" in line]
    assert len(errors) == 3
    for name, line in zip(("cut off.jpg", "empty.jpg", "gone.jpg"), errors, strict=True):
        assert line.startswith("cvtool: error: ") and name in line
    written = sorted(p.name for p in (tmp_path / "out").rglob("*.*"))
    assert written == ["photo.jpg", "ä b.png"]


def test_a_picture_on_stdin(run, photo):
    result = run("detect", "-", "--jsonl", "--no-pictures", stdin=photo.read_bytes())
    assert result.exit_code == 0
    assert json.loads(result.stdout)["picture"] == "stdin"


def test_a_video_gives_one_record_a_frame_and_an_annotated_video(run, video, tmp_path):
    result = run("detect", video.name, "--every", 3, "--jsonl", "--out", "out", *THREE)
    assert result.exit_code == 0, result.stderr
    records = parse_lines(result.stdout)
    assert [r["frame"] for r in records] == [0, 3, 6]
    assert [r["time"] for r in records] == pytest.approx([0, 0.3, 0.6], abs=0.02)
    frames = list(read_pictures([tmp_path / "out" / "clip.mp4"]))
    assert len(frames) == 3 and frames[0].pixels.shape == (200, 300, 3)


def test_crops_labels_and_coco_hold_the_same_boxes(run, photo, tmp_path):
    result = run(
        *("detect", photo.name, "--json", "--no-pictures", *THREE),
        *("--crops", "crops", "--save-txt", "labels", "--save-coco", "boxes.json"),
    )
    (record,) = json.loads(result.stdout)
    assert record["output"] is None and not (tmp_path / "detected").exists()
    assert len(list((tmp_path / "crops").iterdir())) == 3
    names = (tmp_path / "labels" / "classes.txt").read_text().split()
    lines = (tmp_path / "labels" / "photo.txt").read_text().splitlines()
    coco = json.loads((tmp_path / "boxes.json").read_text())
    assert coco["images"][0]["file_name"] == "photo.jpg"
    categories = {c["id"]: c["name"] for c in coco["categories"]}
    pairs = zip(record["detections"], lines, coco["annotations"], strict=True)
    for number, (found, line, annotation) in enumerate(pairs, 1):
        x1, y1, x2, y2 = found["box"]
        class_id, *shares = line.split()
        assert names[int(class_id)] == found["label"] == categories[annotation["category_id"]]
        expected = [(x1 + x2) / 1024, (y1 + y2) / 512, (x2 - x1) / 512, (y2 - y1) / 256]
        assert [float(s) for s in shares] == pytest.approx(expected, abs=1e-3)
        assert annotation["bbox"] == pytest.approx([x1, y1, x2 - x1, y2 - y1], abs=0.2)
        assert annotation["score"] == pytest.approx(found["score"], abs=1e-3)
        crop = read_picture(tmp_path / "crops" / f"photo-{number}-{found['label']}.jpg")
        assert crop.shape[:2] == pytest.approx((y2 - y1, x2 - x1), abs=2)


def test_an_output_that_is_there_is_kept_without_overwrite(run, photo, tmp_path):
    (tmp_path / "out").mkdir()
    old = tmp_path / "out" / "photo.jpg"
    old.write_text("precious")
    result = run("detect", photo.name, "--out", "out")
    assert result.exit_code == 1 and "--overwrite" in result.stderr
    assert "photo.jpg: 512 x 256" in result.stdout  # what was found is not lost
    assert old.read_text() == "precious"
    assert run("detect", photo.name, "--out", "out", "--overwrite").exit_code == 0
    assert read_picture(old).shape == (256, 512, 3)


def test_the_same_command_twice_writes_beside_the_first_result(run, photo, video, tmp_path):
    for _ in range(2):
        assert run("detect", photo.name, video.name).exit_code == 0
    names = sorted(p.name for p in (tmp_path / "detected").iterdir())
    assert names == ["clip-2.mp4", "clip.mp4", "photo-2.jpg", "photo.jpg"]


def test_the_input_is_never_overwritten(run, photo):
    before = photo.read_bytes()
    for more in ([], ["--overwrite"]):
        result = run("detect", photo, "--out", photo.parent, *more)
        assert result.exit_code == 1 and "photo.jpg" in result.stderr
        assert photo.read_bytes() == before


def test_classes_are_filtered_by_name(run, photo):
    result = run("detect", photo.name, "--json", "--no-pictures", *THREE, "--classes", "Dog, cow")
    assert {d["label"] for d in json.loads(result.stdout)[0]["detections"]} <= {"dog", "cow"}


def test_tiles_and_sizes_run(run, photo):
    for more in (["--tile", 128], ["--size", 224]):
        result = run("detect", photo.name, "--json", "--no-pictures", *THREE, *more)
        assert len(json.loads(result.stdout)[0]["detections"]) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ["photo.jpg", "--model", "everydya"],
            1,
            'unknown model "everydya"; did you mean everyday',
        ),
        (["photo.jpg", "--model", "."], 1, "no model.json"),
        (["photo.jpg", "--model", "photo.jpg"], 1, "photo.jpg: is a file; give the model's folder"),
        (["photo.jpg", "--classes", "dgo"], 2, "did you mean dog"),
        (["photo.jpg", "--device", "gpu"], 1, "no GPU"),
        (["photo.jpg", "--score", "1.5"], 2, "--score"),
        (["photo.jpg", "--score", "-0.1"], 2, "--score"),
        (["photo.jpg", "--iou", "x"], 2, "--iou"),
        (["photo.jpg", "--size", "100"], 2, "multiple of 32; try 96"),
        (["photo.jpg", "--json", "--jsonl"], 2, "choose one"),
        (["photo.jpg", "--jsno"], 2, "--jsno"),
        ([], 2, "SOURCES"),
        (["nothing.jpg"], 1, "nothing.jpg: no such file"),
        (["empty"], 1, "empty: no picture or video in this folder"),
        (["http://127.0.0.1:9/a.jpg"], 1, "http://127.0.0.1:9/a.jpg: cannot be fetched"),
        (["77"], 1, "77: no webcam"),
        (["bad.mp4"], 1, "bad.mp4: damaged, or not a video"),
        (["bomb.png"], 1, "--max-pixels"),
        (["photo.jpg", "--out", "photo.jpg/out"], 1, "cannot be written"),
    ],
)
def test_bad_input_is_one_line_that_says_what_and_what_to_do(
    run, photo, tmp_path, monkeypatch, arguments, code, words
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.mp4").write_bytes(bytes(5000))
    # One bit a pixel, so it is a small file of 144 megapixels.
    from PIL import Image

    Image.new("1", (12_000, 12_000)).save(tmp_path / "bomb.png")
    result = run("detect", *arguments)
    assert result.exit_code == code
    errors = [line for line in result.stderr.splitlines() if line.startswith("cvtool: error:")]
    assert len(errors) == 1 and words in errors[0]


def test_a_one_pixel_picture_is_no_error(run, tmp_path):
    write_picture(tmp_path / "dot.png", np.zeros((1, 1, 3), np.uint8))
    assert run("detect", "dot.png").exit_code == 0
    assert read_picture(tmp_path / "detected" / "dot.png").shape == (1, 1, 3)


def test_a_damaged_model_is_named(run, photo, tmp_path):
    description = {
        "name": "mine",
        "task": "detect",
        "description": "",
        "size": 96,
        "classes": ["a"],
        "files": {"litert": {"file": "mine.tflite", "sha256": "0" * 64, "bytes": 4}},
        "anchors": [[[1, 2]] * 3] * 3,
        "strides": [8, 16, 32],
    }
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model.json").write_text(json.dumps(description))
    for content, words in ((None, "missing"), (b"abcd", "sha256"), (b"abc", "damaged")):
        if content is not None:
            (tmp_path / "mine" / "mine.tflite").write_bytes(content)
        result = run("detect", photo.name, "--model", "mine")
        assert result.exit_code == 1 and "mine.tflite" in result.stderr and words in result.stderr
