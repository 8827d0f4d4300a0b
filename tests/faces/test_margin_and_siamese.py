"""The softmax with a margin, and the siamese classifier, against plain formulas."""

import keras
import numpy as np
import pytest
from keras import ops

from cvtool.faces.margin import Cosines, margin_softmax
from cvtool.faces.siamese import siamese_head


def test_margin_softmax_is_the_papers_formula():
    rng = np.random.default_rng(0)
    cosines, labels = rng.uniform(-1, 1, (7, 5)).astype(np.float32), rng.integers(0, 5, 7)
    for margin in (0.0, 0.35):
        expected = []
        for row, right in zip(cosines, labels, strict=True):
            top = np.exp(12 * (row[right] - margin))
            others = sum(np.exp(12 * row[j]) for j in range(5) if j != right)
            expected.append(-np.log(top / (top + others)))
        found = margin_softmax(labels, cosines, scale=12, margin=margin)
        np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=1e-4)


def test_cosines_are_those_of_the_angles():
    layer = Cosines(3)
    x = np.array([[1, 0], [0.6, 0.8]], np.float32)
    layer.build((None, 2))
    layer.directions.assign([[2.0, 0.0, -3.0], [0.0, 5.0, 0.0]])
    np.testing.assert_allclose(
        ops.convert_to_numpy(layer(x)), [[1, 0, -1], [0.6, 0.8, -0.6]], atol=1e-6
    )


@pytest.mark.parametrize("form", ["absolute", "chi-squared"])
def test_the_siamese_classifier_is_the_papers_formula(form):
    head = siamese_head(4, form)
    weights, bias = np.array([1.0, -2.0, 0.5, 3.0]), 0.25
    head.get_layer("same").set_weights([weights[:, None], np.array([bias])])
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 6, 4)).astype(np.float32)
    if form == "absolute":
        differences = np.abs(one - other)
    else:
        differences = (one - other) ** 2 / (np.abs(one) + np.abs(other))
    expected = 1 / (1 + np.exp(-(differences @ weights + bias)))
    found = head.predict([one, other], verbose=0)[:, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    # It does not matter which comes first; of a face with itself, only the bias speaks.
    np.testing.assert_allclose(head.predict([other, one], verbose=0)[:, 0], found, rtol=1e-5)
    np.testing.assert_allclose(head.predict([one, one], verbose=0), 1 / (1 + np.exp(-bias)))


def test_the_siamese_classifier_learns_who_is_the_same():
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    people = rng.normal(size=(40, 8))
    first, second = rng.integers(0, 40, (2, 400))
    second[::2] = first[::2]
    noise = rng.normal(size=(2, 400, 8)) * 0.2
    one, other = (people[first] + noise[0]), (people[second] + noise[1])
    head = siamese_head(8)
    head.compile(keras.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    head.fit([one, other], first == second, epochs=30, batch_size=50, verbose=0)
    assert head.evaluate([one, other], first == second, verbose=0)[1] > 0.95
