"""The losses of neural style transfer (Gatys, Ecker and Bethge 2016, section 2).

All take and return tensors of the Keras backend, or NumPy arrays, of any float type. The
paper's sums are divided by the number of activations, so that weights mean the same for every
size of picture and width of layer.
"""

from __future__ import annotations

from keras import ops


def content_loss(features, target):
    """How far one layer's activations are from those of the content picture.

    Equation 1 of the paper divided by the number of activations:
    1 / (2 H W C) x sum (F - P)^2.

    Args:
        features: float (1, H, W, C), of the generated picture.
        target: the same of the content picture.
    Returns:
        float scalar, 0 or more.
    """
    return ops.mean(ops.square(features - target)) / 2


def gram_matrix(features, weights=None):
    """Correlations between the filters of a layer, averaged over the positions.

    Equation 3 of the paper divided by the number of positions, G = F F' / M, so that pictures
    of two sizes compare; with weights, only some positions count (Gatys et al. 2017,
    "Controlling perceptual factors", equation 8).

    Args:
        features: float (1, H, W, C).
        weights: float (H, W), 0 or more, not all 0; None for equal ones.
    Returns:
        float (C, C), symmetric.
    """
    channels = features.shape[-1]
    flat = ops.reshape(features, (-1, channels))
    if weights is None:
        return ops.matmul(ops.transpose(flat), flat) / ops.cast(ops.shape(flat)[0], flat.dtype)
    weights = ops.reshape(ops.cast(weights, flat.dtype), (-1, 1))
    return ops.matmul(ops.transpose(flat), flat * weights) / ops.sum(weights)


def style_loss(gram, target):
    """How far one layer's Gram matrix is from that of the style picture.

    Equation 4 of the paper: 1 / (4 C^2) x sum (G - A)^2; its 1 / M^2 is in `gram_matrix`.

    Args:
        gram, target: float (C, C).
    Returns:
        float scalar, 0 or more.
    """
    return ops.mean(ops.square(gram - target)) / 4


def total_variation(pixels):
    """How rough a picture is: the mean of squared differences between neighbours.

    Mahendran and Vedaldi 2015, section 3, beta = 2.

    Args:
        pixels: float (1, H, W, C), H and W of 2 or more.
    Returns:
        float scalar, 0 or more, in squared levels.
    """
    down = pixels[:, 1:, :, :] - pixels[:, :-1, :, :]
    right = pixels[:, :, 1:, :] - pixels[:, :, :-1, :]
    return ops.mean(ops.square(down)) + ops.mean(ops.square(right))
