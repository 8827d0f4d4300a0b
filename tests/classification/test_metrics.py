"""Against scikit-learn and SciPy, which share no code with cvtool."""

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from cvtool.classification.metrics import (
    average_precision,
    calibration_bins,
    confusion_matrix,
    expected_calibration_error,
    multi_label_scores,
    per_class_table,
    top_k_accuracy,
)

seeds = st.integers(0, 2**32 - 1)


def made_up(seed, pictures=120, classes=7, skill=1.5):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, pictures)
    logits = rng.normal(size=(pictures, classes))
    logits[np.arange(pictures), labels] += skill
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True), labels


@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(1, 6))
def test_top_k_equals_scikit_learn(seed, k):
    probabilities, labels = made_up(seed)
    expected = sk.top_k_accuracy_score(labels, probabilities, k=k, labels=range(7))
    assert top_k_accuracy(probabilities, labels, k) == pytest.approx(expected, abs=1e-12)
    assert top_k_accuracy(probabilities, labels, 7) == 1


def test_top_1_of_equal_probabilities_equals_argmax():
    probabilities = np.array([[0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.2, 0.4, 0.4]])
    labels = np.array([0, 1, 2])
    assert top_k_accuracy(probabilities, labels, 1) == np.mean(probabilities.argmax(1) == labels)
    assert top_k_accuracy(probabilities, labels, 2) == 1


def test_nan_is_never_right_below_all_classes():
    assert top_k_accuracy(np.full((4, 3), np.nan), np.array([0, 1, 2, 0]), 2) == 0
    assert top_k_accuracy(np.array([[0.1, np.nan, np.nan]]), np.array([0]), 1) == 1


@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(1, 30))
def test_calibration_error_equals_scikit_learns_curve(seed, bins):
    probabilities, labels = made_up(seed)
    top, right = probabilities.max(1), probabilities.argmax(1) == labels
    accuracy, confidence = calibration_curve(right, top, n_bins=bins)
    counts = np.histogram(top, bins=bins, range=(0, 1))[0]
    counts = counts[counts > 0]
    expected = np.sum(counts * np.abs(accuracy - confidence)) / len(labels)
    assert expected_calibration_error(probabilities, labels, bins) == pytest.approx(expected)


def test_bins_are_closed_above():
    probabilities = np.array([[0.5, 0.5], [0.6, 0.4], [1.0, 0.0]])
    counts, accuracy, confidence = calibration_bins(probabilities, np.array([0, 1, 0]), 2)
    assert counts.tolist() == [1, 2]
    assert accuracy.tolist() == [1, 0.5]
    assert confidence.tolist() == [0.5, 0.8]


def test_calibration_error_of_known_cases():
    sure = np.tile([1.0, 0.0], (10, 1))
    assert expected_calibration_error(sure, np.zeros(10, int)) == 0
    assert expected_calibration_error(sure, np.ones(10, int)) == 1
    assert expected_calibration_error(sure, np.arange(10) % 2) == 0.5


@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(1, 60))
def test_confusion_and_table_equal_scikit_learn(seed, pictures):
    rng = np.random.default_rng(seed)
    # Seven classes, of which some are never true and others never predicted.
    labels, predicted = rng.integers(0, 5, pictures), rng.integers(2, 7, pictures)
    confusion = confusion_matrix(labels, predicted, 7)
    assert confusion.dtype == np.int64
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = sk.confusion_matrix(labels, predicted, labels=range(7))
        columns = sk.precision_recall_fscore_support(
            labels, predicted, labels=range(7), zero_division=np.nan
        )
    np.testing.assert_array_equal(confusion, expected)
    table = per_class_table(confusion, "abcdefg")
    assert list(table) == list("abcdefg")
    for column, key in zip(columns, ("precision", "recall", "f1", "pictures"), strict=True):
        got = [np.nan if row[key] is None else row[key] for row in table.values()]
        np.testing.assert_allclose(got, column, err_msg=key)
    json.dumps(table, allow_nan=False)


def test_no_pictures_give_an_empty_confusion():
    empty = np.zeros(0, int)
    assert confusion_matrix(empty, empty, 3).tolist() == [[0] * 3] * 3


def test_what_is_undefined_is_none():
    table = per_class_table(np.array([[3, 0, 0], [2, 0, 0], [0, 0, 0]]), ("a", "b", "c"))
    assert table["a"]["precision"] == 3 / 5
    assert table["b"] == {"pictures": 2, "precision": None, "recall": 0, "f1": 0}
    assert table["c"] == {"pictures": 0, "precision": None, "recall": None, "f1": None}


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 60), st.integers(2, 30))
def test_average_precision_equals_scikit_learn(seed, pictures, levels):
    rng = np.random.default_rng(seed)
    truths = rng.integers(0, 2, pictures).astype(float)
    scores = rng.integers(0, levels, pictures) / levels  # few levels: many equal scores
    got = average_precision(scores, truths)
    if truths.any():
        assert got == pytest.approx(sk.average_precision_score(truths, scores))
    else:
        assert got is None


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_several_labels_equal_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice([0.0, 1.0, np.nan], size=(40, 5), p=[0.5, 0.3, 0.2])
    labels[:, 3] = np.where(np.isnan(labels[:, 3]), np.nan, 0)  # a label that no picture has
    labels[:, 4] = np.nan  # one that nobody filled in
    probabilities = np.clip(np.nan_to_num(labels, nan=0.5) * 0.3 + rng.random((40, 5)) * 0.7, 0, 1)
    scores = multi_label_scores(probabilities, labels)
    known = ~np.isnan(labels)
    precisions, f1s = [], []
    for column in range(4):
        rows = known[:, column]
        truths, scored = labels[rows, column], probabilities[rows, column]
        if truths.any():
            precisions.append(sk.average_precision_score(truths, scored))
        f1s.append(sk.f1_score(truths, scored >= 0.5, zero_division=np.nan))
        row = scores["per_label"][column]
        assert (row["pictures"], row["labelled"]) == (truths.sum(), rows.sum())
        assert row["accuracy"] == pytest.approx(sk.accuracy_score(truths, scored >= 0.5))
    assert scores["mean_average_precision"] == pytest.approx(np.mean(precisions))
    assert scores["f1"] == pytest.approx(np.nanmean(f1s))
    expected = sk.accuracy_score(labels[known], probabilities[known] >= 0.5)
    assert scores["accuracy"] == pytest.approx(expected)
    assert scores["per_label"][3]["average_precision"] is None
    assert scores["per_label"][4]["accuracy"] is None
    json.dumps(scores, allow_nan=False)


def test_nothing_labelled_is_not_a_score():
    scores = multi_label_scores(np.full((3, 2), 0.7), np.full((3, 2), np.nan))
    assert [scores[key] for key in ("mean_average_precision", "accuracy", "f1")] == [None] * 3


@pytest.mark.parametrize(
    "call",
    [
        lambda: top_k_accuracy(np.zeros((0, 3)), np.zeros(0, int), 1),
        lambda: top_k_accuracy(np.zeros((2, 3)), np.array([0, 3]), 1),
        lambda: top_k_accuracy(np.zeros((2, 3)), np.array([0, 1]), 0),
        lambda: expected_calibration_error(np.zeros((2, 3)), np.zeros(3, int)),
        lambda: confusion_matrix(np.array([0]), np.array([-1]), 2),
        lambda: confusion_matrix(np.array([0]), np.array([0, 1]), 2),
        lambda: per_class_table(np.zeros((2, 2), int), ("a",)),
        lambda: average_precision(np.zeros(2), np.zeros(3)),
        lambda: multi_label_scores(np.zeros((2, 3)), np.zeros((2, 2))),
    ],
)
def test_input_that_does_not_fit_is_refused(call):
    with pytest.raises(ValueError):
        call()
