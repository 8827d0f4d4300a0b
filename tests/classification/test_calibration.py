"""The temperature that was put in is found, and nothing but the scores changes."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from cvtool.classification.calibration import (
    COLDEST,
    HOTTEST,
    best_temperature,
    calibrate,
    cross_entropy,
)
from cvtool.classification.metrics import expected_calibration_error
from cvtool.classification.scoring import activate


def drawn(temperature, several=False, count=6000, classes=5, seed=0):
    """Logits that are `temperature` times what the labels were drawn from, and targets."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, classes))
    p = activate(logits, several)
    if several:
        targets = (rng.random(p.shape) < p).astype(np.float32)
    else:
        labels = (p.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1)
        targets = np.eye(classes, dtype=np.float32)[np.minimum(labels, classes - 1)]
    return (temperature * logits).astype(np.float32), targets


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_found(temperature, several):
    logits, targets = drawn(temperature, several)
    assert best_temperature(logits, targets, several) == pytest.approx(temperature, rel=0.06)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("temperature", np.geomspace(0.3, 3.5, 12))
def test_it_is_the_minimum_that_another_search_finds(several, temperature):
    logits, targets = drawn(temperature, several, count=200)
    other = minimize_scalar(
        lambda t: cross_entropy(logits, targets, np.exp(t), several),
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
    )
    assert best_temperature(logits, targets, several) == pytest.approx(np.exp(other.x), rel=2e-3)


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_scores_mean_more_and_answers_stay(temperature):
    logits, targets = drawn(temperature)
    labels = targets.argmax(axis=1)
    before = activate(logits, False)
    after = activate(logits / best_temperature(logits, targets), False)
    assert expected_calibration_error(before, labels) > 0.1
    assert expected_calibration_error(after, labels) < 0.03
    assert (np.argsort(before, axis=1) == np.argsort(after, axis=1)).all()


def test_it_stays_within_bounds():
    logits = np.array([[3.0, 0.0], [0.0, 3.0]], np.float32)
    right = np.eye(2, dtype=np.float32)
    assert best_temperature(logits, right) == pytest.approx(COLDEST, rel=2e-3)
    assert best_temperature(logits, 1 - right) == pytest.approx(HOTTEST, rel=2e-3)
    for targets in (right, 1 - right):
        assert COLDEST <= best_temperature(1000 * logits, targets) <= HOTTEST


def test_entries_that_are_not_labelled_do_not_count():
    logits, targets = drawn(2.0, several=True, count=400)
    hidden = np.random.default_rng(1).random(targets.shape) < 0.3
    wrong = np.where(hidden, 1 - targets, targets)
    assert best_temperature(logits, wrong, True) > 2.6
    unlabelled = np.where(hidden, np.nan, targets)
    assert best_temperature(logits, unlabelled, True) == pytest.approx(2, rel=0.2)


@pytest.mark.parametrize("several", [False, True])
def test_a_few_pictures_that_are_all_right_do_not_make_the_scores_certain(several):
    from cvtool.classification.networks import LOGITS, classifier

    architecture = {"network": "csp", "widths": [8] * 5, "depths": [1] * 4}
    network = classifier(architecture, 3, several=several)
    before = network.get_layer(LOGITS).get_weights()[0]
    targets = np.eye(3, dtype=np.float32)[[0, 1, 2] * 8]
    logits = 12 * targets - 6
    temperature = calibrate(network, logits, targets, several)
    assert COLDEST < temperature < HOTTEST
    assert 0.9 < activate(logits / temperature, several).max() < 0.99
    kernel = network.get_layer(LOGITS).get_weights()[0]
    np.testing.assert_allclose(kernel, before / temperature, rtol=1e-5)


def test_without_a_label_the_scores_stay_as_they_are():
    logits = np.random.default_rng(0).normal(0, 1, (5, 3))
    assert best_temperature(logits, np.full((5, 3), np.nan), True) == 1
