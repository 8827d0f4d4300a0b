"""Scoring on pairs, with an untrained network on one face in several colours."""

import json

import numpy as np
import pytest

from cvtool.datasets.face_pairs import FacePair, FacePairs, read_pairs
from cvtool.errors import DatasetError, PictureError
from cvtool.faces.evaluation import (
    central_aligned,
    choose_thresholds,
    evaluate_verifier,
    save_evaluation,
    worst_mistakes,
)
from cvtool.faces.verifier import Verifier
from cvtool.pictures.writing import write_picture
from tiny_facenet import portrait, save_tiny, tiny_model


@pytest.fixture(scope="module")
def verifier():
    return Verifier.load(tiny_model(), device="cpu")


@pytest.fixture
def pairs(tmp_path):
    """People are colours: three pictures of each of two, and one without a face."""
    for person, hue in enumerate((0, 90)):
        for number in range(3):
            pixels = portrait(hue, side=240 + 20 * number)
            write_picture(tmp_path / f"{person}{number}.png", pixels)
    write_picture(tmp_path / "none.png", np.full((200, 160, 3), 77, np.uint8))
    lines = [
        "00,01,1",
        "00,02,1",
        "10,11,1",
        "11,12,1",
        "00,10,0",
        "01,11,0",
        "02,12,0",
        "00,none,0",
    ]
    rows = [line.split(",") for line in lines]
    text = "\n".join(f"{a}.png,{b}.png,{same}" for a, b, same in rows)
    (tmp_path / "pairs.csv").write_text(text)
    return read_pairs(tmp_path / "pairs.csv")


def test_the_summary_counts_what_it_says(verifier, pairs):
    seen = []
    result = evaluate_verifier(verifier, pairs, on_picture=lambda: seen.append(1))
    summary = result.summary
    assert json.loads(json.dumps(summary)) == summary
    assert (summary["pairs"], summary["same"], summary["pictures"]) == (8, 4, 7)
    assert len(seen) == 7 and summary["no_face"] == 1
    assert summary["no_face_pictures"][0].endswith("none.png")
    wrong = summary["false_accepts"] + summary["false_rejects"]
    assert summary["accuracy"] == pytest.approx(1 - wrong / 8)
    assert summary["threshold"] == 0.2 and summary["threshold_from"] == "10 drawn pairs"
    assert summary["interval"][0] <= summary["accuracy"] <= summary["interval"][1]
    # The same colours are nearer, even to a network that has learnt nothing.
    assert summary["auc"] == 1 and summary["eer"] == 0
    assert summary["tar_at_far"] == {"0.01": 1, "0.001": 1}
    assert summary["best_accuracy"] == 1
    np.testing.assert_array_equal(result.same, [pair.same for pair in pairs.pairs])


def test_folds_are_decided_by_the_others(verifier, pairs):
    folds = FacePairs(
        tuple(FacePair(p.one, p.other, p.same, n % 2) for n, p in enumerate(pairs.pairs)), 2
    )
    summary = evaluate_verifier(verifier, folds).summary
    assert [row["pairs"] for row in summary["per_fold"]] == [4, 4]
    assert summary["threshold_from"] == "the other 1 parts of these pairs"
    assert summary["accuracy"] == np.mean([row["accuracy"] for row in summary["per_fold"]])


def test_without_a_threshold_ten_parts_decide_each_other(tmp_path, pairs):
    bare = Verifier.load(save_tiny(tmp_path / "bare", calibration={}), device="cpu")
    rng = np.random.default_rng(0)
    same = rng.random(200) < 0.5
    distances = np.where(same, rng.normal(0.5, 0.1, 200), rng.normal(1.5, 0.1, 200))
    thresholds, how = choose_thresholds(bare, distances, same, np.zeros(200, int))
    assert how == "the other 9 parts of these pairs"
    assert 0.6 < thresholds.min() <= thresholds.max() < 1.4


def test_the_central_face_is_taken_or_the_middle(verifier):
    canvas = np.zeros((300, 900, 3), np.uint8)
    canvas[:, 600:] = portrait()
    canvas[50:250, 350:550] = portrait(hue=90, side=200)
    aligned, found = central_aligned(verifier, canvas)
    alone = verifier.align(canvas[:, 300:600], verifier.find(canvas[:, 300:600])[0])
    assert found and np.abs(aligned.astype(int) - alone).mean() < 15
    blank = np.full((250, 250, 3), 50, np.uint8)
    blank[60:190, 60:190] = 200
    middle, found = central_aligned(verifier, blank)
    assert not found and middle.shape == (64, 64, 3)
    # 60 % of the side: the bright square and a border of it.
    assert middle[32, 32, 0] == 200 and middle[2, 2, 0] == 50 and (middle == 200).mean() > 0.6


def test_pictures_that_cannot_be_read_leave_their_pairs_out(verifier, pairs, tmp_path):
    (tmp_path / "02.png").write_bytes(b"no picture")
    with pytest.raises(PictureError, match="02.png"):
        evaluate_verifier(verifier, pairs)
    problems = []
    summary = evaluate_verifier(verifier, pairs, on_error=problems.append).summary
    assert len(problems) == 1 and "02.png" in str(problems[0])
    assert (summary["pairs"], summary["unreadable_pairs"]) == (6, 2)
    for path in tmp_path.glob("0*.png"):
        path.unlink()
    with pytest.raises(DatasetError, match="are not of both kinds"):
        evaluate_verifier(verifier, pairs, on_error=problems.append)


def test_the_files_hold_the_scores_and_the_worst_mistakes(verifier, pairs, tmp_path):
    result = evaluate_verifier(verifier, pairs)
    # A threshold under all distances makes every pair of one person a mistake.
    result = type(result)(result.summary, result.pairs, result.distances, np.full(8, -1.0))
    assert [bool(result.same[i]) for i in worst_mistakes(result)] == [True] * 4
    written = save_evaluation(result, verifier, tmp_path / "out")
    assert [path.name for path in written] == ["evaluation.json", "roc.png", "worst"]
    assert len(list((tmp_path / "out" / "worst").iterdir())) == 4
    assert all("one-person" in path.name for path in (tmp_path / "out" / "worst").iterdir())
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text()) == result.summary
