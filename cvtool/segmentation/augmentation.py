"""Training pictures changed at random, with their masks.

Every change of shape is one map from the new picture's pixels to places in the old one, used
for the picture (interpolated) and for the mask (the nearest pixel) alike, so they cannot
drift apart. What the new picture takes from outside the old one is grey, and void in the
mask. All randomness comes from the generator passed in; nothing is written into what was
given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from cvtool.datasets.masked import VOID
from cvtool.training.jitter import jitter_colour

# The grey outside the picture: near the mean of natural pictures, so it excites little.
FILL = 114
# Below this scale bilinear sampling skips pixels and leaves jagged edges.
_AREA_SCALE = 0.6
# The paper draws displacements on a grid of 3 x 3 (Ronneberger et al. 2015, section 3.1).
_ELASTIC_GRID = 3


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How strongly training pictures are changed.

    Attributes:
        scale: smallest and largest size of the picture; at 1 its longer side fills the
            square, or, in patches, its pixels stay as large as they are.
        stretch: the aspect ratio changes by a factor between 1 / stretch and stretch.
        rotation: largest turn to either side, degrees.
        translate: how far, as a share of the square, the picture may also leave it.
        mirror, flip: how often it is mirrored left to right, and turned upside down.
        elastic: standard deviation of the displacements at the points of a 3 x 3 grid, as a
            share of the square; between them they are interpolated smoothly.
        colour: how often its colours are changed.
    """

    scale: tuple[float, float] = (0.75, 1.6)
    stretch: float = 1.15
    rotation: float = 8.0
    translate: float = 0.05
    mirror: float = 0.5
    flip: float = 0.0
    elastic: float = 0.0
    colour: float = 1.0


AUGMENTATIONS = {
    "none": Augmentation((1.0, 1.0), 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "light": Augmentation(),
    "strong": Augmentation((0.5, 2.0), 1.3, 25.0, 0.1, 0.5, 0.0, 0.02, 1.0),
}


def augment(pixels, mask, size, rng, augmentation, *, patches=False):
    """Change one picture and its mask at random and put them on a square.

    Args:
        pixels: uint8 RGB (H, W, 3) of any size.
        mask: uint8 (H, W) of class ids, 255 for void.
        size: side of the square, pixels.
        rng: the same state gives the same result.
        augmentation: what is changed, and how much.
        patches: cut a square out of a larger picture instead of shrinking it whole.
    Returns:
        uint8 (size, size, 3) and uint8 (size, size), 255 outside the picture.
    """
    matrix = draw_affine(*mask.shape, size, rng, augmentation, patches)
    shift = draw_displacements(size, rng, augmentation.elastic)
    pixels, mask = warp(pixels, mask, matrix, size, shift)
    if rng.random() < augmentation.colour:
        pixels = jitter_colour(pixels, rng)
    return pixels, mask


def draw_affine(height, width, size, rng, augmentation, patches):
    """Draw the map from places in the picture to places on the square.

    Returns:
        float64 (2, 3); places are between pixels: the first pixel's midpoint is (0.5, 0.5).
    """
    a = augmentation
    zoom = log_uniform(rng, *a.scale) * (1 if patches else size / max(height, width))
    if patches:
        # A patch of nothing but edge would teach little.
        zoom = max(zoom, size / 2 / min(height, width))
    root = math.sqrt(log_uniform(rng, 1 / a.stretch, a.stretch))
    scales = np.array([zoom * root, zoom / root])
    if rng.random() < a.mirror:
        scales[0] *= -1
    if rng.random() < a.flip:
        scales[1] *= -1
    angle = math.radians(rng.uniform(-a.rotation, a.rotation))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = turn * scales
    # Where the middle of the picture goes: anywhere at which no more of the square is left
    # uncovered, or of the picture cut off, than its size makes necessary.
    free = np.abs(size - np.abs(scales) * (width, height))
    middle = size / 2 + free * (rng.random(2) - 0.5)
    middle += rng.uniform(-a.translate, a.translate, 2) * size
    offset = middle - linear @ np.array([width / 2, height / 2])
    return np.column_stack([linear, offset])


def draw_displacements(size, rng, elastic):
    """A smooth random displacement of each pixel, float32 (size, size, 2); None if `elastic` is 0.

    Ronneberger et al. 2015, section 3.1: normal on a coarse grid, bicubic between.
    """
    if not elastic:
        return None
    coarse = rng.normal(0, elastic * size, (_ELASTIC_GRID, _ELASTIC_GRID, 2))
    return cv2.resize(coarse.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)


def warp(pixels, mask, matrix, size, shift=None):
    """Move a picture and its mask by one and the same map.

    Args:
        pixels, mask: as in `augment`.
        matrix: float (2, 3) from places in the picture to places on the square.
        size: side of the square, pixels.
        shift: float32 (size, size, 2), added to each pixel's place on the square before it
            is looked up; None for none.
    Returns:
        uint8 (size, size, 3) and uint8 (size, size).
    """
    for_mask = pixel_map(matrix, size, shift)
    scale = math.sqrt(abs(np.linalg.det(matrix[:, :2])))
    small, for_pixels = pixels, for_mask
    if scale < _AREA_SCALE:
        height, width = mask.shape
        sides = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(pixels, sides, interpolation=cv2.INTER_AREA)
        shrinking = np.array(sides) / (width, height)
        for_pixels = pixel_map(matrix / np.array([*shrinking, 1.0]), size, shift)
    moved = cv2.remap(
        small,
        *for_pixels,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(FILL,) * 3,
    )
    moved_mask = cv2.remap(
        mask, *for_mask, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=VOID
    )
    return moved, moved_mask


def pixel_map(matrix, size, shift):
    """Where each pixel of the square looks in the picture: x and y, float32 (size, size)."""
    inverse = np.linalg.inv(matrix[:, :2])
    places = np.arange(size) + 0.5
    across, down = np.meshgrid(places, places)
    if shift is not None:
        across, down = across + shift[..., 0], down + shift[..., 1]
    across, down = across - matrix[0, 2], down - matrix[1, 2]
    # Half a pixel back: OpenCV counts from the pixels' midpoints.
    return tuple((row[0] * across + row[1] * down - 0.5).astype(np.float32) for row in inverse)


def log_uniform(rng, low, high):
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
