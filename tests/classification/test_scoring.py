"""Probabilities of logits, and the figures that decide which epoch is best."""

import keras
import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.metrics import average_precision_score, log_loss

from cvtool.classification.scoring import activate, predict_logits, scores_of
from cvtool.classification.store import PictureStore
from cvtool.classification.views import centre_view
from cvtool.pictures.reading import read_picture
from cvtool.pictures.writing import write_picture


@pytest.mark.parametrize("scale", [1, 30, 1000])
def test_activations_agree_with_scipy(scale):
    logits = np.random.default_rng(0).normal(0, scale, (20, 5)).astype(np.float32)
    with np.errstate(all="raise", under="ignore"):
        one, several = activate(logits, False), activate(logits, True)
    np.testing.assert_allclose(one, softmax(logits, axis=1), atol=1e-6)
    np.testing.assert_allclose(several, expit(logits), atol=1e-6)


def test_figures_of_one_label():
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.ones(4), 50)
    labels = np.r_[0, 1, 2, 3, rng.integers(0, 4, 46)]
    found = scores_of(probabilities, np.eye(4)[labels], False)
    assert found == {
        "dev_top1": pytest.approx((probabilities.argmax(axis=1) == labels).mean()),
        "dev_loss": pytest.approx(log_loss(labels, probabilities)),
    }


def test_a_probability_of_zero_gives_no_infinite_loss():
    found = scores_of(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), False)
    assert found["dev_top1"] == 0 and 10 < found["dev_loss"] < 20


def test_figures_of_several_labels():
    rng = np.random.default_rng(2)
    probabilities = rng.random((60, 3))
    targets = rng.integers(0, 2, (60, 3)).astype(np.float32)
    targets[::7, 1] = np.nan
    found = scores_of(probabilities, targets, True)
    known = ~np.isnan(targets)
    precisions = [
        average_precision_score(targets[known[:, c], c], probabilities[known[:, c], c])
        for c in range(3)
    ]
    assert found["dev_map"] == pytest.approx(np.mean(precisions))
    right = (probabilities >= 0.5) == targets
    assert found["dev_accuracy"] == pytest.approx(right[known].mean())


def test_nothing_labelled_scores_zero():
    # A number is needed to compare epochs by.
    nothing = np.full((2, 3), np.nan)
    found = scores_of(np.full((2, 3), 0.5), nothing, True)
    assert found == {"dev_map": 0.0, "dev_accuracy": 0.0}


def test_logits_are_those_of_the_centre_views_in_order(tmp_path):
    rng = np.random.default_rng(3)
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path in paths:
        write_picture(path, rng.integers(0, 256, (20, 30, 3)).astype(np.uint8))
    store = PictureStore(paths, 16)
    pixels = keras.Input((16, 16, 3))
    model = keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(pixels))
    found = predict_logits(model, store, [2, 0])
    expected = [centre_view(read_picture(paths[i]), 16).mean(axis=(0, 1)) for i in (2, 0)]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5)
