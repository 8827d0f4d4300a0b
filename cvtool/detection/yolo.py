"""The YOLO network: shared backbone, feature pyramid both ways, three output scales."""

from __future__ import annotations

import math

import keras
from keras import layers

from cvtool.backbones import (
    DEPTHS,
    WIDTHS,
    conv_block,
    csp_backbone,
    csp_block,
    spatial_pyramid_pooling,
)

# An untrained network should say "no object here" nearly everywhere, or the
# first steps are spent on unlearning thousands of false boxes (Lin et al. 2017,
# "Focal loss", section 4.1).
PRIOR_OBJECTNESS = 0.01


def yolo(num_classes, *, num_anchors=3, widths=WIDTHS, depths=DEPTHS, neck=96, size=None):
    """Build the detector.

    The neck is a path-aggregation network (Liu et al. 2018, as in YOLOv4):
    features go down from coarse to fine and up again. The coarsest map first
    sees its surroundings through spatial pyramid pooling.

    Args:
        num_classes: number of classes C.
        num_anchors: anchors A a cell.
        widths, depths: of the backbone, see `csp_backbone`.
        neck: channels of the pyramid.
        size: side of the square input in pixels, a multiple of 32; None for any.
    Returns:
        keras.Model from RGB pixels in [0, 255], float (N, H, W, 3), to raw
        outputs, float32 (N, P, 5 + C): x, y, w, h, objectness and class logits,
        in the order of `cvtool.detection.grid.prediction_grid`. The backbone is
        its layer "csp".
    """
    pixels = keras.Input((size, size, 3), name="pixels")
    backbone = csp_backbone((size, size, 3), widths, depths)
    _, c3, c4, c5 = backbone(pixels)

    c5 = conv_block(c5, neck, 1, name="lateral5")
    c5 = spatial_pyramid_pooling(c5, neck, name="spp")
    c4 = conv_block(c4, neck, 1, name="lateral4")
    c3 = conv_block(c3, neck, 1, name="lateral3")
    up5 = upsampled(c5, neck, name="up5")
    p4 = csp_block(joined(up5, c4, "join54"), neck, 1, name="top_down4")
    up4 = upsampled(p4, neck, name="up4")
    p3 = csp_block(joined(up4, c3, "join43"), neck, 1, name="top_down3")
    down3 = conv_block(p3, neck, 3, 2, name="down3")
    p4 = csp_block(joined(down3, p4, "join34"), neck, 1, name="bottom_up4")
    down4 = conv_block(p4, neck, 3, 2, name="down4")
    p5 = csp_block(joined(down4, c5, "join45"), neck, 1, name="bottom_up5")

    outputs = [
        head(p, num_classes, num_anchors, name=f"head{i}")
        for i, p in zip((3, 4, 5), (p3, p4, p5), strict=True)
    ]
    raw = layers.Concatenate(axis=1, name="raw", dtype="float32")(outputs)
    return keras.Model(pixels, raw, name="yolo")


def upsampled(x, filters, *, name):
    """Twice the height and width, by a transposed convolution.

    `UpSampling2D` of a size not known beforehand cannot be exported to LiteRT.
    """
    return layers.Conv2DTranspose(filters, 2, 2, name=f"{name}_conv")(x)


def joined(a, b, name):
    """Concatenate two maps of one size along the channels."""
    return layers.Concatenate(name=name)([a, b])


def head(x, num_classes, num_anchors, *, name):
    """Raw outputs of one scale, float (N, H x W x num_anchors, 5 + num_classes)."""
    width = 5 + num_classes
    x = layers.Conv2D(
        num_anchors * width,
        1,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        bias_initializer=PriorBias(num_classes),
        name=f"{name}_conv",
    )(x)
    return layers.Reshape((-1, width), name=f"{name}_rows")(x)


@keras.saving.register_keras_serializable("cvtool")
class PriorBias(keras.initializers.Initializer):
    """Bias of an untrained head: low objectness, classes equally likely, boxes as the anchors."""

    def __init__(self, num_classes):
        self.num_classes = num_classes

    def __call__(self, shape, dtype=None):
        objectness = math.log(PRIOR_OBJECTNESS / (1 - PRIOR_OBJECTNESS))
        # One class has nothing to tell apart, so its probability starts high.
        classes = math.log(1 / max(self.num_classes - 0.99, 0.01))
        row = [0.0] * 4 + [objectness] + [classes] * self.num_classes
        return keras.ops.convert_to_tensor(row * (shape[0] // len(row)), dtype=dtype)

    def get_config(self):
        return {"num_classes": self.num_classes}
