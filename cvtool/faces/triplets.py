"""Triplet loss, with the triplets chosen within each batch.

Schroff et al. 2015, "FaceNet", section 3.1: an anchor should be nearer to every picture of the
same person (positive) than to any of another (negative), by a margin. Which triplets to take
decides whether that is learnt (section 3.2); they come from the batch at hand, which holds
several pictures of several people.
"""

from __future__ import annotations

from keras import ops

MARGIN = 0.2


def squared_distances(embeddings):
    """Squared Euclidean distance of every two embeddings.

    Args:
        embeddings: float (N, D) of length 1.
    Returns:
        float (N, N) in [0, 4].
    """
    # |a - b|² = 2 - 2 a·b for vectors of length 1.
    return ops.clip(2 - 2 * ops.matmul(embeddings, ops.transpose(embeddings)), 0, 4)


def pair_masks(labels):
    """Which pairs of a batch are of one person, and which of two.

    Args:
        labels: int (N,): the number of each picture's person.
    Returns:
        positive, bool (N, N), without a picture's pair with itself; negative, bool (N, N).
    """
    labels = ops.reshape(labels, (-1,))
    same = ops.equal(labels[:, None], labels[None, :])
    self = ops.eye(ops.shape(labels)[0], dtype="bool")
    return ops.logical_and(same, ops.logical_not(self)), ops.logical_not(same)


def semi_hard_loss(labels, embeddings, margin=MARGIN):
    """Mean triplet loss over all pairs of anchor and positive, with semi-hard negatives.

    The negative is the nearest one that is farther away than the positive; where there is none,
    the farthest one (section 3.2: the hardest negatives early lead to bad local minima).

    Args:
        labels: int (N,): the number of each picture's person.
        embeddings: float (N, D) of length 1.
        margin: how much farther a negative should be, squared distance.
    Returns:
        float scalar; 0 where the batch holds no person twice, or only one.
    """
    distances = squared_distances(embeddings)
    positive, negative = pair_masks(labels)
    # Axes: anchor, positive, negative.
    farther = ops.logical_and(negative[:, None, :], distances[:, None, :] > distances[:, :, None])
    nearest = ops.min(ops.where(farther, distances[:, None, :], 5.0), axis=2)
    farthest = ops.max(ops.where(negative, distances, -1.0), axis=1)
    chosen = ops.where(ops.any(farther, axis=2), nearest, farthest[:, None])
    usable = ops.logical_and(positive, ops.any(negative, axis=1)[:, None])
    return mean_of(ops.relu(distances - chosen + margin), usable)


def hard_loss(labels, embeddings, margin=MARGIN):
    """Mean triplet loss over all anchors, with the farthest positive and the nearest negative.

    "Batch hard" of Hermans, Beyer and Leibe 2017, "In Defense of the Triplet Loss", equation 5.

    Args, returns: as `semi_hard_loss`.
    """
    distances = squared_distances(embeddings)
    positive, negative = pair_masks(labels)
    farthest = ops.max(ops.where(positive, distances, -1.0), axis=1)
    nearest = ops.min(ops.where(negative, distances, 5.0), axis=1)
    usable = ops.logical_and(ops.any(positive, axis=1), ops.any(negative, axis=1))
    return mean_of(ops.relu(farthest - nearest + margin), usable)


def mean_of(values, where):
    """The mean of some of the values; 0 for none."""
    where = ops.cast(where, values.dtype)
    return ops.sum(values * where) / ops.maximum(ops.sum(where), 1.0)


LOSSES = {"semi-hard": semi_hard_loss, "hard": hard_loss}
