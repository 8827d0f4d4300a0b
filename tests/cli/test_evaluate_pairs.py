"""`cvtool evaluate` of a face model, on pairs of one face in two colours."""

import json

import numpy as np
import pytest

from cvtool.pictures.writing import write_picture
from tiny_facenet import portrait, tiny_model


@pytest.fixture
def evaluate(run, tmp_path):
    """Run the command on pairs.csv, whose people are colours."""
    for person, hue in enumerate((0, 90)):
        for number in range(2):
            pixels = portrait(hue, side=220 + 40 * number)
            write_picture(tmp_path / "set" / f"{person}{number}.png", pixels)
    write_picture(tmp_path / "set" / "none.png", np.full((100, 100, 3), 9, np.uint8))
    (tmp_path / "set" / "pairs.csv").write_text(
        "file,other,same\n00.png,01.png,1\n10.png,11.png,1\n00.png,10.png,0\n01.png,none.png,0\n"
    )

    def evaluate(*arguments):
        return run("evaluate", tiny_model(), *arguments, "--device", "cpu")

    return evaluate


def test_scores_are_printed_and_written(evaluate, tmp_path):
    result = evaluate("set/pairs.csv")
    assert result.exit_code == 0, result.stderr
    assert "4 pairs of 5 pictures with tiny-faces (litert), no face found in 1" in result.stdout
    assert "threshold 0.200, from 10 drawn pairs" in result.stdout
    assert "true accepts 1.000 at 1.0% false accepts" in result.stdout
    assert {path.name for path in (tmp_path / "evaluation").iterdir()} >= {
        *("evaluation.json", "roc.png")
    }


def test_json_is_what_is_written(evaluate, tmp_path):
    result = evaluate("set/pairs.csv", "--json", "--out", "scores")
    summary = json.loads(result.stdout)
    assert summary == json.loads((tmp_path / "scores" / "evaluation.json").read_text())
    keys = {"accuracy", "auc", "eer", "tar_at_far", "threshold", "pairs", "no_face"}
    assert keys <= set(summary) and summary["auc"] == 1


def test_limit_takes_pairs_of_both_kinds(evaluate):
    summary = json.loads(evaluate("set/pairs.csv", "--json", "--limit", "2").stdout)
    assert (summary["pairs"], summary["same"]) == (2, 1)


def test_a_picture_that_cannot_be_read_is_named_and_the_rest_scored(evaluate, tmp_path):
    (tmp_path / "set" / "11.png").write_bytes(b"")
    result = evaluate("set/pairs.csv", "--json")
    assert result.exit_code == 1 and "11.png" in result.stderr
    assert json.loads(result.stdout)["unreadable_pairs"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["gone.txt"], 1, "gone.txt: no such file"),
        (["set"], 1, "set: is a folder; give the file that lists the pairs"),
        (["set/none.png"], 1, "set/none.png: is no text"),
        (["set/pairs.csv", "--pictures", "gone"], 1, "gone: no such folder"),
        (["set/pairs.csv", "--iou", "0.5"], 2, "--iou is for detectors"),
        (["set/pairs.csv", "--tta"], 2, "--tta is for classifiers"),
        (["set/pairs.csv", "--size", "64"], 2, "--size is for models that see whole pictures"),
        (["set/pairs.csv", "--split", "test"], 2, "--split is for"),
    ],
)
def test_refusals_are_one_line(evaluate, tmp_path, arguments, code, words):
    result = evaluate(*arguments)
    assert result.exit_code == code and words in result.stderr
    assert len(result.stderr.splitlines()) == 1 and not (tmp_path / "evaluation").exists()
