"""Figures of verification, against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, roc_auc_score, roc_curve

from cvtool.faces.metrics import (
    auc,
    best_threshold,
    equal_error_rate,
    right,
    roc,
    threshold_at_far,
)

# Few different distances, so that many are equal.
pairs = st.lists(
    st.tuples(st.integers(0, 12).map(lambda n: n / 4), st.booleans()), min_size=2, max_size=60
).filter(lambda rows: 0 < sum(same for _, same in rows) < len(rows))


def columns(rows):
    distances, same = zip(*rows, strict=True)
    return np.array(distances), np.array(same)


@given(pairs)
@settings(max_examples=200, deadline=None)
def test_the_roc_is_scikit_learns(rows):
    distances, same = columns(rows)
    thresholds, false, true = roc(distances, same)
    expected_false, expected_true, scores = roc_curve(same, -distances, drop_intermediate=False)
    np.testing.assert_allclose(false, expected_false)
    np.testing.assert_allclose(true, expected_true)
    np.testing.assert_allclose(thresholds, -scores)
    assert auc(distances, same) == pytest.approx(roc_auc_score(same, -distances))


@given(pairs)
@settings(max_examples=200, deadline=None)
def test_no_threshold_has_a_better_balanced_accuracy_than_the_best(rows):
    distances, same = columns(rows)
    threshold, share = best_threshold(distances, same)

    def balanced(limit):
        return balanced_accuracy_score(same, distances <= limit)

    assert balanced(threshold) == pytest.approx(share)
    for other in np.arange(-0.125, 3.2, 0.125):
        assert balanced(other) <= share + 1e-9


@given(pairs, st.floats(0, 1))
@settings(max_examples=200, deadline=None)
def test_the_false_accept_rate_is_kept(rows, far):
    distances, same = columns(rows)
    threshold, share = threshold_at_far(distances, same, far)
    assert (distances[~same] <= threshold).mean() <= far
    assert (distances[same] <= threshold).mean() == pytest.approx(share)
    # The next larger distance would accept too much.
    more = distances[distances > threshold]
    if len(more):
        assert (distances[~same] <= more.min()).mean() > far


def test_a_threshold_is_right_about_what_it_accepts_and_what_it_does_not():
    distances, same = np.array([0.1, 0.5, 0.9, 1.0]), np.array([True, False, True, False])
    assert right(distances, same, 0.5).tolist() == [True, False, False, True]
    assert right(distances, same, 0.2).tolist() == [True, True, False, True]


def test_the_equal_error_rate_by_hand():
    # Four of each; at 1.0 one of either kind is wrong.
    distances = np.array([0.2, 0.4, 0.6, 1.2, 0.8, 1.4, 1.6, 1.8])
    same = np.arange(8) < 4
    assert equal_error_rate(distances, same) == pytest.approx(0.25)
    assert equal_error_rate(np.array([0.1, 0.2, 1.0, 1.1]), np.arange(4) < 2) == 0
    assert equal_error_rate(np.array([1.0, 1.1, 0.1, 0.2]), np.arange(4) < 2) == 1


@given(pairs)
def test_the_equal_error_rate_lies_between_the_errors_of_two_thresholds(rows):
    distances, same = columns(rows)
    _, false, true = roc(distances, same)
    rate = equal_error_rate(distances, same)
    assert 0 <= rate <= 1
    assert np.maximum(false, 1 - true).min() >= rate - 1e-9
