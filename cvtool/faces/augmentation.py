"""Aligned faces changed at random, as landmarks, cameras and light differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from cvtool.training.jitter import jitter_colour


@dataclass(frozen=True, slots=True)
class FaceAugmentation:
    """How much a face is changed.

    Attributes:
        degrees: largest turn.
        scale: largest relative change of size.
        shift: largest shift, as a share of the side.
        light: largest relative change of brightness.
        grey: share of faces without colour.
        coarse: share of faces that lose detail, to between a third and all of their pixels.
        hidden: share of faces of which a rectangle is covered.
    """

    degrees: float = 8.0
    scale: float = 0.08
    shift: float = 0.04
    light: float = 0.3
    grey: float = 0.1
    coarse: float = 0.2
    hidden: float = 0.3


NONE = FaceAugmentation(0, 0, 0, 0, 0, 0, 0)
# Of a fine-tuning, by the values of --augment; "light" is what facenet-lfw learnt with.
AUGMENTATIONS = {
    "none": NONE,
    "light": FaceAugmentation(),
    "strong": FaceAugmentation(15.0, 0.12, 0.06, 0.5, 0.2, 0.4, 0.5),
}


def augment(face, size, rng, amounts):
    """Change one face.

    Args:
        face: uint8 (S, S, 3): the aligned face of `size` pixels in the middle, with a border.
        size: side of the result, pixels.
        rng: numpy.random.Generator.
        amounts: FaceAugmentation.
    Returns:
        uint8 (size, size, 3).
    """
    turn, zoom, right, down = rng.uniform(-1, 1, 4)
    mirrored, grey, coarse, hidden = rng.random(4) < (
        0.5,
        amounts.grey,
        amounts.coarse,
        amounts.hidden,
    )
    middle = face.shape[0] / 2 - 0.5
    matrix = cv2.getRotationMatrix2D(
        (middle, middle), turn * amounts.degrees, 1 + zoom * amounts.scale
    )
    matrix[:, 2] += size / 2 - 0.5 - middle
    matrix[:, 2] += np.array([right, down]) * amounts.shift * size
    # What even the border lacks is black, as where a picture ends.
    moved = cv2.warpAffine(face, matrix, (size, size), flags=cv2.INTER_LINEAR)
    if mirrored:
        moved = np.ascontiguousarray(moved[:, ::-1])
    if amounts.light:
        moved = jitter_colour(moved, rng, saturation=amounts.light, value=amounts.light)
    if grey:
        moved = cv2.cvtColor(cv2.cvtColor(moved, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if coarse:
        side = math.ceil(size * rng.uniform(1 / 3, 1))
        small = cv2.resize(moved, (side, side), interpolation=cv2.INTER_AREA)
        moved = cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)
    if hidden:
        height, width = (rng.uniform(0.1, 0.35, 2) * size).astype(int)
        top, left = (rng.random(2) * (size - height, size - width)).astype(int)
        moved[top : top + height, left : left + width] = rng.integers(0, 256, 3)
    return moved
