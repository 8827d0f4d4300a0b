"""The feature network: names, folding of batch normalisation, normalised responses."""

import keras
import numpy as np
import pytest

from cvtool.style.vgg_small import fold_batch_norm, layer_names, normalise_responses, vgg_small

WIDTHS, DEPTHS = (3, 4, 5), (2, 1, 2)


def some_pictures(count=4, side=24):
    noise = np.random.default_rng(0).integers(0, 256, (count, side // 4, side // 4, 3))
    return np.kron(noise, np.ones((1, 4, 4, 1))).astype(np.uint8)


def activations(network, names, pictures):
    outputs = [network.get_layer(name).output for name in names]
    probe = keras.Model(network.input, outputs)
    return [np.asarray(x) for x in probe(pictures.astype(np.float32))]


@pytest.fixture
def trained():
    """With batch normalisation whose numbers are not those it begins with."""
    keras.utils.set_random_seed(3)
    network = vgg_small(WIDTHS, DEPTHS, batch_norm=True)
    rng = np.random.default_rng(4)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            width = layer.gamma.shape[0]
            layer.set_weights(
                [
                    rng.uniform(0.5, 2, width),
                    rng.normal(0, 0.3, width),
                    rng.normal(0, 0.3, width),
                    rng.uniform(0.2, 3, width),
                ]
            )
    return network


def test_layers_have_the_names_of_vgg():
    assert layer_names((2, 1)) == ["block1_conv1", "block1_conv2", "block2_conv1"]
    network = vgg_small(WIDTHS, DEPTHS)
    assert [x.name for x in network.layers if "conv" in x.name] == layer_names(DEPTHS)
    assert network.compute_output_shape((2, 32, 40, 3)) == (2, 8, 10, 5)


def test_folding_keeps_the_function(trained):
    pictures = some_pictures()
    folded = fold_batch_norm(trained, WIDTHS, DEPTHS)
    names = layer_names(DEPTHS)
    before = activations(trained, [f"{name}_relu" for name in names], pictures)
    after = activations(folded, names, pictures)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
    assert not any(isinstance(x, keras.layers.BatchNormalization) for x in folded.layers)


def test_normalising_changes_each_channel_by_a_factor_alone(trained):
    pictures = some_pictures(5)
    network = fold_batch_norm(trained, WIDTHS, DEPTHS)
    names = layer_names(DEPTHS)
    before = activations(network, names, pictures)
    normalise_responses(network, pictures, batch=2)
    for one, other in zip(before, activations(network, names, pictures), strict=True):
        alive = np.sqrt((one**2).mean((0, 1, 2))) > 1e-3
        assert alive.any()
        size = np.sqrt((other**2).mean((0, 1, 2)))
        np.testing.assert_allclose(size[alive], 1, rtol=1e-3)
        np.testing.assert_allclose(
            other, one / np.sqrt((one**2).mean((0, 1, 2))).clip(1e-3), rtol=1e-3, atol=1e-4
        )


def test_a_dead_filter_stays_dead(trained):
    network = fold_batch_norm(trained, WIDTHS, DEPTHS)
    first = network.get_layer("block1_conv1")
    kernel, bias = first.get_weights()
    kernel[..., 0], bias[0] = 0, -1
    first.set_weights([kernel, bias])
    normalise_responses(network, some_pictures())
    for weights in network.get_weights():
        assert np.isfinite(weights).all()
    dead, alive = activations(network, ["block1_conv1", "block1_conv2"], some_pictures())
    assert dead[..., 0].max() == 0 and alive.max() > 0
