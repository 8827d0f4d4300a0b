"""`cvtool faces calibrate` on pairs of one face in several colours."""

import json
from pathlib import Path

import pytest

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

    def calibrate(*arguments):
        return run("faces", "calibrate", *arguments, "--model", tiny_model(), "--device", "cpu")

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
