"""Triplet losses against plain loops over all triplets."""

import keras
import numpy as np
import pytest
from keras import ops

from cvtool.faces.triplets import MARGIN, hard_loss, semi_hard_loss, squared_distances


def embeddings(count, dimensions=8, seed=0, spread=1.0):
    """Vectors of length 1, float32; a small spread puts them close together."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=dimensions) + spread * rng.normal(size=(count, dimensions))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def distance(a, b):
    return float(((a - b) ** 2).sum())


def semi_hard_by_hand(labels, points, margin):
    losses = []
    for a, anchor in enumerate(points):
        negatives = [distance(anchor, p) for n, p in enumerate(points) if labels[n] != labels[a]]
        for p, positive in enumerate(points):
            if p == a or labels[p] != labels[a] or not negatives:
                continue
            near = distance(anchor, positive)
            farther = [d for d in negatives if d > near]
            losses.append(max(0, near - (min(farther) if farther else max(negatives)) + margin))
    return np.mean(losses) if losses else 0.0


def hard_by_hand(labels, points, margin):
    losses = []
    for a, anchor in enumerate(points):
        rest = [n for n in range(len(points)) if n != a]
        positives = [distance(anchor, points[n]) for n in rest if labels[n] == labels[a]]
        negatives = [distance(anchor, points[n]) for n in rest if labels[n] != labels[a]]
        if positives and negatives:
            losses.append(max(0, max(positives) - min(negatives) + margin))
    return np.mean(losses) if losses else 0.0


@pytest.mark.parametrize("spread", [0.1, 1.0])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("loss", "by_hand"), [(semi_hard_loss, semi_hard_by_hand), (hard_loss, hard_by_hand)]
)
def test_the_loss_is_that_of_a_plain_loop(loss, by_hand, seed, spread):
    labels = np.random.default_rng(seed).integers(0, 5, 17)
    points = embeddings(17, seed=seed, spread=spread)
    found = float(loss(labels, points, 0.3))
    assert found == pytest.approx(by_hand(labels, points, 0.3), abs=1e-5)
    assert found > 0


@pytest.mark.parametrize("loss", [semi_hard_loss, hard_loss])
def test_without_a_triplet_there_is_no_loss(loss):
    points = embeddings(6)
    assert float(loss(np.arange(6), points)) == 0  # nobody twice
    assert float(loss(np.zeros(6, int), points)) == 0  # nobody else


@pytest.mark.parametrize("loss", [semi_hard_loss, hard_loss])
def test_people_far_apart_cost_nothing_and_people_at_one_point_the_margin(loss):
    apart = np.eye(3, dtype=np.float32).repeat(2, axis=0)
    labels = np.arange(3).repeat(2)
    assert float(loss(labels, apart)) == 0
    together = np.tile(embeddings(1), (6, 1))
    assert float(loss(labels, together)) == pytest.approx(MARGIN, abs=1e-5)


def test_squared_distances_are_those_of_the_vectors():
    points = embeddings(9, spread=3)
    expected = ((points[:, None] - points[None]) ** 2).sum(-1)
    np.testing.assert_allclose(ops.convert_to_numpy(squared_distances(points)), expected, atol=1e-5)


@pytest.mark.parametrize("loss", [semi_hard_loss, hard_loss])
def test_it_can_be_trained_with(loss):
    """Points in a plane that a network must sort into three directions."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 96)
    x = (rng.normal(size=(3, 4))[labels] + 0.3 * rng.normal(size=(96, 4))).astype(np.float32)
    network = keras.Sequential(
        [keras.layers.Dense(16, "relu"), keras.layers.Dense(4), keras.layers.UnitNormalization()]
    )
    network.compile(keras.optimizers.Adam(0.02), loss)
    history = network.fit(x, labels, batch_size=32, epochs=15, verbose=0).history["loss"]
    assert history[-1] < 0.3 * history[0]
