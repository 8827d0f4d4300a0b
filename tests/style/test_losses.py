"""The losses of style transfer against plain loops, and their gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cvtool.style.losses import content_loss, gram_matrix, style_loss, total_variation

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(1, 4, 5, 3))
TARGET = RNG.normal(size=(1, 4, 5, 3))


def loop_gram(features, weights=None):
    _, height, width, channels = features.shape
    gram = np.zeros((channels, channels))
    weights = np.ones((height, width)) if weights is None else weights
    for i in range(channels):
        for j in range(channels):
            for y in range(height):
                for x in range(width):
                    gram[i, j] += weights[y, x] * features[0, y, x, i] * features[0, y, x, j]
    return gram / weights.sum()


def numbers(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_content_loss_is_half_the_mean_square():
    total = 0.0
    for a, b in zip(FEATURES.ravel(), TARGET.ravel(), strict=True):
        total += (a - b) ** 2 / 2
    assert numbers(content_loss(FEATURES, TARGET)) == pytest.approx(total / FEATURES.size)
    assert numbers(content_loss(FEATURES, FEATURES)) == 0


def test_gram_matrix_against_a_loop():
    gram = numbers(gram_matrix(FEATURES))
    np.testing.assert_allclose(gram, loop_gram(FEATURES), rtol=1e-12)
    np.testing.assert_allclose(gram, gram.T, rtol=1e-12)


def test_gram_matrix_of_weighted_positions_against_a_loop():
    weights = RNG.uniform(size=(4, 5))
    gram = numbers(gram_matrix(FEATURES, weights))
    np.testing.assert_allclose(gram, loop_gram(FEATURES, weights), rtol=1e-12)


def test_gram_matrix_does_not_depend_on_the_order_or_number_of_positions():
    twice = np.concatenate([FEATURES, FEATURES[:, ::-1]], axis=1)
    np.testing.assert_allclose(numbers(gram_matrix(twice)), numbers(gram_matrix(FEATURES)))


def test_style_loss_is_a_quarter_of_the_mean_square():
    gram, target = loop_gram(FEATURES), loop_gram(TARGET)
    # Equation 4 with N = 3 filters; M is in the Gram matrices.
    assert numbers(style_loss(gram, target)) == pytest.approx(
        ((gram - target) ** 2).sum() / (4 * 3**2)
    )


def test_total_variation_against_a_loop():
    down, right = [], []
    for y in range(4):
        for x in range(5):
            for c in range(3):
                if y < 3:
                    down.append((FEATURES[0, y + 1, x, c] - FEATURES[0, y, x, c]) ** 2)
                if x < 4:
                    right.append((FEATURES[0, y, x + 1, c] - FEATURES[0, y, x, c]) ** 2)
    assert numbers(total_variation(FEATURES)) == pytest.approx(np.mean(down) + np.mean(right))
    assert numbers(total_variation(np.ones((1, 3, 3, 3)))) == 0


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: content_loss(x, TARGET),
        lambda x: style_loss(gram_matrix(x), loop_gram(TARGET)),
        lambda x: style_loss(gram_matrix(x, np.arange(20.0).reshape(4, 5)), loop_gram(TARGET)),
        total_variation,
    ],
    ids=["content", "style", "style under a mask", "total variation"],
)
def test_gradients_against_two_sided_differences(loss):
    """In float64, at every coordinate: relative error below 1e-5."""
    x = tf.Variable(FEATURES)
    with tf.GradientTape() as tape:
        value = loss(x)
    gradient = tape.gradient(value, x).numpy()
    step = 1e-5
    expected = np.zeros_like(FEATURES)
    for index in np.ndindex(FEATURES.shape):
        moved = FEATURES.copy()
        moved[index] += step
        above = float(numbers(loss(moved)))
        moved[index] -= 2 * step
        expected[index] = (above - float(numbers(loss(moved)))) / (2 * step)
    error = np.linalg.norm(gradient - expected)
    assert error / (np.linalg.norm(gradient) + np.linalg.norm(expected)) < 1e-5
