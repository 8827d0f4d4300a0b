"""Every network from scratch takes raw pixels to logits; our own are those of the papers."""

import subprocess
import sys
from dataclasses import replace
from functools import cache

import keras
import numpy as np
import pytest

from cvtool.classification.architectures import residual_block
from cvtool.classification.scratch import SCRATCH, build_scratch
from cvtool.errors import ModelError


@cache
def smallest(name):
    """The network at its smallest size, for three classes."""
    keras.utils.set_random_seed(0)
    return build_scratch(name, 3, SCRATCH[name].smallest)


def pictures(size, count=2):
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3)).astype(np.float32)


def layers_of(network, kind):
    return [layer for layer in network.layers if isinstance(layer, kind)]


@pytest.mark.parametrize("name", SCRATCH)
def test_it_goes_from_pixels_to_logits(name):
    network, entry = smallest(name), SCRATCH[name]
    assert network.layers[0].name == "pixels"
    assert network.layers[-1].name == "logits" and network.name == name == entry.name
    assert network.layers[-1].activation is keras.activations.linear
    assert network.output.shape == (None, 3) and network.output.dtype == "float32"


@pytest.mark.parametrize("name", ["lenet5", "alexnet", "resnet20", "mobilenetv1"])
def test_logits_depend_on_the_picture(name):
    # As in training: with its first averages, a deep batch-normalised network gives zeros.
    logits = np.asarray(smallest(name)(pictures(SCRATCH[name].smallest), training=True))
    assert logits.shape == (2, 3) and logits.dtype == np.float32
    assert np.isfinite(logits).all() and np.abs(logits[0] - logits[1]).max() > 1e-4


@pytest.mark.parametrize("name", SCRATCH)
def test_pixels_are_rescaled_once(name):
    network = smallest(name)
    first = layers_of(network, keras.layers.Conv2D)[0]
    # Padding would add zeros at the border, which the black and the white picture do not have.
    seen = keras.Model(network.input, first.input)
    side = network.input_shape[1] or 80
    black, white = (
        np.asarray(seen(np.full((1, side, side, 3), value, np.float32)))[0, 9, 9]
        for value in (0, 255)
    )
    assert set(np.round(black, 5)) <= {-1.0, 0.0}
    np.testing.assert_allclose(white, 1, atol=1e-5)


@pytest.mark.parametrize("name", SCRATCH)
def test_sizes(name):
    entry = SCRATCH[name]
    assert entry.smallest <= entry.size and entry.source
    with pytest.raises(ModelError, match=f"smallest size is {entry.smallest}$"):
        build_scratch(name, 3, entry.smallest - 1)
    side = smallest(name).input_shape[1]
    assert side == (None if entry.any_size else entry.smallest)
    if entry.any_size:
        odd = entry.smallest + 13
        assert smallest(name).compute_output_shape((2, odd, odd, 3)) == (2, 3)


@pytest.mark.parametrize("name", ["alexnet", "vgg16"])
def test_fixed_networks_have_no_smaller_size(name, monkeypatch):
    size = SCRATCH[name].smallest - 1
    monkeypatch.setitem(SCRATCH, name, replace(SCRATCH[name], smallest=1))
    with pytest.raises(ValueError):
        build_scratch(name, 3, size)


def test_unknown_names_are_answered_before_keras_is_imported():
    code = """
import sys
from cvtool.classification.scratch import build_scratch
from cvtool.errors import ModelError
try:
    build_scratch("resnet2O", 3)
except ModelError as error:
    print(error, "keras" in sys.modules)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert said.startswith('unknown network "resnet2O"; did you mean resnet20')
    assert said.endswith("? False\n")


def test_batch_norm_averages_suit_short_trainings():
    for name in ("resnet20", "mobilenetv2", "efficientnetb0"):
        norms = layers_of(smallest(name), keras.layers.BatchNormalization)
        assert norms and all(norm.momentum <= 0.97 for norm in norms)


def test_resnet20_has_the_paper_s_layers():
    network = smallest("resnet20")
    assert len(layers_of(network, keras.layers.Conv2D)) + 1 == 20
    assert len(layers_of(network, keras.layers.Add)) == 9
    # Option A: the shortcuts have no weights, so all convolutions are 3 x 3.
    assert {c.kernel_size for c in layers_of(network, keras.layers.Conv2D)} == {(3, 3)}


def test_resnet20_shortcut_takes_every_second_pixel_and_zeros():
    maps = keras.Input((None, None, 4))
    block = keras.Model(maps, residual_block(maps, 8, 2, name="b"))
    for layer in layers_of(block, keras.layers.Conv2D):
        layer.kernel.assign(np.zeros(layer.kernel.shape))
    x = np.random.default_rng(0).random((1, 7, 6, 4)).astype(np.float32)
    y = np.asarray(block(x))
    np.testing.assert_allclose(y[..., 2:6], x[:, ::2, ::2], rtol=1e-6)
    assert y.shape == (1, 4, 3, 8) and not y[..., :2].any() and not y[..., 6:].any()


def test_alexnet_convolutions_have_the_paper_s_filters_in_one_tower():
    convs = layers_of(smallest("alexnet"), keras.layers.Conv2D)
    assert [c.filters for c in convs] == [96, 256, 384, 384, 256]
    assert sum(c.count_params() for c in convs) == (
        96 * (11 * 11 * 3 + 1)
        + 256 * (5 * 5 * 96 + 1)
        + 384 * (3 * 3 * 256 + 1)
        + 384 * (3 * 3 * 384 + 1)
        + 256 * (3 * 3 * 384 + 1)
    )


def test_vgg16_starts_with_weights_that_keep_the_signal():
    network = smallest("vgg16")
    for layer in layers_of(network, keras.layers.Conv2D)[4:6]:
        fan_in = np.prod(layer.kernel.shape[:-1])
        assert np.std(np.asarray(layer.kernel)) == pytest.approx((2 / fan_in) ** 0.5, rel=0.02)


def test_alexnet_drops_between_its_hidden_layers_as_well(monkeypatch):
    # Seventeen million random numbers would be drawn for nothing.
    monkeypatch.setattr(keras.initializers.HeUniform, "__call__", keras.initializers.Zeros())
    dropping = build_scratch("alexnet", 3, 67, dropout=0.4)
    assert [d.rate for d in layers_of(dropping, keras.layers.Dropout)] == [0.4, 0.4]
    assert not layers_of(smallest("alexnet"), keras.layers.Dropout)


def test_weights_trained_with_dropout_fit_the_network_without(tmp_path):
    dropping = build_scratch("lenet5", 3, 32, dropout=0.4)
    dropping.save_weights(tmp_path / "a.weights.h5")
    plain = build_scratch("lenet5", 3, 32)
    plain.load_weights(tmp_path / "a.weights.h5")
    x = pictures(32)
    np.testing.assert_allclose(plain(x), dropping(x, training=False), rtol=1e-5)


def test_logits_stay_float32_in_half_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        network = build_scratch("resnet20", 3)
    finally:
        keras.config.set_dtype_policy(before)
    assert network.get_layer("stem_conv").compute_dtype == "float16"
    assert network.output.dtype == "float32"


def test_litert_takes_a_residual_block_at_any_size(tmp_path):
    from cvtool.engines import LiteRTEngine
    from cvtool.models.saving import export_litert

    maps = keras.Input((None, None, 4))
    network = keras.Model(maps, residual_block(maps, 8, 2, name="b"))
    export_litert(network, tmp_path / "a.tflite", float16=False)
    engine = LiteRTEngine(tmp_path / "a.tflite")
    for size in (8, 33):
        x = np.random.default_rng(0).random((2, size, size, 4)).astype(np.float32)
        expected = np.asarray(network(x, training=False))
        np.testing.assert_allclose(engine(x), expected, rtol=1e-3, atol=1e-4)


def test_lenet5_learns_digits():
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    # 8 x 8 numbers from 0 to 16 become 32 x 32 RGB pixels.
    pixels = np.kron(digits.images * 255 / 16, np.ones((4, 4)))[..., None].repeat(3, axis=-1)
    x, x_test, y, y_test = train_test_split(
        pixels.astype(np.float32), digits.target, test_size=400, random_state=0
    )
    keras.utils.set_random_seed(0)
    network = build_scratch("lenet5", 10, 32)
    network.compile(
        keras.optimizers.Adam(2e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    network.fit(x, y, batch_size=32, epochs=4, verbose=0)
    found = np.asarray(network(x_test)).argmax(-1)
    assert (found == y_test).mean() > 0.93
