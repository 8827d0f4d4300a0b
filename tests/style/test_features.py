"""Feature networks."""

import keras
import numpy as np
import pytest

from cvtool.models.applications import application_features
from cvtool.style.features import CHOICES, convolution_names, with_average_pooling


@pytest.fixture(scope="module")
def vgg16():
    return application_features("vgg16", weights=None)


def test_pooling_of_a_vgg_network_becomes_average_and_the_weights_stay(vgg16):
    network = with_average_pooling(vgg16)
    kinds = {type(layer).__name__ for layer in network.layers}
    assert "AveragePooling2D" in kinds and "MaxPooling2D" not in kinds
    names = convolution_names(network)
    assert names[0] == "block1_conv1" and names[-1] == "block5_conv3" and len(names) == 13
    # Before the first pooling the two networks agree.
    inner = next(layer for layer in vgg16.layers if isinstance(layer, keras.Model))
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype(np.float32)
    bgr = pixels[..., ::-1] - np.array([103.939, 116.779, 123.68], np.float32)
    layer = "block1_conv2"
    expected = keras.Model(inner.input, inner.get_layer(layer).output)(bgr)
    found = keras.Model(network.input, network.get_layer(layer).output)(pixels)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_the_layers_of_choice_exist(name, vgg16):
    network = vgg16 if name == "vgg16" else application_features(name, weights=None)
    known = convolution_names(with_average_pooling(network))
    choice = CHOICES[name]
    assert choice.content_layer in known and set(choice.style_layers) <= set(known)
