"""Thresholds measured on pairs, as a model's description keeps them."""

import numpy as np
import pytest

from cvtool.faces.calibration import calibrate
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
    rates = [rate["far"] for rate in calibrate(distances, same, "few")["rates"]]
    assert min(rate for rate in rates if rate > 0) >= 0.01
    assert 0.03 in rates and 0.01 not in rates
