"""FaceNet: a network from an aligned face to 128 numbers that tell people apart.

Schroff, Kalenichenko and Philbin 2015, "FaceNet: A Unified Embedding for Face Recognition and
Clustering", section 3: a convolutional network, then an embedding of length 1, so that the
squared distance of two faces is between 0 and 4.
"""

from __future__ import annotations

import keras
from keras import layers

from cvtool.backbones import BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM, DEPTHS, WIDTHS, csp_backbone

# Sides of the aligned face, in pixels.
SIZE = 112
DIMENSIONS = 128


def facenet(*, size=SIZE, dimensions=DIMENSIONS, widths=WIDTHS, depths=DEPTHS, dropout=0.4):
    """Build the network.

    The paper's embedding looks at the mean over the last map. Here it looks at every place of
    it: in an aligned face, each place is a part of its own.

    Args:
        size: side of the aligned face, pixels.
        dimensions: of the embedding.
        widths, depths: of the backbone, see `csp_backbone`.
        dropout: share of the last map that is left out in training.
    Returns:
        keras.Model from RGB pixels in [0, 255], float (N, size, size, 3), to embeddings of
        length 1, float32 (N, dimensions). The backbone is its layer "csp".
    """
    pixels = keras.Input((size, size, 3), name="pixels")
    backbone = csp_backbone((size, size, 3), widths, depths)
    x = backbone(pixels)[-1]
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(dimensions, use_bias=False, name="embedding")(x)
    x = layers.BatchNormalization(
        momentum=BATCH_NORM_MOMENTUM,
        epsilon=BATCH_NORM_EPSILON,
        scale=False,
        dtype="float32",
        name="embedding_bn",
    )(x)
    embeddings = layers.UnitNormalization(dtype="float32", name="unit")(x)
    return keras.Model(pixels, embeddings, name="facenet")


def build(architecture, size):
    """Build the network that a model's description names, with untrained weights.

    Args:
        architecture: dict of `facenet`'s arguments, but the size.
        size: side of the aligned face, pixels.
    """
    return facenet(size=size, **architecture)
