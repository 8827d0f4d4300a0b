"""Checks that all tasks' settings share."""

import math
from types import SimpleNamespace

import pytest

from cvtool.errors import CvtoolError
from cvtool.training.settings import check_positive, check_shares, known_values, one_of


@pytest.mark.parametrize("value", [1, -0.001, 5, math.nan, math.inf])
def test_a_share_is_from_0_to_under_1(value):
    check_shares(SimpleNamespace(a=0, weight_decay=0.999), "a", "weight_decay")
    with pytest.raises(CvtoolError, match="^--weight-decay .* is not in "):
        check_shares(SimpleNamespace(a=0, weight_decay=value), "a", "weight_decay")


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, -math.inf])
def test_a_number_above_0_may_be_left_out(value):
    check_positive(SimpleNamespace(a=None, b=1e-9), "a", "b")
    with pytest.raises(CvtoolError, match="^--learning-rate .* is not a number above 0"):
        check_positive(SimpleNamespace(a=None, learning_rate=value), "a", "learning_rate")


def test_a_choice_names_the_others():
    one_of("--gpus", "all", ("one", "all"))
    with pytest.raises(CvtoolError, match='^--gpus "two" is not one of one, all$'):
        one_of("--gpus", "two", ("one", "all"))


def test_values_of_a_newer_version_are_passed_over():
    from cvtool.detection.settings import Settings

    assert known_values(Settings, {"size": 64, "of_the_future": 1}) == {"size": 64}
