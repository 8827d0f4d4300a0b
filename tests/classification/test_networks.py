"""Classifiers as they are built: their outputs, and the parts that share their weights."""

import keras
import numpy as np
import pytest

from cvtool.backbones import csp_backbone
from cvtool.classification import networks
from cvtool.errors import ModelError

SMALL = {"network": "csp", "widths": [8, 8, 8, 16, 16], "depths": [1, 1, 1, 1]}


def noise(count, side):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, side, side, 3)).astype(np.float32)


def answers(network, pixels):
    return np.asarray(network(pixels, training=False))


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(3)
    return networks.classifier(SMALL, 3)


def test_probabilities_sum_to_one_at_any_size(network):
    for side in (32, 48):
        found = answers(network, noise(2, side))
        assert found.shape == (2, 3) and (found > 0).all()
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_the_probabilities_are_the_softmax_of_the_logits(network):
    pixels = noise(2, 32)
    logits = answers(networks.logits_of(network), pixels)
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = raised / raised.sum(axis=1, keepdims=True)
    assert np.abs(logits - expected).max() > 0.1
    np.testing.assert_allclose(answers(network, pixels), expected, atol=1e-5)


def test_several_labels_have_a_sigmoid_each():
    network = networks.classifier(SMALL, 4, several=True)
    pixels = noise(2, 32)
    logits = answers(networks.logits_of(network), pixels)
    np.testing.assert_allclose(answers(network, pixels), 1 / (1 + np.exp(-logits)), atol=1e-5)


def test_the_features_are_the_mean_of_the_last_map_and_lead_to_the_logits(network):
    pixels = noise(2, 64)
    features = answers(networks.features_of(network), pixels)
    last_map = np.asarray(network.get_layer("csp")(pixels, training=False)[-1])
    np.testing.assert_allclose(features, last_map.mean(axis=(1, 2)), atol=1e-5)
    kernel, bias = network.get_layer(networks.LOGITS).get_weights()
    logits = answers(networks.logits_of(network), pixels)
    np.testing.assert_allclose(features @ kernel + bias, logits, atol=1e-4)


def test_parts_share_their_weights_with_the_network(network):
    pixels = noise(1, 32)
    layer = networks.logits_of(network).get_layer(networks.LOGITS)
    before = layer.get_weights()
    layer.set_weights([np.zeros_like(before[0]), np.array([5.0, 0.0, 0.0], np.float32)])
    try:
        assert answers(network, pixels)[0, 0] > 0.98
    finally:
        layer.set_weights(before)
    kernel = network.get_layer("csp").get_layer("stem_conv").kernel
    same = networks.features_of(network).get_layer("csp").get_layer("stem_conv").kernel
    assert kernel is same


def test_the_logits_alone_are_saved_and_loaded_as_one(network, tmp_path):
    networks.logits_of(network).save_weights(tmp_path / "a.weights.h5")
    again = networks.classifier(SMALL, 3)
    networks.logits_of(again).load_weights(tmp_path / "a.weights.h5")
    pixels = noise(2, 32)
    np.testing.assert_allclose(answers(again, pixels), answers(network, pixels), atol=1e-6)


def test_the_backbone_is_the_one_that_detection_starts_from():
    keras.utils.set_random_seed(1)
    network = networks.classifier(SMALL, 2)
    other = csp_backbone(widths=SMALL["widths"], depths=SMALL["depths"])
    shapes = [w.shape for w in network.get_layer("csp").get_weights()]
    assert shapes == [w.shape for w in other.get_weights()]


@pytest.mark.parametrize("several", [False, True])
def test_a_network_from_scratch_has_the_same_ends(several):
    architecture = {"network": "lenet5", "scratch": True, "size": 32, "dropout": 0.3}
    network = networks.classifier(architecture, 3, several=several)
    assert network.input_shape == (None, 32, 32, 3)
    found = answers(network, noise(2, 32))
    assert found.shape == (2, 3)
    assert (np.abs(found.sum(axis=1) - 1) < 1e-5).all() != several
    assert networks.features_of(network) is None
    assert networks.logits_of(network).output_shape == (None, 3)


def test_dropout_is_as_described():
    assert networks.classifier(SMALL | {"dropout": 0.4}, 2).get_layer("dropout").rate == 0.4
    assert networks.classifier(SMALL, 2).get_layer("dropout").rate == 0


@pytest.mark.parametrize("architecture", [{"network": "resnet51"}, {}, {"network": None}])
def test_an_unknown_network_is_refused(architecture):
    with pytest.raises(ModelError, match="unknown network") as error:
        networks.classifier(architecture, 2)
    assert "update cvtool" in str(error.value) and "\n" not in str(error.value)


def test_an_unknown_network_from_scratch_is_refused():
    with pytest.raises(ModelError, match="did you mean lenet5"):
        networks.classifier({"network": "lenet", "scratch": True, "size": 32}, 2)
