"""Losses of a network that gives every pixel a class.

All take targets, float32 (N, H, W, 2): the class id of each pixel and its weight, as
`cvtool.segmentation.targets.make_targets` builds them; and logits, float (N, H, W, C), where
C = 1 is one class (id 1) against the rest (id 0). A pixel of weight 0 (void) has no part in
any of them. All return a scalar, and use `keras.ops` alone: any backend trains with them.
"""

from __future__ import annotations

import keras
from keras import ops

# Keeps a class of a few pixels from swinging between 0 and 1 (Milletari et al. 2016).
SMOOTH = 1.0


def cross_entropy(targets, logits):
    """Weighted mean over the pixels of -log p(true class)."""
    weights, _, log_true = pixel_terms(targets, logits)
    return weighted_mean(-log_true, weights)


def focal_loss(targets, logits, gamma=2.0):
    """Cross-entropy times (1 - p)^gamma (Lin et al. 2017, equation 4)."""
    weights, _, log_true = pixel_terms(targets, logits)
    # Not 0, where the gradient of a power below 1 is infinite.
    wrong = ops.maximum(1 - ops.exp(log_true), keras.config.epsilon())
    return weighted_mean(-(wrong**gamma) * log_true, weights)


def dice_loss(targets, logits):
    """1 - mean Dice coefficient over the classes in the batch (Milletari et al. 2016)."""
    return tversky_loss(targets, logits, alpha=0.5, beta=0.5)


def tversky_loss(targets, logits, alpha=0.3, beta=0.7):
    """1 - mean Tversky index over the classes in the batch (Salehi et al. 2017, equation 2).

    Args:
        targets, logits: see above.
        alpha: weight of the false positives.
        beta: weight of the false negatives; more finds more of a small class.
    """
    weights, truth, log_true = pixel_terms(targets, logits)
    scores = ops.exp(log_probabilities(logits))
    # Sums over the pixels as products of matrices: arrays of (pixels, C) are what takes time.
    hit = ops.matmul(weights * ops.exp(log_true), truth)
    size = ops.matmul(weights, truth)
    false_positive = ops.matmul(weights, scores) - hit
    false_negative = size - hit
    index = (hit + SMOOTH) / (hit + alpha * false_positive + beta * false_negative + SMOOTH)
    # A class that no pixel of the batch has says nothing about how well it is found.
    present = ops.cast(size > 0, index.dtype)
    return 1 - weighted_mean(index, present)


def cross_entropy_and_dice(targets, logits):
    """The sum of both: pixels one by one, and regions as wholes."""
    return cross_entropy(targets, logits) + dice_loss(targets, logits)


LOSSES = {
    "cross-entropy": cross_entropy,
    "dice": dice_loss,
    "cross-entropy+dice": cross_entropy_and_dice,
    "focal": focal_loss,
    "tversky": tversky_loss,
}


def pixel_terms(targets, logits):
    """What all losses begin with, of the M pixels of a batch.

    Returns:
        weights (M,); truth one-hot (M, C), C at least 2; log p of the true class (M,).
    """
    log_p = log_probabilities(logits)
    weights = ops.reshape(ops.cast(targets[..., 1], log_p.dtype), (-1,))
    class_ids = ops.reshape(ops.cast(targets[..., 0], "int32"), (-1,))
    truth = ops.one_hot(class_ids, log_p.shape[-1], dtype=log_p.dtype)
    return weights, truth, ops.sum(truth * log_p, -1)


def log_probabilities(logits):
    """Logits (N, H, W, C) as log p of each class, float32 (M, C); one logit as two classes."""
    logits = ops.reshape(ops.cast(logits, "float32"), (-1, logits.shape[-1]))
    if logits.shape[-1] == 1:
        logits = ops.concatenate([ops.zeros_like(logits), logits], -1)
    return ops.log_softmax(logits)


def weighted_mean(values, weights):
    """Sum of values x weights over the sum of the weights; 0 where these are all 0."""
    return ops.sum(values * weights) / ops.maximum(ops.sum(weights), keras.config.epsilon())
