"""`cvtool faces calibrate` on pairs of one face in several colours."""

import json
from pathlib import Path

import numpy as np
import pytest

from cvtool.errors import OutputError
from cvtool.pictures.writing import write_picture
from tiny_facenet import portrait, tiny_model

PAIRS = "00,01,1 10,11,1 20,21,1 00,10,0 01,20,0 11,21,0"


@pytest.fixture
def calibrate(run, tmp_path):
    for person in range(3):
        for number in range(2):
            pixels = portrait(60 * person, side=220 + 40 * number)
            write_picture(tmp_path / "set" / f"{person}{number}.png", pixels)
    rows = [row.split(",") for row in PAIRS.split()]
    text = "\n".join(f"{a}.png,{b}.png,{same}" for a, b, same in rows)
    (tmp_path / "set" / "pairs.csv").write_text(text)

    def calibrate(*arguments, model=None):
        model = model or tiny_model()
        return run("faces", "calibrate", *arguments, "--model", model, "--device", "cpu")

    return calibrate


def test_the_model_it_writes_verifies_with_its_threshold(calibrate, run):
    result = calibrate("set/pairs.csv", "--out", "mine", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["pairs"] == [3, 3] and found["source"] == "6 pairs of set/pairs.csv"
    assert "3 pairs of one person and 3 of two; with fewer than 50" in result.stderr
    pair = ("verify", "set/00.png", "set/01.png", "--no-picture", "--json", "--model", "mine")
    answer = json.loads(run(*pair).stdout)
    assert answer["threshold"] == pytest.approx(found["threshold"]) and answer["same"]
    assert answer["threshold_from"] == found["source"] and answer["model"] == "mine"
    assert "threshold " in calibrate("set/pairs.csv", "--out", "again").stdout


def test_a_model_is_replaced_only_with_overwrite_and_nothing_else_is(calibrate, tmp_path):
    assert calibrate("set/pairs.csv", "--out", "mine").exit_code == 0
    refused = calibrate("set/pairs.csv", "--out", "mine")
    assert refused.exit_code == 1 and "use --overwrite" in refused.stderr
    assert calibrate("set/pairs.csv", "--out", "mine", "--overwrite").exit_code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "set").iterdir()}
    other = calibrate("set/pairs.csv", "--out", "set", "--overwrite")
    assert other.exit_code == 1 and "set: is not empty; name another" in other.stderr
    assert {path: path.read_bytes() for path in (tmp_path / "set").iterdir()} == before


def test_what_is_no_list_of_pairs_leaves_nothing(calibrate):
    result = calibrate("set/00.png", "--out", "mine")
    assert result.exit_code == 1 and "is no text" in result.stderr
    assert not Path("mine").exists()


def test_so_few_pairs_show_no_strict_rate_and_none_is_claimed(calibrate, run):
    assert calibrate("set/pairs.csv", "--out", "mine").exit_code == 0
    pair = ("verify", "set/00.png", "set/01.png", "--no-picture", "--model", "mine")
    refused = run(*pair, "--far", "0.001")
    assert refused.exit_code == 2
    assert "too few for a false accept rate of 0.001; the lowest it knows is 0.33" in refused.stderr
    assert run("faces", "enroll", "g", "Ada", "set/00.png", "--model", "mine").exit_code == 0
    loose = run("faces", "identify", "g", "set/00.png", "--json", "--model", "mine")
    assert loose.exit_code == 0, loose.stderr
    assert json.loads(loose.stdout)[0]["far"] == pytest.approx(1 / 3, abs=1e-6)
    assert "too few for a false accept rate of 0.001; took 0.33" in loose.stderr
    assert "up to 33.3% of strangers" in loose.stderr
    refused = run("faces", "identify", "g", "set/00.png", "--model", "mine", "--far", "0")
    assert refused.exit_code == 2 and "the lowest it knows" in refused.stderr


def test_a_picture_without_a_face_is_named_and_its_pairs_left_out(calibrate, tmp_path):
    write_picture(tmp_path / "set" / "none.png", np.full((90, 120, 3), 120, np.uint8))
    with open(tmp_path / "set" / "pairs.csv", "a") as lines:
        lines.write("\nnone.png,00.png,0\n00.png,01.png,1\n01.png,01.png,1\n")
    result = calibrate("set/pairs.csv", "--out", "mine", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["pairs"] == [3, 3]
    assert "set/none.png: no face found; its pairs are left out" in result.stderr
    assert "2 pair(s) left out, listed before or of a picture with itself" in result.stderr
    assert Path("mine/model.json").exists()


def test_the_model_itself_is_refused_before_any_work(calibrate, monkeypatch):
    assert calibrate("set/pairs.csv", "--out", "mine").exit_code == 0
    before = {path: path.read_bytes() for path in Path("mine").iterdir()}
    monkeypatch.setattr("cvtool.faces.verifier.Verifier.load", None)
    refused = calibrate("set/pairs.csv", "--out", "mine", "--overwrite", model="mine")
    assert refused.exit_code == 1 and "mine: is the model itself" in refused.stderr
    assert {path: path.read_bytes() for path in Path("mine").iterdir()} == before


def test_what_was_measured_is_printed_though_it_cannot_be_written(calibrate, monkeypatch):
    def full(*_):
        raise OutputError("mine: cannot be written (No space left on device)")

    monkeypatch.setattr("cvtool.faces.calibration.save_calibrated", full)
    result = calibrate("set/pairs.csv", "--out", "mine", "--json")
    found = json.loads(result.stdout)
    assert found["model"] is None and found["pairs"] == [3, 3]
    assert result.exit_code == 1 and "No space left" in result.stderr
