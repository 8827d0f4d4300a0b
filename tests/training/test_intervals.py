"""Intervals by drawing the pictures again."""

import numpy as np
import pytest

from cvtool.training.intervals import basic_interval, drawn_pictures


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
