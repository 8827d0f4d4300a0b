"""Training pictures changed at random, with their boxes.

A sample is (pixels, boxes, class_ids): uint8 RGB (H, W, 3), float32 (N, 4) xyxy
in pixels, int64 (N,). Every function takes a sample and gives a new one; none
writes into what it was given. All randomness comes from the generator passed in.
Boxes are cut at the new picture's edges; one of which too little is left is
dropped, because a sliver of an object teaches nothing but noise.

Pixels stay uint8 throughout: this code feeds a training from one or two cores.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from cvtool.detection.boxes import area, clip_boxes
from cvtool.detection.letterbox import FILL
from cvtool.training import jitter

Sample = tuple[np.ndarray, np.ndarray, np.ndarray]

MIN_VISIBLE = 0.2
MIN_SIDE = 2.0
MOSAIC_ZOOM = (0.8, 1.6)

# Below this scale bilinear sampling skips pixels and leaves jagged edges.
_AREA_SCALE = 0.6


def flip_horizontal(pixels: np.ndarray, boxes: np.ndarray, class_ids: np.ndarray) -> Sample:
    """Mirror a sample left to right, always; the caller decides how often."""
    width = pixels.shape[1]
    boxes = _float32(boxes)
    mirrored = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], -1)
    return cv2.flip(pixels, 1), mirrored, np.array(class_ids)


def random_affine(
    pixels: np.ndarray,
    boxes: np.ndarray,
    class_ids: np.ndarray,
    rng: np.random.Generator,
    *,
    size: int,
    scale: tuple[float, float] = (0.5, 1.5),
    stretch: float = 1.15,
    translate: float = 0.1,
    min_visible: float = MIN_VISIBLE,
    fill: int = FILL,
) -> Sample:
    """Resize by a random factor and put the picture anywhere on a square.

    Args:
        pixels, boxes, class_ids: the sample, of any size.
        size: side of the square that comes out, pixels.
        scale: range of the factor; at 1 the longer side fills the square.
        stretch: the aspect ratio changes by a factor between 1 / stretch and stretch.
        translate: how far, as a share of the square, the picture may also leave it
            on each side (or, when larger than the square, leave grey uncovered).
        min_visible: boxes with a smaller share of their area inside are dropped.
        fill: grey level round the picture.
    Returns:
        The sample (size, size).
    """
    height, width = pixels.shape[:2]
    zoom = _log_uniform(rng, *scale) * size / max(height, width)
    root = np.sqrt(_log_uniform(rng, 1 / stretch, stretch))
    scales = np.array([zoom * root, zoom / root])
    free = size - scales * (width, height)
    offset = free * rng.random(2) + rng.uniform(-translate, translate, 2) * size
    square = np.empty((size, size, 3), np.uint8)
    _place(pixels, scales, offset, square, fill)
    return square, *_moved(boxes, class_ids, scales, offset, (size, size), min_visible)


def random_crop(
    pixels: np.ndarray,
    boxes: np.ndarray,
    class_ids: np.ndarray,
    rng: np.random.Generator,
    *,
    min_share: float = 0.5,
    min_visible: float = MIN_VISIBLE,
    tries: int = 8,
) -> Sample:
    """Cut a window at whole pixels; a window that would lose every box is drawn again.

    Args:
        pixels, boxes, class_ids: the sample.
        min_share: smallest width (and height) of the window, as a share of the picture's.
        min_visible: boxes with a smaller share of their area inside are dropped.
        tries: how many windows to try before the sample is returned uncut.
    Returns:
        The sample, between min_share and 1 of its size on each side.
    """
    whole = np.array(pixels.shape[1::-1])
    for _ in range(tries):
        window = np.maximum(1, np.round(whole * rng.uniform(min_share, 1, 2))).astype(int)
        left, top = rng.integers(0, whole - window + 1)
        inside = _moved(boxes, class_ids, (1, 1), (-left, -top), window[::-1], min_visible)
        if len(inside[0]) or not len(boxes):
            bottom, right = top + window[1], left + window[0]
            return np.ascontiguousarray(pixels[top:bottom, left:right]), *inside
    return pixels.copy(), _float32(boxes).copy(), np.array(class_ids)


def jitter_colour(
    pixels: np.ndarray,
    boxes: np.ndarray,
    class_ids: np.ndarray,
    rng: np.random.Generator,
    **limits: float,
) -> Sample:
    """Change a sample's colours, see `cvtool.training.jitter.jitter_colour`."""
    changed = jitter.jitter_colour(pixels, rng, **limits)
    return changed, _float32(boxes).copy(), np.array(class_ids)


def mosaic(
    samples: Sequence[Sample],
    size: int,
    rng: np.random.Generator,
    *,
    zoom: tuple[float, float] = MOSAIC_ZOOM,
    min_visible: float = MIN_VISIBLE,
    fill: int = FILL,
) -> Sample:
    """Four pictures round a random centre (Bochkovskiy et al. 2020, "YOLOv4", section 3.3).

    Args:
        samples: four samples of any sizes.
        size: side of the square that comes out, pixels; the centre falls in its
            middle half.
        zoom: range of each picture's scale; at 1 it just covers its quadrant, and
            the part that shows is drawn at random.
        min_visible: boxes with a smaller share of their area in the quadrant are dropped.
        fill: grey level where a picture does not cover its quadrant.
    Returns:
        The sample (size, size), with the boxes of all four.
    Raises:
        ValueError: not four samples.
    """
    if len(samples) != 4:
        raise ValueError(f"a mosaic needs 4 samples, not {len(samples)}")
    centre_x, centre_y = (int(at) for at in rng.integers(size // 4, size - size // 4 + 1, 2))
    square = np.empty((size, size, 3), np.uint8)
    parts = []
    for number, (pixels, boxes, class_ids) in enumerate(samples):
        left, right = ((0, centre_x), (centre_x, size))[number % 2]
        top, bottom = ((0, centre_y), (centre_y, size))[number // 2]
        quadrant = np.array([right - left, bottom - top])
        extent = np.array(pixels.shape[1::-1])
        scale = (quadrant / extent).max() * _log_uniform(rng, *zoom)
        scales = np.array([scale, scale])
        offset = (quadrant - extent * scale) * rng.random(2)
        _place(pixels, scales, offset, square[top:bottom, left:right], fill)
        moved, kept = _moved(boxes, class_ids, scales, offset, quadrant[::-1], min_visible)
        parts.append((moved + np.array([left, top, left, top], np.float32), kept))
    boxes, class_ids = zip(*parts, strict=True)
    return square, np.concatenate(boxes), np.concatenate(class_ids)


def mixup(first: Sample, second: Sample, rng: np.random.Generator, *, alpha: float = 8.0) -> Sample:
    """Blend two samples of one size; both keep their boxes.

    Zhang et al. 2018, "mixup"; for detection Zhang et al. 2019, "Bag of Freebies",
    section 3.1, whose weight Beta(alpha, alpha) with a large alpha keeps both visible.

    Raises:
        ValueError: the pictures differ in size.
    """
    if first[0].shape != second[0].shape:
        raise ValueError(f"mixup needs one size, not {first[0].shape} and {second[0].shape}")
    share = rng.beta(alpha, alpha)
    pixels = cv2.addWeighted(first[0], share, second[0], 1 - share, 0)
    boxes = np.concatenate([_float32(first[1]), _float32(second[1])])
    return pixels, boxes, np.concatenate([first[2], second[2]])


def _place(pixels, scales, offset, canvas, fill) -> None:
    """Draw a picture, scaled and moved, over the whole of a canvas, which may be a view.

    A point at picture position p goes to p * scales + offset, positions being
    between pixels as in boxes; OpenCV counts from pixel centres, half a pixel on.
    """
    if scales.max() < _AREA_SCALE:
        height, width = pixels.shape[:2]
        small = np.maximum(1, np.round(scales * (width, height))).astype(int)
        pixels = cv2.resize(pixels, small.tolist(), interpolation=cv2.INTER_AREA)
        scales = scales * (width, height) / small
    move = np.array(offset) + 0.5 * scales - 0.5
    matrix = np.array([[scales[0], 0, move[0]], [0, scales[1], move[1]]])
    height, width = canvas.shape[:2]
    canvas[:] = cv2.warpAffine(
        pixels, matrix, (width, height), borderMode=cv2.BORDER_CONSTANT, borderValue=(fill,) * 3
    )


def _moved(boxes, class_ids, scales, offset, size, min_visible) -> tuple[np.ndarray, np.ndarray]:
    """Boxes scaled, moved and cut at a picture of (height, width), with their classes."""
    boxes = _float32(boxes) * np.array([*scales, *scales], np.float32)
    boxes += np.array([*offset, *offset], np.float32)
    cut = clip_boxes(boxes, *size)
    seen = area(cut) >= np.maximum(min_visible * area(boxes), np.float32(1e-9))
    seen &= (cut[:, 2:] - cut[:, :2] >= MIN_SIDE).all(axis=1)
    return cut[seen], np.asarray(class_ids)[seen]


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _float32(boxes) -> np.ndarray:
    return np.asarray(boxes, np.float32).reshape(-1, 4)
