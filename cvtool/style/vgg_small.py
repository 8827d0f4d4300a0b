"""The embedded feature network of style transfer: a small network of VGG's shape.

Style transfer wants features of a plain stack of convolutions and average pooling (Gatys et
al. 2016, section 2): shortcuts and strides leave their own pattern in the picture. The layers
have the names of `keras.applications.VGG16`.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

from cvtool.backbones import BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM

NAME = "vgg-small"
# Channels and convolutions of each of the five blocks.
WIDTHS = (32, 64, 128, 256, 256)
DEPTHS = (2, 2, 3, 3, 2)


def layer_names(depths=DEPTHS):
    """block1_conv1, block1_conv2, ... in order."""
    return [
        f"block{block}_conv{conv}"
        for block, depth in enumerate(depths, start=1)
        for conv in range(1, depth + 1)
    ]


def vgg_small(widths=WIDTHS, depths=DEPTHS, *, batch_norm=False, name="vgg_small"):
    """Build the network (after Simonyan and Zisserman 2015, table 1).

    Average pooling in place of the paper's maximum (Gatys et al. 2016, section 2), half the
    channels or fewer, batch normalisation while it is trained.

    Args:
        widths: channels of each block.
        depths: 3 x 3 convolutions of each block.
        batch_norm: normalise before each ReLU: for training, see `fold_batch_norm`.
        name: name of the Keras model.
    Returns:
        keras.Model from RGB pixels in [0, 255], float (N, H, W, 3), to the last block's
        activations, float (N, H / 16, W / 16, widths[-1]), never negative. The layer
        block2_conv1 gives that layer's activations (with `batch_norm`, block2_conv1_relu).
    """
    pixels = keras.Input((None, None, 3), name="pixels")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(pixels)
    for block, (width, depth) in enumerate(zip(widths, depths, strict=True), start=1):
        for conv in range(1, depth + 1):
            x = convolution(x, width, batch_norm, f"block{block}_conv{conv}")
        if block < len(widths):
            x = layers.AveragePooling2D(2, name=f"block{block}_pool")(x)
    return keras.Model(pixels, x, name=name)


def build(preset):
    """The Keras network of a preset, with untrained weights."""
    return vgg_small(**preset.architecture)


def convolution(x, filters, batch_norm, name):
    """A 3 x 3 convolution and a ReLU, float (N, H, W, filters)."""
    options = {"padding": "same", "kernel_initializer": "he_normal", "name": name}
    if not batch_norm:
        return layers.Conv2D(filters, 3, activation="relu", **options)(x)
    x = layers.Conv2D(filters, 3, use_bias=False, **options)(x)
    x = layers.BatchNormalization(
        momentum=BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON, name=f"{name}_bn"
    )(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)


def fold_batch_norm(trained, widths=WIDTHS, depths=DEPTHS):
    """The same function without batch normalisation, which goes into kernels and biases.

    Args:
        trained: `vgg_small(widths, depths, batch_norm=True)`.
    Returns:
        `vgg_small(widths, depths)` with weights so that both give the same activations.
    """
    folded = vgg_small(widths, depths)
    for name in layer_names(depths):
        kernel = ops.convert_to_numpy(trained.get_layer(name).kernel)
        gamma, beta, mean, variance = trained.get_layer(f"{name}_bn").get_weights()
        scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        folded.get_layer(name).set_weights([kernel * scale, beta - mean * scale])
    return folded


def normalise_responses(network, pictures, batch=8, floor=1e-3):
    """Scale each filter so that the mean square of its activations over the pictures is 1.

    ReLU and average pooling let a factor through, so the next layer's kernel takes the inverse
    and the function stays the same but for the factors. Layers and filters then weigh alike in
    a loss. Gatys et al. (2016, section 2) scale VGG-19 so that the mean is 1; with the mean
    square, which is the diagonal of a Gram matrix, a filter that is seldom active does not
    outweigh the others.

    Args:
        network: a network of `vgg_small` without batch normalisation, or one of
            `features.with_average_pooling`; changed in place.
        pictures: float or uint8 (N, H, W, 3), RGB in [0, 255].
        batch: pictures at a time.
        floor: filters whose root mean square is less (dead ones) are scaled as if it were this.
    """
    # A 1 x 1 convolution is preprocessing: it has no ReLU.
    convolutions = [
        layer
        for layer in network.layers
        if isinstance(layer, layers.Conv2D) and layer.kernel_size == (3, 3)
    ]
    probe = keras.Model(network.input, [c.output for c in convolutions])
    sums = [0.0] * len(convolutions)
    for start in range(0, len(pictures), batch):
        part = np.asarray(pictures[start : start + batch], np.float32)
        for i, activations in enumerate(probe(part)):
            squares = ops.mean(ops.square(activations), (1, 2))
            sums[i] = sums[i] + ops.convert_to_numpy(squares).sum(0)
    before = np.ones(3, np.float32)
    for conv, total in zip(convolutions, sums, strict=True):
        scale = np.maximum(np.sqrt(total / len(pictures)), floor)
        kernel, bias = conv.get_weights()
        conv.set_weights([kernel * before[:, None] / scale, bias / scale])
        before = scale
