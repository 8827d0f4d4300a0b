"""The loss of several labels, against a loop in NumPy."""

import math

import keras
import numpy as np
import pytest

from cvtool.classification.losses import MaskedBinaryCrossentropy, training_loss


def looped(targets, logits, smoothing=0.0):
    """Sum over the labelled entries of -t log p - (1 - t) log(1 - p), divided by the rows."""
    total = 0.0
    for target_row, logit_row in zip(targets, logits, strict=True):
        for target, logit in zip(target_row, logit_row, strict=True):
            if target < 0:
                continue
            target = target * (1 - smoothing) + smoothing / 2
            p = 1 / (1 + math.exp(-logit))
            total -= target * math.log(p) + (1 - target) * math.log(1 - p)
    return total / len(targets)


def batch(seed=0, rows=6, classes=4):
    rng = np.random.default_rng(seed)
    targets = rng.choice([-1.0, 0.0, 1.0], (rows, classes)).astype(np.float32)
    return targets, rng.normal(0, 3, (rows, classes)).astype(np.float32)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_cross_entropy_of_what_is_labelled(smoothing, seed):
    targets, logits = batch(seed)
    assert (targets < 0).any() and (targets > 0).any()
    found = float(MaskedBinaryCrossentropy(smoothing)(targets, logits))
    assert found == pytest.approx(looped(targets, logits, smoothing), rel=1e-5)


def test_mixed_targets_count_in_parts():
    targets, logits = np.array([[0.3, 1.0]], np.float32), np.array([[0.7, -0.2]], np.float32)
    found = float(MaskedBinaryCrossentropy()(targets, logits))
    assert found == pytest.approx(looped(targets, logits), rel=1e-5)


def test_extreme_logits_stay_finite():
    logits = np.array([[1e4, -1e4, 88.0, -90.0]], np.float32)
    right = np.array([[1, 0, 1, 0]], np.float32)
    loss = MaskedBinaryCrossentropy()
    assert float(loss(right, logits)) == pytest.approx(0, abs=1e-6)
    assert float(loss(1 - right, logits)) == pytest.approx(2e4 + 178, rel=1e-4)


def gradients(targets, logits):
    """Of the loss by its logits: what one step of plain gradient descent at rate 1 takes off."""

    class Logits(keras.layers.Layer):
        def build(self, _):
            shape, start = logits.shape, keras.initializers.Constant(logits)
            self.values = self.add_weight(shape=shape, initializer=start)

        def call(self, inputs):
            return self.values + 0 * inputs

    model = keras.Sequential([keras.Input((logits.shape[1],)), Logits()])
    model.compile(keras.optimizers.SGD(1.0), MaskedBinaryCrossentropy())
    model.train_on_batch(np.zeros_like(logits), targets)
    return logits - model.get_weights()[0]


def test_what_is_not_labelled_has_no_gradient():
    targets, logits = batch()
    logits[0], targets[0] = [1e4, -1e4, 500, 0], [-1, -1, 1, 0]
    found = gradients(targets, logits)
    assert (found[targets < 0] == 0).all()
    known = targets >= 0
    with np.errstate(over="ignore"):
        expected = (1 / (1 + np.exp(-logits.astype(np.float64))) - targets) / len(targets)
    # What a float32 of 500 can lose in the difference.
    np.testing.assert_allclose(found[known], expected[known], atol=5e-5)


def test_it_survives_its_config():
    loss = MaskedBinaryCrossentropy(0.2)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    targets, logits = batch()
    assert float(again(targets, logits)) == float(loss(targets, logits))


def test_the_loss_of_one_label_is_smoothed_cross_entropy_of_logits():
    targets = np.array([[0, 1, 0], [1, 0, 0]], np.float32)
    logits = np.array([[1.0, 2, -1], [40.0, -40, 0]], np.float32)
    log_p = logits - np.log(np.exp(logits.astype(np.float64)).sum(axis=1, keepdims=True))
    smooth = targets * 0.9 + 0.1 / 3
    found = float(training_loss(False, 0.1)(targets, logits))
    assert found == pytest.approx(-(smooth * log_p).sum(axis=1).mean(), rel=1e-5)


def test_the_loss_of_several_labels_is_the_masked_one():
    loss = training_loss(True, 0.1)
    assert isinstance(loss, MaskedBinaryCrossentropy) and loss.label_smoothing == 0.1
