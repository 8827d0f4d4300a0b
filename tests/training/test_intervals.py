"""Intervals, against SciPy and by drawing the pictures again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from cvtool.training.intervals import basic_interval, drawn_pictures, wilson_interval


def test_each_draw_is_as_large_as_the_set_and_repeats():
    draws = list(drawn_pictures(7, seed=3, rounds=50))
    assert len(draws) == 50 and all(len(d) == 7 and d.sum() == 7 for d in draws)
    assert (np.array(draws) == list(drawn_pictures(7, seed=3, rounds=50))).all()
    # Each picture comes up about once a draw.
    assert np.mean(draws, axis=0) == pytest.approx(np.ones(7), abs=0.5)


def test_the_spread_is_laid_the_other_way_about():
    values = list(np.linspace(0.5, 0.9, 401))
    low, high = basic_interval(0.6, values)
    # From 0.51 to 0.89: up to 0.29 above and 0.09 below.
    assert (low, high) == (pytest.approx(0.31), pytest.approx(0.69))


@pytest.mark.parametrize("measured", [0.0, 0.02, 0.5, 1.0])
def test_it_stays_in_reach_and_round_the_score(measured):
    rng = np.random.default_rng(0)
    for values in ([], [measured], list(rng.random(50)), [0.0] * 9, [1.0] * 9):
        low, high = basic_interval(measured, values)
        assert 0 <= low <= measured <= high <= 1
    assert basic_interval(measured, []) == (measured, measured)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 400), st.integers(1, 400), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_wilson_equals_scipy(right, total, confidence):
    right = min(right, total)
    interval = binomtest(right, total).proportion_ci(confidence, method="wilson")
    assert wilson_interval(right, total, confidence) == pytest.approx(tuple(interval), abs=1e-12)


def test_wilson_at_its_ends():
    assert wilson_interval(0, 10)[0] == 0
    assert wilson_interval(10, 10)[1] == 1
    assert wilson_interval(0, 0) == (0, 1)
    for impossible in ((3, 2), (1, 2, 1.0)):
        with pytest.raises(ValueError):
            wilson_interval(*impossible)
