"""U-Net: a contracting path, an expanding path, and skip connections between them.

Ronneberger, Fischer and Brox 2015, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", section 2 and figure 1. `unet` is that network; `csp_unet` has the backbone
that the default models share as its contracting path.
"""

from __future__ import annotations

import keras
from keras import layers, ops

from cvtool.backbones import (
    DEPTHS,
    WIDTHS,
    conv_block,
    csp_backbone,
    spatial_pyramid_pooling,
)

# Channels of the expanding path at strides 16, 8, 4 and 2.
DECODER = (128, 96, 64, 32)


def unet(
    num_classes, *, base=64, depth=4, padding="same", batch_norm=True, size=None, aligned=False
):
    """Build the U-Net of the paper.

    With `padding="valid"`, `batch_norm=False` and two classes it is that of figure 1, but for
    colour pictures: 31,031,810 parameters, and 572 x 572 pixels give 388 x 388.

    Args:
        num_classes: number of classes C; 1 gives the logit of one class against the rest.
        base: channels of the first level; each level down has twice as many.
        depth: levels below the first one.
        padding: "same" gives an output of the input's size, whatever that is; "valid" pads
            nowhere, and what a skip connection has too much is cut off.
        batch_norm: normalise after each convolution, which the paper does not.
        size: side of the square input in pixels; None for any height and width.
        aligned: see `build`.
    Returns:
        keras.Model from RGB pixels in [0, 255], float (N, H, W, 3), to logits, float32
        (N, H', W', C).
    """
    pixels = keras.Input((size, size, 3), name="pixels")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(pixels)
    skips = []
    for level in range(depth):
        x = double_conv(x, base * 2**level, padding, batch_norm, name=f"down{level}")
        skips.append(x)
        # With "same", an odd side is rounded up; `joined` cuts the surplus off again.
        x = layers.MaxPooling2D(2, padding=padding, name=f"pool{level}")(x)
    x = double_conv(x, base * 2**depth, padding, batch_norm, name="bottom")
    for level in reversed(range(depth)):
        x = up_conv(x, base * 2**level, name=f"up{level}")
        x = joined(x, skips[level], f"join{level}", aligned)
        x = double_conv(x, base * 2**level, padding, batch_norm, name=f"merge{level}")
    logits = layers.Conv2D(num_classes, 1, dtype="float32", name="logits")(x)
    return keras.Model(pixels, logits, name="unet")


def csp_unet(
    num_classes, *, widths=WIDTHS, depths=DEPTHS, decoder=DECODER, size=None, aligned=False
):
    """Build a U-Net whose contracting path is the default models' backbone.

    The coarsest map first sees its surroundings through spatial pyramid pooling, as in the
    detector. The expanding path ends at half the picture's size; the last transposed
    convolution doubles it, with the same logits for the four pixels of each cell.

    Args:
        num_classes: number of classes C.
        widths, depths: of the backbone, see `csp_backbone`.
        decoder: channels of the expanding path at strides 16, 8, 4 and 2.
        size: side of the square input in pixels; None for any height and width.
        aligned: see `build`.
    Returns:
        keras.Model from RGB pixels in [0, 255], float (N, H, W, 3), to logits, float32
        (N, H, W, C). The backbone is its layer "csp".
    """
    pixels = keras.Input((size, size, 3), name="pixels")
    backbone = csp_backbone((size, size, 3), widths, depths)
    stem = backbone.get_layer("stem_relu").output
    encoder = keras.Model(backbone.input, [stem, *backbone.outputs], name="csp")
    *skips, x = encoder(pixels)
    x = conv_block(x, decoder[0], 1, name="lateral")
    x = spatial_pyramid_pooling(x, decoder[0], name="spp")
    for skip, filters, stride in zip(reversed(skips), decoder, (16, 8, 4, 2), strict=True):
        x = joined(up_conv(x, filters, name=f"up{stride}"), skip, f"join{stride}", aligned)
        x = double_conv(x, filters, "same", True, name=f"merge{stride}")
    logits = layers.Conv2DTranspose(
        num_classes, 2, 2, kernel_constraint=AllPlacesAlike(), dtype="float32", name="logits"
    )(x)
    if not aligned:
        logits = CutTo(dtype="float32", name="cut")([logits, pixels])
    return keras.Model(pixels, logits, name="unet")


NETWORKS = {"plain": unet, "csp": csp_unet}


def build(num_classes, architecture, *, aligned=False):
    """Build the network that a model's description names, with untrained weights.

    Args:
        num_classes: number of classes C.
        architecture: dict with "network", a key of NETWORKS, and that function's arguments.
        aligned: nothing is cut to fit: for sides that are multiples of
            `segmenter.alignment`. The weights are those of any size.
    """
    arguments = dict(architecture)
    return NETWORKS[arguments.pop("network")](num_classes, **arguments, aligned=aligned)


def aligned_copy(network, num_classes, architecture):
    """The same network for aligned sides, see `build`. LiteRT runs it in two thirds of the time.

    Sizes that are known only while it runs keep LiteRT from its fast kernels.
    """
    copy = build(num_classes, architecture, aligned=True)
    copy.set_weights(network.get_weights())
    return copy


def double_conv(x, filters, padding, batch_norm, *, name):
    """Two 3 x 3 convolutions, each followed by (batch normalisation and) ReLU."""
    for number in (1, 2):
        if batch_norm and padding == "same":
            x = conv_block(x, filters, 3, name=f"{name}_{number}")
            continue
        x = layers.Conv2D(
            filters,
            3,
            padding=padding,
            kernel_initializer="he_normal",
            name=f"{name}_{number}_conv",
        )(x)
        if batch_norm:
            x = layers.BatchNormalization(name=f"{name}_{number}_bn")(x)
        x = layers.ReLU(name=f"{name}_{number}_relu")(x)
    return x


def up_conv(x, filters, *, name):
    """Twice the height and width: the paper's 2 x 2 "up-convolution"."""
    return layers.Conv2DTranspose(filters, 2, 2, kernel_initializer="he_normal", name=name)(x)


def joined(x, skip, name, aligned=False):
    """Concatenate the coarser way with a skip connection, the larger one cut to the smaller."""
    if not aligned:
        x, skip = CutTo(name=f"{name}_x")([x, skip]), CutTo(name=f"{name}_skip")([skip, x])
    return layers.Concatenate(name=name)([x, skip])


@keras.saving.register_keras_serializable("cvtool")
class CutTo(layers.Layer):
    """Cut the first map to the height and width of the second, where it is larger.

    A surplus of one row or column, from a size rounded up, is cut at the end; a larger one,
    from convolutions without padding, evenly on both sides ("copy and crop" in figure 1).
    """

    def call(self, inputs):
        x, like = inputs
        for axis in (1, 2):
            here, there = ops.shape(x)[axis], ops.shape(like)[axis]
            known = isinstance(here, int) and isinstance(there, int)
            keep = min(here, there) if known else ops.minimum(here, there)
            start = (here - keep) // 2
            part = slice(start, start + keep)
            x = x[:, part] if axis == 1 else x[:, :, part]
        return x

    def compute_output_shape(self, input_shape):
        x, like = input_shape
        sides = [
            None if None in (here, there) else min(here, there)
            for here, there in zip(x[1:3], like[1:3], strict=True)
        ]
        return (x[0], *sides, x[3])


@keras.saving.register_keras_serializable("cvtool")
class AllPlacesAlike(keras.constraints.Constraint):
    """The kernel (H, W, ...) of a transposed convolution is the same at every place.

    Otherwise what it makes of an even area is a pattern of H x W pixels, the "checkerboard"
    of Odena et al. 2016, "Deconvolution and Checkerboard Artifacts".
    """

    def __call__(self, w):
        return ops.broadcast_to(ops.mean(w, axis=(0, 1), keepdims=True), ops.shape(w))
