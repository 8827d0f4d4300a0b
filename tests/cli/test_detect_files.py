"""What `cvtool detect` writes where, and what it must leave alone."""

import json

import cv2
import numpy as np
import pytest
import skimage.data

from cvtool.pictures.reading import read_picture
from cvtool.pictures.sources import read_pictures
from cvtool.pictures.video import VideoWriter
from cvtool.pictures.writing import write_picture

# Whatever the model knows, it gives two boxes then.
TWO = ("--score", "0", "--max-boxes", "2")


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 10) as writer:
        for _ in range(4):
            writer.write(skimage.data.astronaut()[:96, :128])
    return path


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_folders_sub_folders_are_kept_below_out(run, tmp_path):
    for path in ("a.png", "sub/a.png", "sub/deeper/a b.jpg"):
        write_picture(tmp_path / "set" / path, skimage.data.chelsea()[:90, :120])
    result = run("detect", "set", "--out", "out", "--crops", "crops", "--save-txt", "txt", *TWO)
    assert result.exit_code == 0, result.stderr
    assert names(tmp_path / "out") == ["a.png", "sub/a.png", "sub/deeper/a b.jpg"]
    assert names(tmp_path / "txt") == ["a.txt", "classes.txt", "sub/a.txt", "sub/deeper/a b.txt"]
    assert len(names(tmp_path / "crops")) == 6
    assert "3 pictures, 6 objects" in result.stderr


def test_each_frame_has_its_own_labels_crops_and_coco_image(run, video, tmp_path):
    result = run(
        *("detect", video.name, "--every", 2, "--no-pictures", "--jsonl", *TWO),
        *("--save-txt", "txt", "--crops", "crops", "--save-coco", "boxes.json"),
    )
    assert result.exit_code == 0, result.stderr
    labels = ["classes.txt", "clip-000000.txt", "clip-000002.txt"]
    assert names(tmp_path / "txt") == labels
    stems = {name.rsplit("-", 2)[0] for name in names(tmp_path / "crops")}
    assert stems == {"clip-000000", "clip-000002"}
    coco = json.loads((tmp_path / "boxes.json").read_text())
    assert [(i["frame"], i["time"]) for i in coco["images"]] == [(0, 0.0), (2, 0.2)]
    assert [a["image_id"] for a in coco["annotations"]] == [1, 1, 2, 2]


def test_a_video_is_one_line_of_the_table_and_pictures_have_theirs(run, video, photo):
    result = run("detect", video.name, photo.name, "--out", "out")
    lines = result.stdout.splitlines()
    assert len(lines) == 3 and lines[0].startswith("picture")
    assert lines[1].startswith("clip.mp4") and "4 frames:" in lines[1]
    assert lines[2].startswith("photo.jpg") and lines[2].endswith("-> out/photo.jpg")


def test_json_and_the_files_of_a_video_keep_stdout_pure(run, video):
    result = run("detect", video.name, "--json", "--crops", "crops", "--save-txt", "txt", *TWO)
    records = json.loads(result.stdout)
    assert [r["frame"] for r in records] == [0, 1, 2, 3]
    assert {r["output"] for r in records} == {"detected/clip.mp4"}
    assert len(list(read_pictures(["detected/clip.mp4"]))) == 4


@pytest.mark.parametrize(
    ("options", "path"),
    [
        (("--save-coco", "out/boxes.json"), "out/boxes.json"),
        (("--save-txt", "out"), "out/photo.txt"),
        (("--save-txt", "out"), "out/classes.txt"),
        (("--crops", "out"), "out/photo-1-{label}.jpg"),
        (("--out", "out"), "out/photo.jpg"),
    ],
)
def test_what_is_there_is_replaced_with_overwrite_only(run, photo, tmp_path, options, path):
    found = run("detect", photo.name, "--json", "--no-pictures", *TWO).stdout
    path = tmp_path / path.format(label=json.loads(found)[0]["detections"][0]["label"])
    path.parent.mkdir()
    path.write_text("precious")
    if options[0] != "--out":
        options = (*options, "--no-pictures")
    refused = run("detect", photo.name, *TWO, *options)
    assert refused.exit_code == 1 and path.read_text() == "precious"
    (error,) = [line for line in refused.stderr.splitlines() if "error" in line]
    assert path.name in error and "--overwrite" in error
    assert run("detect", photo.name, *TWO, *options, "--overwrite").exit_code == 0
    assert path.read_bytes() != b"precious"


def test_the_folder_that_is_read_is_not_written(run, photo, tmp_path):
    before = photo.read_bytes()
    for option in ("--out", "--crops"):
        result = run("detect", tmp_path, option, tmp_path, "--overwrite")
        assert result.exit_code == 1 and "holds the input pictures" in result.stderr
    result = run("detect", photo.name, "--save-coco", photo.name, "--overwrite", "--no-pictures")
    assert result.exit_code == 1 and "is an input, never overwritten" in result.stderr
    assert photo.read_bytes() == before


def test_earlier_results_below_the_source_are_not_looked_at_again(run, photo):
    for _ in range(2):
        result = run("detect", ".", "--jsonl", "--overwrite")
        (record,) = [json.loads(line) for line in result.stdout.splitlines()]
        assert record["picture"] == "./photo.jpg"


def test_labels_never_replace_the_class_names(run, photo, tmp_path):
    photo.rename(tmp_path / "classes.jpg")
    result = run("detect", "classes.jpg", "--save-txt", "txt", "--no-pictures", "--overwrite")
    assert result.exit_code == 1 and "rename the input" in result.stderr
    assert (tmp_path / "txt" / "classes.txt").read_text().startswith("aeroplane\n")


def test_pictures_of_kinds_that_are_only_read_come_out_as_others(run, tmp_path):
    from PIL import Image

    Image.fromarray(skimage.data.chelsea()[:64, :64]).save(tmp_path / "cat.gif")
    result = run("detect", "cat.gif", "--json")
    (record,) = json.loads(result.stdout)
    assert result.exit_code == 0 and not record["output"].endswith(".gif")
    assert read_picture(tmp_path / record["output"]).shape == (64, 64, 3)


def test_a_raised_limit_lets_a_large_picture_through(run, photo):
    refused = run("detect", photo.name, "--max-pixels", 512 * 256 - 1, "--no-pictures")
    assert refused.exit_code == 1 and "--max-pixels" in refused.stderr
    assert run("detect", photo.name, "--max-pixels", 512 * 256, "--no-pictures").exit_code == 0


def test_a_looser_iou_keeps_more_boxes(run, photo):
    def count(iou):
        # One class and no limit, for untold boxes of every class would fill any.
        everything = ("--score", 0, "--max-boxes", 10_000, "--classes", "cat")
        result = run("detect", photo.name, "--json", "--no-pictures", *everything, "--iou", iou)
        return len(json.loads(result.stdout)[0]["detections"])

    assert 0 < count(0) < count(0.45) < count(0.9)


def test_show_opens_what_was_written(run, photo, monkeypatch):
    shown = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("typer.launch", shown.append)
    assert run("detect", photo.name, "--show").exit_code == 0
    assert shown == ["detected/photo.jpg"]
    refused = run("detect", photo.name, "--show", "--no-pictures")
    assert refused.exit_code == 2 and len(shown) == 1


def test_show_without_a_display_is_one_line(run, photo, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    result = run("detect", photo.name, "--show")
    assert result.exit_code == 1 and "no display" in result.stderr


def test_one_label_file_a_picture_even_when_nothing_is_found(run, tmp_path):
    write_picture(tmp_path / "blank.png", np.full((64, 64, 3), 128, np.uint8))
    assert run("detect", "blank.png", "--score", 1, "--save-txt", "txt").exit_code == 0
    assert (tmp_path / "txt" / "blank.txt").read_text() == ""


@pytest.fixture
def interrupted(monkeypatch):
    """Ctrl-C while the second picture is looked at."""
    from cvtool.detection.detector import Detector

    look, calls = Detector.__call__, []

    def look_once(self, *arguments, **options):
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return look(self, *arguments, **options)

    monkeypatch.setattr(Detector, "__call__", look_once)


def test_a_video_that_is_stopped_is_not_written_and_that_is_said(run, video, interrupted):
    result = run("detect", video.name)
    assert result.exit_code == 130 and names(video.parent) == ["clip.mp4"]
    assert "  1 frame: " in result.stdout and "->" not in result.stdout
    assert "detected/clip.mp4: not written, for its video did not come to its end" in result.stderr


def test_of_a_webcam_that_is_stopped_what_it_showed_is_kept(run, video, interrupted, monkeypatch):
    monkeypatch.setattr(
        "cvtool.pictures.video._open_webcam", lambda number: cv2.VideoCapture(str(video))
    )
    result = run("detect", "0")
    assert result.exit_code == 130
    assert "detected/webcam-0.mp4: written up to here" in result.stderr
    assert len(list(read_pictures(["detected/webcam-0.mp4"]))) == 1


def test_ctrl_c_closes_the_json_and_ends_with_130(run, photo, interrupted):
    result = run("detect", photo.name, photo.name, "--json", "--no-pictures")
    assert result.exit_code == 130
    assert [r["picture"] for r in json.loads(result.stdout)] == ["photo.jpg"]
