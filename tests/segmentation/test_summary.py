"""Scores and how sure they are, against scikit-learn and against drawing by hand."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score

from cvtool.segmentation.metrics import confusion_matrix
from cvtool.segmentation.summary import (
    bootstrap_intervals,
    guessing_error,
    summarise,
    words_of_errors,
)

NAMES = ("background", "cat", "dog", "owl")


def pairs(pictures=12, seed=0):
    """True and predicted masks of background, cats and dogs; no owl anywhere."""
    rng = np.random.default_rng(seed)
    truths = rng.choice(3, (pictures, 20, 20), p=(0.6, 0.3, 0.1)).astype(np.uint8)
    wrong = rng.random(truths.shape) < rng.uniform(0, 0.6, (pictures, 1, 1))
    return truths, np.where(wrong, rng.integers(0, 3, truths.shape), truths)


def confusions_of(truths, predicted):
    return np.stack(
        [confusion_matrix(t, p, len(NAMES)) for t, p in zip(truths, predicted, strict=True)]
    )


def test_the_scores_are_those_of_scikit_learn():
    truths, predicted = pairs()
    found = summarise(confusions_of(truths, predicted), NAMES)
    flat = truths.ravel(), predicted.ravel()
    assert found["miou"] == pytest.approx(jaccard_score(*flat, average="macro"))
    assert found["pixel_accuracy"] == pytest.approx((flat[0] == flat[1]).mean())
    foreground = jaccard_score(flat[0] > 0, flat[1] > 0)
    # Cats taken for dogs are foreground all the same.
    assert found["foreground_iou"] == pytest.approx(foreground)
    ious, dices = jaccard_score(*flat, average=None), f1_score(*flat, average=None)
    for number, name in enumerate(NAMES[:3]):
        row = found["per_class"][name]
        assert (row["iou"], row["dice"]) == (
            pytest.approx(ious[number]),
            pytest.approx(dices[number]),
        )
        assert row["pixels"] == pytest.approx((flat[0] == number).mean())
        assert row["interval"][0] < row["iou"] < row["interval"][1]
    assert found["interval"][0] < found["miou"] < found["interval"][1]
    assert found["pictures"] == found["per_class"]["cat"]["pictures"] == 12


def test_a_class_that_is_not_there_has_no_figures():
    found = summarise(confusions_of(*pairs()), NAMES)["per_class"]["owl"]
    assert found == {"pictures": 0, "pixels": 0.0, "iou": None, "interval": None, "dice": None}
    bare = np.zeros((3, 4, 4), np.int64)
    bare[:, 0, 0] = 9
    assert summarise(bare, NAMES)["foreground_iou"] is None
    assert summarise(bare, NAMES)["miou"] == 1


def test_a_class_that_is_only_predicted_counts_for_itself_and_not_in_the_mean():
    confusion = np.zeros((1, 4, 4), np.int64)
    confusion[0, 0, :2] = 90, 10
    found = summarise(confusion, NAMES)
    assert found["miou"] == pytest.approx(0.9) and found["per_class"]["cat"]["iou"] == 0


def test_the_intervals_are_those_of_resampled_scores():
    confusions = confusions_of(*pairs(8))
    rng, values = np.random.default_rng(5), []
    for _ in range(150):
        drawn = confusions[rng.integers(8, size=8)]
        values.append(
            [
                summarise(drawn, NAMES, rounds=1)["miou"],
                summarise(drawn, NAMES, rounds=1)["per_class"]["dog"]["iou"],
            ]
        )
    scores = summarise(confusions, NAMES, rounds=400)
    measured = scores["miou"], scores["per_class"]["dog"]["iou"]
    found = scores["interval"], scores["per_class"]["dog"]["interval"]
    bottom, top = np.percentile(values, [2.5, 97.5], axis=0)
    for i in range(2):
        expected = 2 * measured[i] - top[i], 2 * measured[i] - bottom[i]
        assert found[i] == pytest.approx(expected, abs=0.03)


def test_the_intervals_repeat_and_narrow_with_pictures():
    confusions = confusions_of(*pairs(20))
    low, high = bootstrap_intervals(confusions)[0]
    assert bootstrap_intervals(confusions)[0] == (low, high)
    assert bootstrap_intervals(confusions, seed=1)[0] != (low, high)
    narrow = np.subtract(*bootstrap_intervals(np.tile(confusions, (9, 1, 1)))[0])
    assert narrow == pytest.approx((low - high) / 3, rel=0.35)


def test_guessing_is_saying_the_most_frequent_class():
    truths, _ = pairs()
    guessed = confusions_of(truths, np.zeros_like(truths))
    assert guessing_error(guessed) == pytest.approx(1 - summarise(guessed, NAMES)["miou"])


def test_what_most_wrong_pixels_are():
    confusion = np.diag([50, 20, 0, 0])
    assert words_of_errors(confusion, NAMES) == "no pixel wrong"
    confusion[1, 2], confusion[0, 1] = 20, 10
    assert words_of_errors(confusion, NAMES) == "cat taken for dog: 20.0 % of the pixels"
