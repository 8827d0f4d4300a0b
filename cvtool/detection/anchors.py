"""Anchor sizes by k-means on the shapes of the training boxes."""

from __future__ import annotations

import numpy as np


def shape_iou(sizes, anchors) -> np.ndarray:
    """IoU of widths and heights alone, as if each pair shared its midpoint.

    Args:
        sizes: array (N, 2), width and height, any one unit.
        anchors: array (K, 2), the same unit.
    Returns:
        float64 array (N, K) in [0, 1]; 0 where either has no area.
    """
    sizes = np.asarray(sizes, np.float64).reshape(-1, 2)
    anchors = np.asarray(anchors, np.float64).reshape(-1, 2)
    common = np.minimum(sizes[:, None, 0], anchors[:, 0])
    common *= np.minimum(sizes[:, None, 1], anchors[:, 1])
    union = sizes.prod(axis=1)[:, None] + anchors.prod(axis=1) - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def mean_best_iou(sizes, anchors) -> float:
    """How well anchors cover the boxes: the mean over boxes of the IoU with the best anchor.

    Args:
        sizes: array (N, 2), width and height; N > 0.
        anchors: array (K, 2), the same unit.
    Returns:
        A share in [0, 1]; YOLOv2's table 1 reports 0.67 for nine on COCO.
    """
    return float(shape_iou(sizes, anchors).max(axis=1).mean())


def kmeans_anchors(
    sizes, k: int = 9, *, seed: int = 0, iterations: int = 100, restarts: int = 3
) -> np.ndarray:
    """Cluster box sizes with the distance 1 - IoU (Redmon and Farhadi 2016, "YOLO9000", section 2).

    Large boxes then weigh no more than small ones. The centres move to the mean
    of their boxes, which need not raise the mean IoU at every step, so the best
    set seen over all steps and restarts is the one returned.

    Args:
        sizes: array (N, 2), width and height, pixels of the network's input.
        k: number of anchors.
        seed: of the starting centres; the same seed gives the same anchors.
        iterations: most steps of one start; it ends when no box changes its centre.
        restarts: number of starts.
    Returns:
        float64 array (k, 2), by rising area.
    Raises:
        ValueError: fewer than k different sizes, or a size that is not positive.
    """
    sizes = np.asarray(sizes, np.float64).reshape(-1, 2)
    if not (np.isfinite(sizes).all() and (sizes > 0).all()):
        raise ValueError("anchors need sizes above 0")
    different = len(np.unique(sizes, axis=0))
    if different < k:
        raise ValueError(f"{k} anchors need as many different box sizes, not {different}")
    rng = np.random.default_rng(seed)
    runs = [_run(sizes, _spread(sizes, k, rng), iterations) for _ in range(restarts)]
    _, anchors = max(runs, key=lambda run: run[0])
    return anchors[np.argsort(anchors.prod(axis=1), kind="stable")]


def _spread(sizes, k, rng) -> np.ndarray:
    """Starting centres drawn apart from each other (k-means++, Arthur and Vassilvitskii 2007)."""
    centres = sizes[rng.integers(len(sizes))][None]
    while len(centres) < k:
        distance = (1 - shape_iou(sizes, centres).max(axis=1)) ** 2
        # Rounding may leave a chosen size a trace of distance; it must not be drawn twice.
        distance[distance < 1e-12] = 0
        if distance.sum() > 0:
            drawn = rng.choice(len(sizes), p=distance / distance.sum())
        else:
            drawn = rng.integers(len(sizes))
        centres = np.concatenate([centres, sizes[drawn][None]])
    return centres


def _run(sizes, centres, iterations) -> tuple[float, np.ndarray]:
    """One start: the best mean IoU seen and the centres that gave it."""
    k = len(centres)
    best, assigned = (-1.0, centres), None
    for _ in range(iterations):
        overlap = shape_iou(sizes, centres)
        nearest = overlap.argmax(axis=1)
        reached = overlap.max(axis=1)
        if reached.mean() > best[0]:
            best = (float(reached.mean()), centres)
        if assigned is not None and (nearest == assigned).all():
            break
        assigned = nearest
        counts = np.bincount(nearest, minlength=k)
        sums = [np.bincount(nearest, sizes[:, side], minlength=k) for side in (0, 1)]
        means = np.stack(sums, axis=1) / np.maximum(counts, 1)[:, None]
        # A centre that lost all its boxes stays where it was.
        centres = np.where(counts[:, None] > 0, means, centres)
    return best
