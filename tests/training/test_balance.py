"""Rare classes come more often, no picture is left out."""

import numpy as np
import pytest

from cvtool.training.balance import balanced_order, repeat_factors


def test_a_rare_class_is_shown_more_by_the_square_root_of_its_rarity():
    present = np.array([[True, False]] * 99 + [[True, True]])
    factors = repeat_factors(present, threshold=0.16)
    assert factors[:99] == pytest.approx(1)
    assert factors[99] == pytest.approx(4)  # sqrt(0.16 / 0.01)
    assert repeat_factors(present, threshold=0) == pytest.approx(1)


def test_pictures_without_any_class_count_once():
    assert repeat_factors(np.array([[False, False], [False, True]]), 0.9)[0] == 1


def test_an_order_shows_each_picture_in_proportion_to_its_factor():
    factors = np.array([1.0, 2.0, 1.0, 4.0])
    rng = np.random.default_rng(0)
    counts = np.mean(
        [np.bincount(balanced_order(factors, 16, rng), minlength=4) for _ in range(300)], 0
    )
    assert counts == pytest.approx([2, 4, 2, 8], abs=0.3)
