"""Find faces and their eyes, nose and mouth: MTCNN.

Zhang, Zhang, Li and Qiao 2016, "Joint Face Detection and Alignment Using Multitask Cascaded
Convolutional Networks": a small network proposes boxes on a pyramid of the picture's sizes, a
second one refines them, a third one refines them again and gives five landmarks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

# What the proposal network sees of a picture for one cell, and from cell to cell, in pixels.
CELL, STRIDE = 12, 2
# From one size of the pyramid to the next (section II, the factor of the authors' code).
PYRAMID_FACTOR = 0.709
# Sides of what the other two networks see.
REFINEMENT_SIDE, OUTPUT_SIDE = 24, 48
# How sure each stage must be.
THRESHOLDS = (0.6, 0.7, 0.8)
# Faces under so many pixels, or this share of the picture's longer side, are not looked for: the
# time would grow with the picture, and so small a face tells nobody from another.
SMALLEST, SMALLEST_SHARE = 20, 1 / 50
# Of a larger picture, the pyramid is made of a copy shrunk to so many pixels: to go over all of
# them again for each of its sizes would take most of the time.
PYRAMID_PIXELS = 4_000_000
# Boxes that go on from the proposals; even a crowd has fewer.
MOST_PROPOSALS = 600


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A face in a picture.

    Attributes:
        box: x1, y1, x2, y2 in pixels; it may reach beyond the picture.
        score: how sure the network is, in [0, 1].
        landmarks: float32 (5, 2), x and y in pixels: the eye at the left of an upright face in
            the picture, the other one, the nose, the corner of the mouth at the left, the other.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray

    @property
    def area(self) -> float:
        """Of the box, in square pixels."""
        x1, y1, x2, y2 = self.box
        return (x2 - x1) * (y2 - y1)

    def to_dict(self) -> dict[str, Any]:
        """The face as the documented JSON object."""
        return {
            "box": [round(float(value), 1) for value in self.box],
            "score": round(float(self.score), 4),
            "landmarks": [[round(float(value), 1) for value in row] for row in self.landmarks],
        }


def find_faces(pixels, networks, smallest=None):
    """Find the faces of a picture.

    Args:
        pixels: uint8 RGB (H, W, 3).
        networks: `mtcnn_networks.Networks`.
        smallest: side of the smallest face to look for, pixels; None for 20, or a fiftieth of
            the picture's longer side where that is more.
    Returns:
        list of Face, the largest first.
    """
    smallest = smallest or max(SMALLEST, SMALLEST_SHARE * max(pixels.shape[:2]))
    boxes = propose(pixels, networks.proposal, smallest)
    if not len(boxes):
        return []
    boxes, _, _ = look(pixels, boxes, networks.refinement, REFINEMENT_SIDE, THRESHOLDS[1])
    if not len(boxes):
        return []
    boxes, scores, landmarks = look(pixels, boxes, networks.output, OUTPUT_SIDE, THRESHOLDS[2])
    # A face within a face is the same one, so here the smaller box's area counts.
    kept = suppress(boxes, scores, 0.7, by_smaller=True)
    faces = [
        Face(tuple(map(float, boxes[i])), float(scores[i]), landmarks[i].astype(np.float32))
        for i in kept
    ]
    return sorted(faces, key=lambda face: -face.area)


def central_face(faces, height, width):
    """The face nearest to the middle of a picture: in a collection of portraits, its person.

    Args:
        faces: list of Face, one or more.
        height, width: of the picture, pixels.
    Returns:
        Face.
    """

    def distance(face):
        x1, y1, x2, y2 = face.box
        return math.hypot((x1 + x2 - width) / 2, (y1 + y2 - height) / 2)

    return min(faces, key=distance)


def propose(pixels, network, smallest):
    """First stage: square boxes that may hold a face, float (N, 4)."""
    height, width = pixels.shape[:2]
    found, scores = [np.zeros((0, 4))], [np.zeros(0)]
    scale = CELL / smallest
    base = pyramid_base(pixels, scale)
    while min(height, width) * scale >= CELL:
        sides = math.ceil(width * scale), math.ceil(height * scale)
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        maps = network(cv2.resize(base, sides, interpolation=way)[None])[0]
        rows, columns = np.nonzero(maps[..., 4] > THRESHOLDS[0])
        corner = STRIDE * np.stack([columns, rows], -1) + 1.0
        cells = np.concatenate([corner, corner + CELL - 1], -1)
        boxes = corrected(cells, maps[rows, columns, :4]) / np.tile(
            [sides[0] / width, sides[1] / height], 2
        )
        kept = suppress(boxes, maps[rows, columns, 4], 0.5)
        found.append(boxes[kept])
        scores.append(maps[rows, columns, 4][kept])
        scale *= PYRAMID_FACTOR
    boxes, scores = np.concatenate(found), np.concatenate(scores)
    return squares(boxes[suppress(boxes, scores, 0.7)[:MOST_PROPOSALS]])


def pyramid_base(pixels, scale):
    """The picture that the pyramid's sizes are made of.

    Args:
        pixels: uint8 RGB (H, W, 3).
        scale: of the pyramid's largest size, which the result is no smaller than.
    Returns:
        uint8 RGB; a picture of no more than `PYRAMID_PIXELS` is itself.
    """
    height, width = pixels.shape[:2]
    shrink = max(scale, math.sqrt(PYRAMID_PIXELS / (height * width)))
    if shrink >= 1:
        return pixels
    sides = math.ceil(width * shrink), math.ceil(height * shrink)
    return cv2.resize(pixels, sides, interpolation=cv2.INTER_AREA)


def look(pixels, boxes, network, side, threshold):
    """Second and third stage: what a network says of square boxes.

    Args:
        pixels: uint8 RGB (H, W, 3).
        boxes: float (N, 4), squares.
        network: an engine of `Networks`.
        side: of what it sees, pixels.
        threshold: how sure it must be.
    Returns:
        of those that it is sure of, boxes float (M, 4), squares after the second stage;
        scores (M,); landmarks (M, 5, 2) after the third stage, otherwise None.
    """
    patches = np.stack([patch(pixels, box, side) for box in boxes])
    answers = network(patches)
    sure = answers[:, 4] > threshold
    boxes, answers = boxes[sure], answers[sure]
    refined = corrected(boxes, answers[:, :4])
    if answers.shape[1] > 5:
        # x of all five, then y, within the box as it was.
        shares = answers[:, 5:].reshape(-1, 2, 5).transpose(0, 2, 1)
        spans = boxes[:, None, 2:] - boxes[:, None, :2]
        return refined, answers[:, 4], boxes[:, None, :2] + shares * spans
    kept = suppress(refined, answers[:, 4], 0.7)
    return squares(refined[kept]), answers[kept, 4], None


def patch(pixels, box, side):
    """The part of a picture in a box, black outside, uint8 (side, side, 3)."""
    x1, y1, x2, y2 = box
    scale = side / max(x2 - x1, 1)
    # Beyond twice the size, bilinear sampling would skip pixels.
    shrink = max(1, int(1 / scale / 2))
    left, top = max(0, int(x1) - 1), max(0, int(y1) - 1)
    part = pixels[top : max(0, math.ceil(y2)) + 1, left : max(0, math.ceil(x2)) + 1]
    if not part.size:
        return np.zeros((side, side, 3), np.uint8)
    if shrink > 1:
        sides = math.ceil(part.shape[1] / shrink), math.ceil(part.shape[0] / shrink)
        factors = sides[0] / part.shape[1], sides[1] / part.shape[0]
        part = cv2.resize(part, sides, interpolation=cv2.INTER_AREA)
    else:
        factors = 1.0, 1.0
    # From the patch to the part, midpoint to midpoint.
    step = (x2 - x1) / side, (y2 - y1) / side
    matrix = np.array(
        [
            [step[0] * factors[0], 0, (x1 - left + step[0] / 2) * factors[0] - 0.5],
            [0, step[1] * factors[1], (y1 - top + step[1] / 2) * factors[1] - 0.5],
        ]
    )
    return cv2.warpAffine(part, matrix, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def corrected(boxes, shares):
    """Boxes (N, 4) with their sides moved by shares (N, 4) of their width and height."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return boxes + shares * np.tile(sides, 2)


def squares(boxes):
    """The squares round the same midpoints that hold the boxes, float (N, 4)."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.concatenate([middle - half, middle + half], axis=1)


def suppress(boxes, scores, most, by_smaller=False):
    """Go through boxes by falling score; keep each that no kept one overlaps too much.

    Args:
        boxes: float (N, 4).
        scores: float (N,).
        most: the largest overlap of two that are kept.
        by_smaller: the overlap is the share of the smaller box, not of the union.
    Returns:
        list of positions, the surest first.
    """
    areas = (boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=1)
    waiting, kept = np.argsort(-scores, kind="stable"), []
    while len(waiting):
        best, waiting = waiting[0], waiting[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[waiting, :2])
        high = np.minimum(boxes[best, 2:], boxes[waiting, 2:])
        inside = (high - low).clip(0).prod(axis=1)
        smaller = np.minimum(areas[best], areas[waiting])
        whole = smaller if by_smaller else areas[best] + areas[waiting] - inside
        waiting = waiting[inside <= most * whole]
    return kept
