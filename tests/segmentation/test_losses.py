"""The losses against plain loops, and what void must not do."""

import keras
import numpy as np
import pytest

from cvtool.datasets.masked import VOID
from cvtool.segmentation.losses import (
    LOSSES,
    SMOOTH,
    cross_entropy,
    cross_entropy_and_dice,
    dice_loss,
    focal_loss,
    tversky_loss,
)
from cvtool.segmentation.targets import make_targets


def batch(classes=3, seed=0, void=0.3):
    """Targets with weights from 0 to 2 and void, and logits."""
    rng = np.random.default_rng(seed)
    class_ids = rng.integers(0, max(2, classes), (2, 5, 4))
    weights = rng.uniform(0.1, 2, (2, 5, 4)) * (rng.random((2, 5, 4)) > void)
    targets = np.stack([class_ids, weights], -1).astype(np.float32)
    return targets, rng.normal(0, 2, (2, 5, 4, classes)).astype(np.float32)


def pixels(targets, logits):
    """Class id, weight and probabilities of each pixel, in float64."""
    for (class_id, weight), row in zip(
        targets.reshape(-1, 2), logits.reshape(-1, logits.shape[-1]).astype(float), strict=True
    ):
        if len(row) == 1:
            p = 1 / (1 + np.exp(-row[0]))
            yield int(class_id), float(weight), np.array([1 - p, p])
        else:
            powers = np.exp(row - row.max())
            yield int(class_id), float(weight), powers / powers.sum()


def plain_focal(targets, logits, gamma=2.0):
    total = weights = 0.0
    for class_id, weight, p in pixels(targets, logits):
        total -= weight * (1 - p[class_id]) ** gamma * np.log(p[class_id])
        weights += weight
    return total / weights


def plain_cross_entropy(targets, logits):
    return plain_focal(targets, logits, 0)


def plain_tversky(targets, logits, alpha=0.3, beta=0.7):
    indices = []
    for number in range(max(2, logits.shape[-1])):
        hit = false_positive = false_negative = truths = 0.0
        for class_id, weight, p in pixels(targets, logits):
            if class_id == number:
                truths += weight
                hit += weight * p[number]
                false_negative += weight * (1 - p[number])
            else:
                false_positive += weight * p[number]
        if truths:
            whole = hit + alpha * false_positive + beta * false_negative
            indices.append((hit + SMOOTH) / (whole + SMOOTH))
    return 1 - np.mean(indices)


def plain_dice(targets, logits):
    """Dice written as itself: twice the hits over truth plus prediction."""
    scores = []
    for number in range(max(2, logits.shape[-1])):
        rows = [(c == number, w, p[number]) for c, w, p in pixels(targets, logits)]
        hit = sum(w * p for true, w, p in rows if true)
        both = sum(w * (true + p) for true, w, p in rows)
        if any(true and w for true, w, _ in rows):
            scores.append((2 * hit + 2 * SMOOTH) / (both + 2 * SMOOTH))
    return 1 - np.mean(scores)


PLAIN = {
    "cross-entropy": plain_cross_entropy,
    "dice": plain_dice,
    "cross-entropy+dice": lambda t, x: plain_cross_entropy(t, x) + plain_dice(t, x),
    "focal": plain_focal,
    "tversky": plain_tversky,
}
each_loss = pytest.mark.parametrize("name", LOSSES)


@each_loss
@pytest.mark.parametrize("classes", [1, 2, 5])
def test_a_loss_equals_the_plain_formula(name, classes):
    targets, logits = batch(classes)
    assert float(LOSSES[name](targets, logits)) == pytest.approx(
        PLAIN[name](targets, logits), rel=1e-4
    )


@each_loss
def test_a_class_that_no_pixel_has_does_not_count(name):
    """As one that only void pixels have: it would say nothing about how well it is found."""
    targets, logits = batch(4)
    targets[targets[..., 0] == 3] = (3, 0)
    assert (targets[..., 0] == 3).any()
    assert float(LOSSES[name](targets, logits)) == pytest.approx(
        PLAIN[name](targets, logits), rel=1e-4
    )


@each_loss
@pytest.mark.parametrize("classes", [1, 3])
def test_void_has_no_part(name, classes):
    targets, logits = batch(classes)
    void = targets[..., 1] == 0
    assert void.any()
    before = float(LOSSES[name](targets, logits))
    rng = np.random.default_rng(1)
    other, others = targets.copy(), logits.copy()
    other[void, 0] = rng.integers(0, max(2, classes), void.sum())
    others[void] = rng.normal(0, 30, others[void].shape)
    assert float(LOSSES[name](other, others)) == pytest.approx(before, rel=1e-5)
    others = logits.copy()
    others[~void] += rng.normal(0, 1, others[~void].shape)
    assert float(LOSSES[name](targets, others)) != pytest.approx(before, rel=1e-3)


@each_loss
def test_one_logit_is_two_of_which_the_first_is_zero(name):
    targets, one = batch(1)
    two = np.concatenate([np.zeros_like(one), one], -1)
    assert float(LOSSES[name](targets, one)) == pytest.approx(float(LOSSES[name](targets, two)))


@each_loss
def test_the_truth_costs_nothing_and_any_change_costs_more(name):
    targets, _ = batch(3, void=0.2)
    right = 30 * np.eye(3, dtype=np.float32)[targets[..., 0].astype(int)]
    best = float(LOSSES[name](targets, right))
    assert 0 <= best < 1e-4
    at = tuple(np.argwhere(targets[..., 1] > 1)[0])
    wrong = right.copy()
    wrong[at] = np.roll(wrong[at], 1)
    assert float(LOSSES[name](targets, wrong)) > best + 0.01


@each_loss
@pytest.mark.parametrize("classes", [1, 4])
@pytest.mark.parametrize("cell", [2, 4])
def test_squares_of_equal_logits_give_the_same_value_at_once(name, classes, cell):
    """And the same gradient, spread evenly over each square."""
    import tensorflow

    rng = np.random.default_rng(2)
    height, width = 3 * cell, 2 * cell
    class_ids = rng.integers(0, max(2, classes), (2, height, width))
    weights = rng.uniform(0.1, 2, class_ids.shape) * (rng.random(class_ids.shape) > 0.3)
    targets = np.stack([class_ids, weights], -1).astype(np.float32)
    coarse = rng.normal(0, 2, (2, 3, 2, classes)).astype(np.float32)
    logits = tensorflow.Variable(coarse.repeat(cell, 1).repeat(cell, 2))
    losses, gradients = [], []
    for argument in ({}, {"cell": cell}):
        with tensorflow.GradientTape() as tape:
            loss = LOSSES[name](targets, logits, **argument)
        gradient = tape.gradient(loss, logits).numpy()
        squares = gradient.reshape(2, 3, cell, 2, cell, classes)
        losses.append(float(loss))
        gradients.append(squares.sum((2, 4)))
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert gradients[1] == pytest.approx(gradients[0], rel=1e-4, abs=1e-7)
    assert np.ptp(squares, axis=(2, 4)).max() == 0


LOSSES_AND_GAMMAS = LOSSES | {
    f"focal {gamma}": lambda t, x, gamma=gamma: focal_loss(t, x, gamma) for gamma in (0, 0.5, 1)
}


@pytest.mark.parametrize("name", LOSSES_AND_GAMMAS)
@pytest.mark.parametrize("spread", [0, 1, 50, 1e4])
def test_gradients_are_finite(name, spread):
    """Also where the network is sure, right or wrong; and where all is void."""
    import tensorflow

    targets, logits = batch(3)
    for weight in (1, 0):
        variable = tensorflow.Variable(spread * logits)
        with tensorflow.GradientTape() as tape:
            loss = LOSSES_AND_GAMMAS[name](targets * np.float32([1, weight]), variable)
        gradient = tape.gradient(loss, variable).numpy()
        assert np.isfinite(gradient).all() and np.isfinite(float(loss))
        void = targets[..., 1] * weight == 0
        assert (gradient[void] == 0).all()
        if weight and spread <= 1:
            assert np.abs(gradient[~void]).max() > 0


def test_focal_without_focus_is_cross_entropy():
    targets, logits = batch()
    plain = float(cross_entropy(targets, logits))
    assert float(focal_loss(targets, logits, gamma=0)) == pytest.approx(plain)
    assert float(focal_loss(targets, logits, gamma=2)) < plain


def test_tversky_with_equal_weights_is_dice():
    targets, logits = batch()
    dice = float(dice_loss(targets, logits))
    assert float(tversky_loss(targets, logits, 0.5, 0.5)) == pytest.approx(dice)
    # What is missed costs more with a larger beta.
    shy = logits.copy()
    shy[..., 0] += 5
    assert float(tversky_loss(targets, shy, 0.1, 0.9)) > float(tversky_loss(targets, shy, 0.9, 0.1))


def test_the_sum_is_the_sum():
    targets, logits = batch()
    assert float(cross_entropy_and_dice(targets, logits)) == pytest.approx(
        float(cross_entropy(targets, logits)) + float(dice_loss(targets, logits))
    )


def test_weights_of_a_mask_count_in_the_loss():
    """The weight map between two regions: an error in the gap costs more than one elsewhere."""
    mask = np.zeros((20, 30), np.uint8)
    mask[5:15, 3:13] = mask[5:15, 16:26] = 1
    mask[0] = VOID
    targets = make_targets(mask, boundary=10)[None]
    right = np.where(mask == 1, 8, -8).astype(np.float32)[None, ..., None]
    costs = []
    for place in ((10, 14), (18, 2), (0, 5)):
        wrong = right.copy()
        wrong[0][place] = 8
        costs.append(float(cross_entropy(targets, wrong)))
    between, elsewhere, void = costs
    assert between > 5 * elsewhere > 5 * void > 0
    assert void == pytest.approx(float(cross_entropy(targets, right)))


def test_losses_take_logits_of_half_precision():
    targets, logits = batch()
    half = keras.ops.cast(logits, "float16")
    for loss in LOSSES.values():
        assert loss(targets, half).dtype == "float32"
        assert float(loss(targets, half)) == pytest.approx(float(loss(targets, logits)), rel=1e-2)
