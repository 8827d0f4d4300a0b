"""Losses of a network that gives every pixel a class.

All take targets, float32 (N, H, W, 2): the class id of each pixel and its weight, as
`cvtool.segmentation.targets.make_targets` builds them; logits, float (N, H, W, C), where C = 1 is
one class (id 1) against the rest (id 0); and `cell`, the side of the squares of pixels in which
the network gives all pixels the same logits, as `csp_unet` does by its last layer: then most is
computed once a square, which gives the same value in less time. Both sides of the picture are
multiples of it. A pixel of weight 0 (void) has no part in any of them. All return a scalar, and
use `keras.ops` alone: any backend trains with them.
"""

from __future__ import annotations

import keras
from keras import ops

# Keeps a class of a few pixels from swinging between 0 and 1 (Milletari et al. 2016).
SMOOTH = 1.0


def cross_entropy(targets, logits, cell=1):
    """Weighted mean over the pixels of -log p(true class)."""
    return _cross_entropy(*terms(targets, logits, cell))


def focal_loss(targets, logits, gamma=2.0, cell=1):
    """Cross-entropy times (1 - p)^gamma (Lin et al. 2017, equation 4)."""
    weights, log_p = terms(targets, logits, cell)
    # Not 0, where the gradient of a power below 1 is infinite.
    wrong = ops.maximum(1 - ops.exp(log_p), keras.config.epsilon())
    return weighted_mean(-(wrong**gamma) * log_p, weights)


def dice_loss(targets, logits, cell=1):
    """1 - mean Dice coefficient over the classes in the batch (Milletari et al. 2016)."""
    return tversky_loss(targets, logits, alpha=0.5, beta=0.5, cell=cell)


def tversky_loss(targets, logits, alpha=0.3, beta=0.7, cell=1):
    """1 - mean Tversky index over the classes in the batch (Salehi et al. 2017, equation 2).

    Args:
        targets, logits, cell: see above.
        alpha: weight of the false positives.
        beta: weight of the false negatives; more finds more of a small class.
    """
    return _tversky_loss(*terms(targets, logits, cell), alpha, beta)


def cross_entropy_and_dice(targets, logits, cell=1):
    """The sum of both: pixels one by one, and regions as wholes."""
    shared = terms(targets, logits, cell)
    return _cross_entropy(*shared) + _tversky_loss(*shared, alpha=0.5, beta=0.5)


LOSSES = {
    "cross-entropy": cross_entropy,
    "dice": dice_loss,
    "cross-entropy+dice": cross_entropy_and_dice,
    "focal": focal_loss,
    "tversky": tversky_loss,
}


def terms(targets, logits, cell):
    """What all losses begin with, of the M squares of a batch, pixels where `cell` is 1.

    Returns:
        weights, float32 (M, C), how much each class weighs in a square, and log p of each class,
        float32 (M, C); C is at least 2.
    """
    logits = ops.cast(logits, "float32")
    if logits.shape[-1] == 1:
        logits = ops.concatenate([ops.zeros_like(logits), logits], -1)
    classes = logits.shape[-1]
    class_ids, pixel_weights = targets[..., :1], targets[..., 1:]
    true = ops.equal(class_ids, ops.arange(classes, dtype=class_ids.dtype))
    weights = ops.where(true, ops.cast(pixel_weights, "float32"), 0.0)
    if cell > 1:
        weights, logits = sums(weights, cell), sums(logits, cell) / cell**2
    log_p = ops.log_softmax(ops.reshape(logits, (-1, classes)))
    return ops.reshape(weights, (-1, classes)), log_p


def sums(values, cell):
    """Sums over squares: (N, H, W, C) as (N, H / cell, W / cell, C)."""
    # By parts and additions, which a CPU computes many times as fast as a pooling or a reduction.
    _, height, width, channels = ops.shape(values)
    rows = ops.reshape(values, (-1, height // cell, cell, width, channels))
    values = sum(ops.unstack(rows, cell, axis=2))
    columns = ops.reshape(values, (-1, height // cell, width // cell, cell, channels))
    return sum(ops.unstack(columns, cell, axis=3))


def _cross_entropy(weights, log_p):
    return weighted_mean(-log_p, weights)


def _tversky_loss(weights, log_p, alpha, beta):
    scores = ops.exp(log_p)
    hit = ops.sum(weights * scores, 0)
    size = ops.sum(weights, 0)
    predicted = ops.sum(ops.sum(weights, -1, keepdims=True) * scores, 0)
    false_positive, false_negative = predicted - hit, size - hit
    index = (hit + SMOOTH) / (hit + alpha * false_positive + beta * false_negative + SMOOTH)
    # A class that no pixel of the batch has says nothing about how well it is found.
    present = ops.cast(size > 0, index.dtype)
    return 1 - weighted_mean(index, present)


def weighted_mean(values, weights):
    """Sum of values x weights over the sum of the weights; 0 where these are all 0."""
    return ops.sum(values * weights) / ops.maximum(ops.sum(weights), keras.config.epsilon())
