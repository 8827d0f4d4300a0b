"""Adaptive instance normalisation: any style in one pass (Huang and Belongie 2017).

The encoder turns a picture into features; `adain` gives each feature of the content the mean and
the standard deviation that it has in the style; the decoder turns the result into a picture. Only
the decoder is trained. This module needs Keras; `cvtool.style.fast` uses the exported networks.
"""

from __future__ import annotations

import keras
from keras import layers, ops

from cvtool.style.channel_statistics import EPSILON
from cvtool.style.reflection import ReflectionPadding

# What style is measured on (the paper's relu1_1 to relu4_1).
LAYERS = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1")
# Channels of the decoder's convolutions by the layer that it reads: a tuple a size, the picture's
# own last.
WIDTHS = {
    "block3_conv1": ((128, 128, 64), (64, 32), (32,)),
    "block4_conv1": ((128,), (128, 64), (64, 32), (32,)),
}
# A shallower layer than the paper's: of our small encoder's block4 a small decoder draws no sharp
# picture.
LAYER = "block3_conv1"


def statistics(features):
    """Mean and standard deviation of each channel over the positions.

    Args:
        features: float (N, h, w, C).
    Returns:
        mean and standard deviation, float32 (N, C) each (Huang and Belongie 2017, equations 5
        and 6).
    """
    features = ops.cast(features, "float32")
    mean, variance = ops.moments(features, axes=(1, 2))
    return mean, ops.sqrt(variance + EPSILON)


def adain(content, mean, deviation):
    """Give features another mean and standard deviation (Huang and Belongie 2017, equation 8).

    Args:
        content: features, float (N, h, w, C).
        mean, deviation: of the style's features, float (N, C), as from `statistics`.
    Returns:
        float32 (N, h, w, C).
    """
    own_mean, own_deviation = (x[:, None, None] for x in statistics(content))
    normal = (ops.cast(content, "float32") - own_mean) / own_deviation
    return normal * deviation[:, None, None] + mean[:, None, None]


@keras.saving.register_keras_serializable("cvtool")
class Doubling(layers.Layer):
    """Nearest-neighbour enlargement to twice the size.

    In place of `UpSampling2D`, whose exported form LiteRT does not run with a free size.
    """

    def call(self, x):
        height, width = ops.shape(x)[1:3]
        x = ops.reshape(ops.stack([x, x], axis=3), (-1, height, 2 * width, x.shape[-1]))
        return ops.reshape(ops.stack([x, x], axis=2), (-1, 2 * height, 2 * width, x.shape[-1]))

    def compute_output_shape(self, shape):
        batch, height, width, channels = shape
        return batch, height and 2 * height, width and 2 * width, channels


def decoder(channels=128, widths=WIDTHS[LAYER], name="decoder"):
    """Build the network from features to a picture: the encoder's mirror image, narrower.

    Nearest-neighbour enlargement and convolutions, no normalisation layers, which would undo the
    statistics that `adain` has set (Huang and Belongie 2017, section 6).

    Args:
        channels: of the features.
        widths: as in WIDTHS.
        name: name of the Keras model.
    Returns:
        keras.Model from features, float (N, h, w, channels), h and w at least 2, to RGB pixels
        in [0, 255], float32 (N, S h, S w, 3), S = 2 ** (len(widths) - 1).
    """
    features = keras.Input((None, None, channels), name="features")
    x = features
    for size, filters in enumerate(widths):
        if size:
            x = Doubling(name=f"double{size}")(x)
        for number, count in enumerate(filters, start=1):
            x = convolution(x, count, "relu", f"size{size}_conv{number}")
    # In float32 whatever the policy: bfloat16 has no 256 levels of a colour.
    x = convolution(x, 3, "sigmoid", "colours", dtype="float32")
    pixels = layers.Rescaling(255.0, dtype="float32", name="pixels")(x)
    return keras.Model(features, pixels, name=name)


def convolution(x, filters, activation, name, **options):
    """A 3 x 3 convolution of the mirrored picture, float (N, H, W, filters)."""
    x = ReflectionPadding(name=f"{name}_pad")(x)
    return layers.Conv2D(filters, 3, activation=activation, name=name, **options)(x)
