"""Adaptive instance normalisation and the networks round it."""

import keras
import numpy as np
import pytest

from cvtool.style import adain, reflection
from cvtool.style.vgg_small import vgg_small
from tiny_style import DECODER, DEPTHS, WIDTHS


def by_numpy(content, style):
    """Equation 8 of the paper, in float64."""
    axes = (1, 2)
    c, s = content.astype(np.float64), style.astype(np.float64)
    normal = (c - c.mean(axes, keepdims=True)) / c.std(axes, keepdims=True)
    return normal * s.std(axes, keepdims=True) + s.mean(axes, keepdims=True)


def test_adain_is_that_of_the_paper():
    rng = np.random.default_rng(0)
    content = rng.gamma(1, 2, (2, 7, 9, 5)).astype(np.float32)
    style = rng.normal(3, 4, (2, 6, 4, 5)).astype(np.float32)
    made = np.asarray(adain.adain(content, *adain.statistics(style)))
    np.testing.assert_allclose(made, by_numpy(content, style), rtol=1e-3, atol=1e-3)


def test_own_statistics_leave_features_as_they_are():
    content = np.random.default_rng(1).normal(0, 1, (1, 6, 6, 3)).astype(np.float32)
    made = np.asarray(adain.adain(content, *adain.statistics(content)))
    np.testing.assert_allclose(made, content, atol=1e-4)


def test_a_channel_without_spread_becomes_the_styles_mean():
    content = np.full((1, 4, 4, 1), 7, np.float32)
    made = adain.adain(content, np.full((1, 1), 2.0), np.full((1, 1), 3.0))
    np.testing.assert_allclose(np.asarray(made), 2, atol=1e-3)


@pytest.mark.parametrize(("height", "width"), [(2, 2), (3, 8)])
def test_the_decoder_makes_eight_pixels_of_a_cell(height, width):
    decoder = adain.decoder(WIDTHS[3], DECODER)
    features = np.random.default_rng(2).normal(0, 9, (2, height, width, WIDTHS[3]))
    pixels = np.asarray(decoder(features.astype(np.float32)))
    assert pixels.shape == (2, 8 * height, 8 * width, 3)
    assert pixels.min() >= 0 and pixels.max() <= 255


def test_padding_is_a_reflection_and_doubling_repeats():
    x = np.random.default_rng(3).normal(0, 1, (2, 4, 5, 3)).astype(np.float32)
    padded = np.asarray(reflection.ReflectionPadding()(x))
    np.testing.assert_array_equal(padded, np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect"))
    doubled = np.asarray(adain.Doubling()(x))
    np.testing.assert_array_equal(doubled, x.repeat(2, axis=1).repeat(2, axis=2))


def test_layers_know_their_output_shapes():
    for layer, shape in ((reflection.ReflectionPadding(), (6, 7)), (adain.Doubling(), (8, 10))):
        assert layer.compute_output_shape((2, 4, 5, 3)) == (2, *shape, 3)
        assert layer.compute_output_shape((None, None, None, 3)) == (None, None, None, 3)


def test_the_encoder_ends_at_the_last_layer_named():
    network = vgg_small(WIDTHS, DEPTHS)
    encoder = reflection.reflected(network, adain.LAYERS)
    pictures = np.random.default_rng(4).uniform(0, 255, (1, 32, 24, 3)).astype(np.float32)
    outputs = encoder(pictures)
    assert [tuple(x.shape[1:]) for x in outputs] == [(32, 24, 4), (16, 12, 4), (8, 6, 6), (4, 3, 8)]
    assert not any(layer.name.startswith("block5") for layer in encoder.layers)
    np.testing.assert_array_equal(
        np.asarray(reflection.reflected(network, adain.LAYERS[-1])(pictures)),
        np.asarray(outputs[-1]),
    )


def test_the_encoder_differs_from_its_network_at_the_edges_alone():
    network = vgg_small(WIDTHS, DEPTHS)
    pictures = np.random.default_rng(5).uniform(0, 255, (1, 64, 72, 3)).astype(np.float32)
    wanted = keras.Model(network.input, network.get_layer(adain.LAYERS[-1]).output)(pictures)
    found = np.asarray(reflection.reflected(network, adain.LAYERS[-1])(pictures))
    inside = (0, slice(2, -2), slice(2, -2))
    np.testing.assert_allclose(found[inside], np.asarray(wanted)[inside], rtol=1e-4, atol=1e-4)
    assert np.abs(found - np.asarray(wanted)).max() > 1e-2
    # A plain picture has no edges.
    plain = np.asarray(
        reflection.reflected(network, adain.LAYERS)(np.full((1, 32, 32, 3), 90, np.float32))[-1]
    )
    np.testing.assert_allclose(plain, np.broadcast_to(plain[:, :1, :1], plain.shape), rtol=1e-4)
