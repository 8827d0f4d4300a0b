"""Box formats and overlaps, in NumPy.

A box is x1, y1, x2, y2: its left, top, right and bottom edges, in pixels of the
picture unless said. Edges are positions between pixels: the box of the whole of
a picture of width w runs from x1 = 0 to x2 = w. Every function takes arrays of
shape (..., 4) or (N, 4), never changes them, and keeps float32 as float32.
"""

from __future__ import annotations

import numpy as np


def as_float(boxes) -> np.ndarray:
    """Boxes as an array (..., 4) of floats: float32 and float64 stay, the rest becomes float64.

    Raises:
        ValueError: the last axis is not 4 long.
    """
    boxes = np.asarray(boxes)
    if boxes.dtype not in (np.float32, np.float64):
        boxes = boxes.astype(np.float64)
    if boxes.size == 0 and boxes.ndim < 2:
        return boxes.reshape(0, 4)
    if boxes.ndim == 0 or boxes.shape[-1] != 4:
        raise ValueError(f"boxes need the shape (..., 4), not {boxes.shape}")
    return boxes


def xywh_to_xyxy(boxes) -> np.ndarray:
    """Left, top, width, height -> x1, y1, x2, y2; float array (..., 4), any one unit."""
    boxes = as_float(boxes)
    return np.concatenate([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], axis=-1)


def xyxy_to_xywh(boxes) -> np.ndarray:
    """x1, y1, x2, y2 -> left, top, width, height (the order of COCO's JSON)."""
    boxes = as_float(boxes)
    return np.concatenate([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], axis=-1)


def cxcywh_to_xyxy(boxes) -> np.ndarray:
    """Midpoint x, midpoint y, width, height -> x1, y1, x2, y2."""
    boxes = as_float(boxes)
    half = boxes[..., 2:] / 2
    return np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], axis=-1)


def xyxy_to_cxcywh(boxes) -> np.ndarray:
    """x1, y1, x2, y2 -> midpoint x, midpoint y, width, height (the order of YOLO's text files)."""
    boxes = as_float(boxes)
    sides = boxes[..., 2:] - boxes[..., :2]
    return np.concatenate([(boxes[..., :2] + boxes[..., 2:]) / 2, sides], axis=-1)


def normalise(boxes, size: tuple[int, int]) -> np.ndarray:
    """Pixels -> fractions of the picture; works on xyxy, xywh and cxcywh alike.

    Args:
        boxes: float array (..., 4), pixels.
        size: (height, width) of the picture, pixels.
    """
    boxes = as_float(boxes)
    return boxes / _sides(size, boxes.dtype)


def denormalise(boxes, size: tuple[int, int]) -> np.ndarray:
    """Fractions of the picture -> pixels; the inverse of `normalise`."""
    boxes = as_float(boxes)
    return boxes * _sides(size, boxes.dtype)


def resize_boxes(boxes, from_size: tuple[int, int], to_size: tuple[int, int]) -> np.ndarray:
    """Follow a picture that was resized from one (height, width) to another, without padding."""
    return denormalise(normalise(boxes, from_size), to_size)


def clip_boxes(boxes, height: float, width: float) -> np.ndarray:
    """Cut boxes (..., 4) xyxy at the edges of a picture; one that lies outside loses its area."""
    boxes = as_float(boxes)
    return np.clip(boxes, 0, _sides((height, width), boxes.dtype))


def area(boxes) -> np.ndarray:
    """Area of boxes (..., 4) xyxy, in squared units; 0 where a box is turned inside out."""
    boxes = as_float(boxes)
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return sides[..., 0] * sides[..., 1]


def iou(a, b) -> np.ndarray:
    """Intersection over union of every pair of boxes.

    Args:
        a: float array (N, 4), x1, y1, x2, y2 in any one unit.
        b: float array (M, 4), the same unit.
    Returns:
        float64 array (N, M) in [0, 1]; 0 where either box has no area.
    """
    return _overlap(*_pairs(a, b))[0]


def giou(a, b) -> np.ndarray:
    """Generalised IoU of every pair (Rezatofighi et al. 2019, "Generalized IoU", algorithm 1).

    IoU less the share of the smallest enclosing box that neither box covers, so
    that boxes apart are told how far apart.

    Args:
        a: float array (N, 4) xyxy.
        b: float array (M, 4) xyxy, the same unit.
    Returns:
        float64 array (N, M) in [-1, 1], never above `iou`.
    """
    a, b = _pairs(a, b)
    overlap, union = _overlap(a, b)
    width, height = _enclosing(a, b)
    hull = width * height
    # Rounding may leave the hull of two equal boxes a hair below their union.
    return overlap - _ratio(np.maximum(hull - union, 0), hull)


def ciou(a, b) -> np.ndarray:
    """Complete IoU of every pair (Zheng et al. 2020, "Distance-IoU Loss", section 3.3).

    IoU less the squared distance of the midpoints over the squared diagonal of
    the enclosing box, less a term for the difference of the aspect ratios.

    Args:
        a: float array (N, 4) xyxy.
        b: float array (M, 4) xyxy, the same unit.
    Returns:
        float64 array (N, M) in [-1.5, 1], never above `iou`.
    """
    a, b = _pairs(a, b)
    overlap, _ = _overlap(a, b)
    width, height = _enclosing(a, b)
    across = (a[0] + a[2] - b[0] - b[2]) / 2
    down = (a[1] + a[3] - b[1] - b[3]) / 2
    distance = _ratio(across**2 + down**2, width**2 + height**2)
    shape = 4 / np.pi**2 * (_angle(a) - _angle(b)) ** 2
    # The weight of the paper's equation 11. Equal boxes make it 0 / 0, taken as 0.
    weight = _ratio(shape, 1 - overlap + shape)
    return overlap - distance - weight * shape


def _sides(size, dtype) -> np.ndarray:
    height, width = size
    return np.array([width, height, width, height], dtype)


def _pairs(a, b) -> tuple[np.ndarray, np.ndarray]:
    """The columns of the two sets, float64 (4, N, 1) and (4, 1, M), so that loops run over M.

    float32 would lose the differences of large areas.
    """
    a, b = as_float(a), as_float(b)
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError(f"pairs need boxes (N, 4) and (M, 4), not {a.shape} and {b.shape}")
    a, b = (np.ascontiguousarray(boxes.T, dtype=np.float64) for boxes in (a, b))
    return a[:, :, None], b[:, None, :]


def _overlap(a, b) -> tuple[np.ndarray, np.ndarray]:
    """IoU and union area of the pairs."""
    width = np.minimum(a[2], b[2]) - np.maximum(a[0], b[0])
    height = np.minimum(a[3], b[3]) - np.maximum(a[1], b[1])
    common = np.maximum(width, 0) * np.maximum(height, 0)
    # A box turned inside out has no area, and neither has what it shares.
    area_a, area_b = (
        np.maximum(boxes[2] - boxes[0], 0) * np.maximum(boxes[3] - boxes[1], 0) for boxes in (a, b)
    )
    union = area_a + area_b - common
    return _ratio(common, union), union


def _enclosing(a, b) -> tuple[np.ndarray, np.ndarray]:
    """Width and height of the smallest box round each pair."""
    width = np.maximum(a[2], b[2]) - np.minimum(a[0], b[0])
    height = np.maximum(a[3], b[3]) - np.minimum(a[1], b[1])
    return width, height


def _angle(boxes) -> np.ndarray:
    width, height = np.maximum(boxes[2] - boxes[0], 0), np.maximum(boxes[3] - boxes[1], 0)
    return np.arctan2(width, height)


def _ratio(numerator, denominator) -> np.ndarray:
    """Quotient, 0 where the denominator is not positive."""
    quotient = np.zeros(np.broadcast_shapes(numerator.shape, denominator.shape))
    return np.divide(numerator, denominator, out=quotient, where=denominator > 0)
