"""`cvtool verify` on a face that MTCNN finds, with an untrained network."""

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from cvtool.errors import OutputError
from cvtool.pictures.reading import read_picture
from cvtool.pictures.writing import write_picture
from tiny_facenet import CALIBRATION, portrait, save_tiny, tiny_model


@pytest.fixture
def verify(run, tmp_path):
    """Run the command on a.png (a face), b.png (its colours turned) and others beside them."""
    write_picture(tmp_path / "a.png", portrait())
    write_picture(tmp_path / "b.png", portrait(hue=90))
    write_picture(tmp_path / "same.png", portrait())
    write_picture(tmp_path / "none.png", np.full((90, 120, 3), 120, np.uint8))
    canvas = np.zeros((300, 520, 3), np.uint8)
    canvas[:, :300] = portrait()
    canvas[50:250, 310:510] = portrait(hue=90, side=200)
    write_picture(tmp_path / "two.png", canvas)

    def verify(*arguments, stdin=None):
        arguments = ["verify", *arguments]
        if "--model" not in arguments:
            arguments += ["--model", tiny_model()]
        return run(*arguments, "--device", "cpu", stdin=stdin)

    return verify


def record(result):
    assert result.exit_code in (0, 1), result.stderr
    return json.loads(result.stdout)


def test_the_same_picture_is_the_same_person_at_distance_0(verify, tmp_path):
    result = verify("a.png", "same.png")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[0] == "the same person"
    assert "distance    0.000 (very likely the same person)" in result.stdout
    assert "takes 1.0% of pairs of two people for one" in result.stdout
    assert "10 drawn pairs" in result.stdout
    assert read_picture(tmp_path / "verified.png").shape == (260, 456, 3)
    assert verify("a.png", "a.png", "--no-picture").exit_code == 0


def test_two_people_exit_with_1(verify, tmp_path):
    result = verify("a.png", "b.png", "--threshold", "0")
    assert result.exit_code == 1 and result.stdout.startswith("two people\n")
    assert "threshold   0.000, as given" in result.stdout
    # Green for the same, red for others.
    verify("a.png", "a.png")
    colours = [read_picture(tmp_path / f"{n}.png")[-3, 3] for n in ("verified", "verified-2")]
    assert colours[0][0] > 150 > colours[0][1] and colours[1][1] > 100 > colours[1][0]


def test_json_tells_all(verify):
    found = record(verify("a.png", "b.png", "--json", "--no-picture"))
    assert list(found) == [
        *("a", "b", "same", "distance", "threshold", "far", "tar", "threshold_from"),
        *("similarity", "faces", "face_numbers", "pairs", "model", "engine", "time_ms", "output"),
    ]
    assert (found["a"], found["b"], found["output"]) == ("a.png", "b.png", None)
    assert found["threshold"] == 0.2 and found["far"] == 0.01
    assert found["same"] is (found["distance"] <= 0.2) and found["engine"] == "litert"
    assert len(found["faces"]) == 2 and len(found["faces"][0]["landmarks"]) == 5


def test_the_threshold_can_be_chosen_by_false_accepts(verify):
    strict = record(verify("a.png", "b.png", "--json", "--no-picture", "--far", "0"))
    loose = record(verify("a.png", "b.png", "--json", "--no-picture", "--far", "0.1"))
    assert strict["threshold"] == 0.05 and loose["threshold"] == 0.3


def test_of_several_faces_the_largest_is_taken_aloud(verify):
    result = verify("a.png", "two.png", "--json")
    assert record(result)["face_numbers"] == [1, 1] and result.exit_code == 0
    assert "two.png: 2 faces; took the largest, at " in result.stderr
    assert "--face N" in result.stderr
    second = verify("a.png", "two.png", "--json", "--face", "1,2")
    assert record(second)["face_numbers"] == [1, 2] and "took" not in second.stderr
    assert record(second)["distance"] > record(result)["distance"]
    every = verify("two.png", "b.png", "--json", "--all")
    assert record(every)["face_numbers"] == [2, 1] and len(record(every)["pairs"]) == 2
    distances = [pair["distance"] for pair in record(every)["pairs"]]
    assert distances == sorted(distances)
    assert (
        "nearest of 2 pairs: face 2 of A and 1 of B" in verify("two.png", "b.png", "--all").stdout
    )


def test_sideways_grey_and_small_pictures_work(verify, tmp_path):
    write_picture(tmp_path / "side.png", np.ascontiguousarray(np.rot90(portrait())))
    grey = cv2.cvtColor(portrait(), cv2.COLOR_RGB2GRAY)
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    write_picture(tmp_path / "small.png", portrait(side=64))
    assert record(verify("a.png", "side.png", "--json", "--no-picture"))["distance"] < 0.2
    assert verify("grey.png", "grey.png", "--no-picture").exit_code == 0
    small = verify("small.png", "small.png", "--no-picture")
    assert small.exit_code == 0
    assert "small.png: the face is " in small.stderr and "answers are vague" in small.stderr


def test_a_picture_can_come_through_a_pipe(verify, tmp_path):
    result = verify("-", "a.png", "--json", stdin=(tmp_path / "a.png").read_bytes())
    assert record(result)["a"] == "stdin" and record(result)["distance"] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.png", "none.png"], "none.png: no face found"),
        (["gone.png", "a.png"], "gone.png"),
        (["a.png", "."], ".: holds more than one picture"),
        (["a.png", "two.png", "--face", "1,3"], "two.png: has 2 faces, so there is no --face 3"),
        (["a.png", "b.png", "--face", "0"], '--face "0"'),
        (["a.png", "b.png", "--face", "1", "--all"], "choose one of --face and --all"),
        (["a.png", "b.png", "--far", "0.1", "--threshold", "1"], "choose one of"),
        (["a.png", "b.png", "--out", "x.png", "--no-picture"], "choose one of"),
        (["a.png", "b.png", "--model", "everyday"], "is for detect, not for verify"),
        (["a.png", "b.png", "--out", "a.png", "--overwrite"], "a.png: is the input itself"),
        (["a.png", "b.png", "--out", "same.png"], "same.png: already exists"),
        (["a.png", "b.png", "--out", "x.gif"], "x.gif: cannot write a picture with ending .gif"),
        (["a.png", "b.png", "--out", "a.png/x.png"], "use --no-picture"),
        (["a.png", "b.png", "--face", "2"], "a.png: has 1 face, so there is no --face 2"),
        (["-", "-"], "stdin holds one picture"),
        (["a.png"], "Missing argument"),
    ],
)
def test_every_error_is_one_line_and_exits_with_2(verify, tmp_path, arguments, words):
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    result = verify(*arguments)
    assert result.exit_code == 2, result.stdout
    (line,) = [text for text in result.stderr.splitlines() if "error: " in text]
    assert words in line
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("out", ["x.gif", "same.png", "a.png/x.png"])
def test_a_picture_that_cannot_be_written_is_refused_before_any_work(verify, monkeypatch, out):
    monkeypatch.setattr("cvtool.faces.verifier.Verifier.load", None)
    result = verify("a.png", "b.png", "--out", out)
    assert result.exit_code == 2 and out.split("/")[0] in result.stderr


def test_the_answer_is_told_though_the_picture_cannot_be_written(verify, monkeypatch):
    def full(path, *_, **__):
        raise OutputError(f"{path}: cannot be written (No space left on device)")

    monkeypatch.setattr("cvtool.pictures.writing.write_picture", full)
    result = verify("a.png", "same.png")
    assert result.exit_code == 2 and result.stdout.startswith("the same person\n")
    assert "verified.png: cannot be written" in result.stderr and "written:" not in result.stdout
    result = verify("a.png", "same.png", "--json")
    assert json.loads(result.stdout)["output"] is None and result.exit_code == 2


def test_the_words_go_with_the_answer(verify):
    """Of two faces about 0.0005 apart, by a strict and by a loose threshold."""
    strict = record(verify("a.png", "b.png", "--json", "--no-picture", "--threshold", "0"))
    assert not strict["same"] and strict["similarity"] == "possibly two people"
    loose = record(verify("a.png", "b.png", "--json", "--no-picture", "--threshold", "4"))
    assert loose["same"] and loose["similarity"].endswith("the same person")


def test_a_rate_above_all_known_ones_is_said(verify, tmp_path):
    calibration = CALIBRATION | {"rates": CALIBRATION["rates"][:3]}
    model = save_tiny(tmp_path / "m", calibration=calibration)
    result = verify("a.png", "b.png", "--no-picture", "--far", "1", "--json", "--model", model)
    assert record(result)["far"] == 0.1
    assert "knows no false accept rate above 0.1; took that" in result.stderr


def test_a_model_without_a_threshold_asks_for_one(verify, tmp_path):
    model = save_tiny(tmp_path / "bare", calibration={})
    result = verify("a.png", "same.png", "--model", model)
    assert result.exit_code == 2 and "give one with --threshold" in result.stderr
    assert verify("a.png", "same.png", "--model", model, "--threshold", "1").exit_code == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
@pytest.mark.parametrize("option", ["--json", "--no-picture"])
def test_a_full_disk_behind_stdout_is_no_answer(tmp_path, option):
    write_picture(tmp_path / "a.png", portrait())
    command = [sys.executable, "-m", "cvtool", "verify", "a.png", "a.png", option]
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [*command, "--model", tiny_model(), "--device", "cpu"],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert result.returncode == 2 and b"no space left" in result.stderr
