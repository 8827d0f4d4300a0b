"""How well embeddings tell people apart: against scikit-learn, and by hand."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cvtool.faces.scoring import all_pairs, balanced_accuracy, figures_of, summarise, worst_pairs


def embeddings(people, spread, seed=0):
    """Unit rows, those of a person near each other."""
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(people.max() + 1, 8))
    rows = middles[people] + rng.normal(scale=spread, size=(len(people), 8))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


PEOPLE = np.repeat(np.arange(8), 4)


def test_all_pairs_of_a_split_and_their_distances():
    pairs = all_pairs(PEOPLE)
    assert len(pairs.same) == 32 * 31 // 2 and pairs.same.sum() == 8 * 6
    rows = embeddings(PEOPLE, 1.0)
    index = 77
    difference = rows[pairs.one[index]] - rows[pairs.other[index]]
    assert pairs.distances(rows)[index] == pytest.approx((difference**2).sum())


def test_nobody_counts_with_hundreds_of_pictures_and_not_all_of_very_many_people():
    pairs = all_pairs(np.array([3] * 100 + [5] * 2))
    assert pairs.faces.tolist() == [*range(10), 100, 101] and pairs.same.sum() == 46
    many = np.repeat(np.arange(400), 4)
    pairs = all_pairs(many, seed=1)
    assert 590 < len(pairs.faces) <= 600 and len(set(many[pairs.faces])) == len(pairs.faces) / 4


def test_weights_count_as_pairs_that_are_there_more_often():
    rng = np.random.default_rng(0)
    distances, same = rng.random(40).round(1), rng.random(40) < 0.4
    weights = rng.integers(0, 4, 40)
    repeated = figures_of(np.repeat(distances, weights), np.repeat(same, weights))
    weighted = figures_of(distances, same, weights)
    for key in ("auc", "eer"):
        assert weighted[key] == pytest.approx(repeated[key])
    assert weighted["auc"] == pytest.approx(roc_auc_score(same, -distances, sample_weight=weights))
    # Of some twenty pairs of two people none can show a rate of a hundredth.
    assert weighted["tar_at_far"] == {"0.01": None, "0.001": None}


def test_a_better_model_gains_more_than_chance_and_the_same_one_nothing():
    pairs = all_pairs(PEOPLE)
    good, bad = (pairs.distances(embeddings(PEOPLE, spread)) for spread in (0.4, 1.5))
    (before, after), gain = summarise(pairs, [(bad, 1.0), (good, 1.0)], rounds=50)
    assert after["auc"] == pytest.approx(roc_auc_score(pairs.same, -good), abs=1e-4)
    assert before["interval"][0] < before["auc"] < before["interval"][1]
    assert 0 < gain[0] < after["auc"] - before["auc"] < gain[1]
    assert after["accuracy"] == pytest.approx(balanced_accuracy(good, pairs.same, 1.0), abs=1e-4)
    assert after["tar_at_far"]["0.01"] > before["tar_at_far"]["0.01"]
    assert summarise(pairs, [(bad, 1.0), (bad, 1.0)], rounds=10)[1] == [0.0, 0.0]


def test_the_worst_pairs_are_wrong_and_no_face_fills_them_all():
    pairs = all_pairs(PEOPLE)
    rows = embeddings(PEOPLE, 0.3)
    rows[0] = rows[5]  # the first picture of person 0 shows person 1
    distances = pairs.distances(rows)
    worst = worst_pairs(distances, pairs, 0.8, 12)
    wrong = (distances <= 0.8) != pairs.same
    assert 1 <= len(worst) <= 12 and wrong[worst].all()
    margins = np.abs(distances - 0.8)[worst]
    assert (np.diff(margins) <= 0).all()
    assert sum(0 in (pairs.one[i], pairs.other[i]) for i in worst) == 2
    assert worst_pairs(distances, pairs, 0.8, 1) == worst[:1]
