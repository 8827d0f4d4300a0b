"""Two training pictures made into one, with their targets: mixup and CutMix."""

from __future__ import annotations

import cv2
import numpy as np

from cvtool.classification.augmentation import Augmentation

# Batches left as they are keep whole pictures, as at prediction, in front of the network.
MIXED_SHARE = 0.5


def mix(
    pictures: np.ndarray,
    targets: np.ndarray,
    rng: np.random.Generator,
    augmentation: Augmentation,
) -> tuple[np.ndarray, np.ndarray]:
    """Mix each picture of a batch with another of the same batch, or leave the batch alone.

    A batch is mixed with probability `MIXED_SHARE`: by mixup (Zhang et al. 2018) or CutMix
    (Yun et al. 2019), each as likely where the augmentation has both. One weight or box serves
    the whole batch, as in those papers.

    Args:
        pictures: uint8 or float (N, H, W, 3).
        targets: float (N, C): one-hot rows, or 0, 1 and NaN for several labels a picture.
        rng: the same state gives the same batch.
        augmentation: its `mixup` and `cutmix`.
    Returns:
        The pictures, of the same shape and dtype (uint8 is rounded), and targets float32
        (N, C), mixed with the same weight; NaN where either side is NaN. New arrays.
    Raises:
        ValueError: pictures and targets that differ in number.
    """
    if len(pictures) != len(targets):
        raise ValueError(f"{len(pictures)} pictures need as many targets, not {len(targets)}")
    targets = np.array(targets, np.float32)
    ways = [
        (way, alpha)
        for way, alpha in ((_mixup, augmentation.mixup), (_cutmix, augmentation.cutmix))
        if alpha
    ]
    if not ways or len(pictures) < 2 or rng.random() >= MIXED_SHARE:
        return pictures.copy(), targets
    way, alpha = ways[rng.integers(len(ways))]
    # A step round the batch, so that no picture is its own partner.
    step = int(rng.integers(1, len(pictures)))
    pictures, share = way(pictures, np.roll(pictures, step, axis=0), rng, alpha)
    # Where nothing of the partner is seen, what it lacks is no reason to forget a label.
    if share < 1:
        share = np.float32(share)
        targets = share * targets + (1 - share) * np.roll(targets, step, axis=0)
    return pictures, targets


def draw_box(
    height: int, width: int, rng: np.random.Generator, share: float
) -> tuple[int, int, int, int]:
    """Draw CutMix's box (Yun et al. 2019, section 3.2): `share` of the area, cut at the edges.

    Its middle is anywhere in the picture, so the part inside may be smaller than `share`.

    Returns:
        (left, top, right, bottom), whole pixels; empty where right = left or bottom = top.
    """
    edges = []
    for length in (width, height):
        middle, half = rng.random() * length, length * np.sqrt(share) / 2
        edges.append((max(0, round(middle - half)), min(length, round(middle + half))))
    (left, right), (top, bottom) = edges
    return left, top, right, bottom


def _mixup(pictures, partners, rng, alpha) -> tuple[np.ndarray, float]:
    """Mixed pictures, and the share of the first."""
    share = rng.beta(alpha, alpha)
    if pictures.dtype == np.uint8:
        # OpenCV takes one picture: the batch laid out as rows of it.
        rows = (len(pictures), -1)
        mixed = cv2.addWeighted(pictures.reshape(rows), share, partners.reshape(rows), 1 - share, 0)
        return mixed.reshape(pictures.shape), share
    return (share * pictures + (1 - share) * partners).astype(pictures.dtype), share


def _cutmix(pictures, partners, rng, alpha) -> tuple[np.ndarray, float]:
    """Pictures with a box of their partners, and the share of pixels that are still their own."""
    height, width = pictures.shape[1:3]
    left, top, right, bottom = draw_box(height, width, rng, 1 - rng.beta(alpha, alpha))
    mixed = pictures.copy()
    mixed[:, top:bottom, left:right] = partners[:, top:bottom, left:right]
    return mixed, 1 - (right - left) * (bottom - top) / (height * width)
