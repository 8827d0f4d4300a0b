"""Receptive fields: against gradients, and as published for whole networks."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers

from cvtool.segmentation.unet import CutTo, unet
from cvtool.visualising.layers import find_layers
from cvtool.visualising.receptive_fields import field_after, pixels_field

positive = {"kernel_initializer": "ones", "use_bias": False}
windows = st.fixed_dictionaries(
    {
        "kernel_size": st.tuples(st.integers(1, 4), st.integers(1, 4)),
        "padding": st.sampled_from(["same", "valid"]),
    }
)
strides = st.tuples(st.integers(1, 3), st.integers(1, 3))
edges = st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * 2)


@st.composite
def linear_layer(draw):
    """A layer whose outputs rise with every input in their windows."""
    kind = draw(st.sampled_from(["conv", "dilated", "deep", "separable", "pool", "transposed"]))
    if kind in ("conv", "deep", "separable", "transposed"):
        options = draw(windows)
        if kind == "conv":
            return layers.Conv2D(2, strides=draw(strides), **options, **positive)
        if kind == "transposed":
            return layers.Conv2DTranspose(2, strides=draw(strides), **options, **positive)
        side = options.pop("kernel_size")[0]
        stride = draw(st.integers(1, 2))
        if kind == "deep":
            return layers.DepthwiseConv2D(
                side, stride, depthwise_initializer="ones", use_bias=False, **options
            )
        ones = {"depthwise_initializer": "ones", "pointwise_initializer": "ones"}
        return layers.SeparableConv2D(2, side, stride, use_bias=False, **ones, **options)
    if kind == "dilated":
        rate = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
        padding = draw(st.sampled_from(["same", "valid"]))
        return layers.Conv2D(2, 3, dilation_rate=rate, padding=padding, **positive)
    return draw(
        st.sampled_from(
            [
                layers.AveragePooling2D(3, 2, padding="same"),
                layers.AveragePooling2D(2),
                layers.ZeroPadding2D(draw(edges)),
                layers.Cropping2D(((0, 1), (1, 0))),
                layers.UpSampling2D((2, 3)),
                layers.UpSampling2D((3, 2), interpolation="bilinear"),
                layers.GlobalAveragePooling2D(keepdims=True),
            ]
        )
    )


@st.composite
def branching_network(draw):
    """Linear layers in a row, and here and there two ways that meet again."""
    size = draw(st.integers(9, 16))
    x = pixels = keras.Input((size, size, 3))
    for _ in range(draw(st.integers(1, 4))):
        layer = draw(linear_layer())
        try:
            y = layer(x)
        except ValueError:  # smaller than the window
            continue
        if min(y.shape[1:3]) < 1 or max(y.shape[1:3]) > 40:
            continue
        if draw(st.booleans()):
            side = draw(st.integers(1, 5))
            z = layers.Conv2D(2, side, padding="same", **positive)(y)
            y = layers.Concatenate()([y, z]) if draw(st.booleans()) else layers.Add()([z, z])
        x = y
    return keras.Model(pixels, layers.Conv2D(1, 1, **positive)(x))


def seen_by_gradient(network, size, positions):
    """For each position of the output, x1, y1, x2, y2 round the pixels that it changes with."""
    pixels = tf.fill((len(positions), size, size, 3), 200.0)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        output = network(pixels, training=False)
        total = tf.add_n([output[n, row, column, 0] for n, (row, column) in enumerate(positions)])
    found = []
    for gradient in tape.gradient(total, pixels).numpy():
        rows, columns = (np.flatnonzero(gradient.any(axis=axis)) for axis in ((1, 2), (0, 2)))
        found.append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) if len(rows) else None)
    return found


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(network=branching_network(), data=st.data())
def test_a_box_is_exactly_what_the_gradient_reaches(network, data):
    size = network.input_shape[1]
    field = list(find_layers(network, size).values())[-1].field
    height, width = network.output_shape[1:3]
    place = st.tuples(st.integers(0, height - 1), st.integers(0, width - 1))
    corners = [(0, 0), (height - 1, width - 1), data.draw(place), data.draw(place)]
    for position, seen in zip(corners, seen_by_gradient(network, size, corners), strict=True):
        assert field.sees[position] == (seen is not None)
        if seen is not None:
            assert field.box(*position) == seen


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_pixels_outside_the_box_change_nothing_in_a_unet(padding):
    # With maximum pooling, maps that are cut, and ways of different lengths.
    size = 77
    network = unet(2, base=2, depth=2, padding=padding, size=size)
    layer = find_layers(network, size)["logits"]
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (1, size, size, 3)).astype(np.float32)
    before = network(pixels).numpy()[0]
    last = layer.shape[0] - 1
    for position in [(0, 0), (last // 2, 1), (last, last)]:
        x1, y1, x2, y2 = layer.field.box(*position)
        others = rng.integers(0, 255, pixels.shape).astype(np.float32)
        others[:, y1:y2, x1:x2] = pixels[:, y1:y2, x1:x2]
        after = network(others).numpy()[0]
        assert np.allclose(after[position], before[position], atol=1e-5)
        assert not np.allclose(after, before, atol=1e-2)


@pytest.mark.parametrize(("here", "there"), [(9, 4), (8, 8), (7, 6)])
def test_a_map_that_is_cut_to_another_keeps_its_pixels(here, there):
    cut = CutTo()
    maps = np.arange(here)[:, None] * 100 + np.arange(here)
    kept = np.array(cut([maps[None, ..., None], np.zeros((1, there, there, 1))]))[0, ..., 0]
    fields = [pixels_field(here, here), pixels_field(here, here)]
    field = field_after(cut, fields, (*kept.shape, 1))
    boxes = [[field.box(r, c) for c in range(there)] for r in range(there)]
    assert [[y * 100 + x for x, y, *_ in row] for row in boxes] == kept.tolist()


def test_published_sizes_of_vgg16():
    # Araujo et al. 2019, table 1: 212 after the last pooling; 196 for conv5_3, 8 x 2 less.
    network = keras.applications.VGG16(weights=None, include_top=False, input_shape=(320, 320, 3))
    found = find_layers(network, 320)
    sizes = {name: found[name].field.size for name in ("block1_conv2", "block5_conv3")}
    assert sizes == {"block1_conv2": (5, 5), "block5_conv3": (196, 196)}
    assert found["block5_pool"].field.size == (212, 212)


def test_published_size_of_mobilenet():
    network = keras.applications.MobileNet(
        alpha=0.25, weights=None, include_top=False, input_shape=(480, 480, 3)
    )
    assert list(find_layers(network, 480).values())[-1].field.size == (315, 315)


def test_a_gate_from_the_whole_picture_sees_everything():
    # Squeeze and excitation.
    x = pixels = keras.Input((12, 12, 3))
    x = layers.Conv2D(3, 3, name="conv")(x)
    gate = layers.Dense(3, activation="sigmoid")(layers.GlobalAveragePooling2D()(x))
    x = layers.Multiply(name="gated")([x, layers.Reshape((1, 1, 3))(gate)])
    found = find_layers(keras.Model(pixels, x), 12)
    assert not found["conv"].field.sees_all and found["conv"].field.box(0, 9) == (9, 0, 12, 3)
    assert found["gated"].field.sees_all and found["gated"].field.box(4, 0) == (0, 0, 12, 12)


def test_of_a_layer_of_unknown_kind_the_whole_picture_is_taken():
    flipped = layers.Lambda(lambda x: x[:, ::-1], name="flip")
    field = field_after(flipped, [pixels_field(5, 7)], (5, 7, 3))
    assert field.box(0, 0) == (0, 0, 7, 5)
