"""Thresholds measured on pairs, as a model's description keeps them."""

from pathlib import Path

import numpy as np
import pytest

from cvtool.datasets.face_pairs import FacePair, FacePairs
from cvtool.errors import DatasetError
from cvtool.faces.calibration import calibrate, distinct_pairs, pairs_with_faces
from cvtool.faces.evaluation import Evaluation
from cvtool.faces.metrics import best_threshold


def made_up(same=400, different=20_000):
    rng = np.random.default_rng(0)
    distances = np.concatenate([rng.normal(0.6, 0.2, same), rng.normal(1.6, 0.25, different)])
    return distances.clip(0, 4), np.arange(same + different) < same


def test_each_rate_is_kept_and_its_true_accepts_are_told():
    distances, same = made_up()
    found = calibrate(distances, same, "made-up pairs")
    assert found["source"] == "made-up pairs" and found["pairs"] == [400, 20_000]
    assert found["threshold"] == pytest.approx(best_threshold(distances, same)[0], abs=1e-6)
    rates = found["rates"]
    assert [rate["far"] for rate in rates] == sorted(rate["far"] for rate in rates)
    assert [rate["threshold"] for rate in rates] == sorted(rate["threshold"] for rate in rates)
    assert {0.0001, 0.001, 0.01, 0.1} <= {rate["far"] for rate in rates}
    assert found["threshold"] in [rate["threshold"] for rate in rates]
    for rate in rates:
        accepted = distances <= rate["threshold"]
        assert accepted[~same].mean() <= rate["far"] + 1e-6
        assert accepted[same].mean() == pytest.approx(rate["tar"], abs=1e-4)


def test_a_rate_that_so_few_pairs_cannot_show_is_left_out():
    distances, same = made_up(30, 50)
    found = calibrate(distances, same, "few")
    rates = [rate["far"] for rate in found["rates"]]
    assert min(rates) >= 1 / 50 and {0.03, 0.1, 0.3} <= set(rates)
    # Not one of the fifty was accepted, which is no proof of a rate of 0.
    assert not (distances[~same] <= found["threshold"]).any() and rates[0] == 0.02


def pairs_of(*rows):
    return FacePairs(tuple(FacePair(Path(a), Path(b), same) for a, b, same in rows), 1)


def test_a_pair_counts_once_however_it_is_listed(tmp_path):
    (tmp_path / "link.jpg").symlink_to("b.jpg")
    a, b, link = (tmp_path / name for name in ("a.jpg", "b.jpg", "link.jpg"))
    listed = pairs_of((a, b, True), (b, a, True), (a, link, True), (a, a, True), (b, "c", False))
    kept = distinct_pairs(listed)
    assert [(pair.one, pair.other) for pair in kept.pairs] == [(a, b), (b, Path("c"))]
    with pytest.raises(DatasetError, match="both as one person and as two"):
        distinct_pairs(pairs_of((a, b, True), (link, a, False)))


def test_pairs_without_a_face_are_left_out():
    pairs = pairs_of(("a", "b", True), ("a", "c", False), ("b", "d", True), ("d", "e", False))
    summary = {"no_face_pictures": ["c"]}
    found = Evaluation(summary, pairs, np.arange(4.0), np.zeros(4))
    distances, same = pairs_with_faces(found)
    assert distances.tolist() == [0, 2, 3] and same.tolist() == [True, True, False]
    summary["no_face_pictures"] = ["a", "d"]
    with pytest.raises(DatasetError, match="not of both kinds"):
        pairs_with_faces(found)
