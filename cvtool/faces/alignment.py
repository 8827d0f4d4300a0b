"""Turn and scale a face so that its eyes, nose and mouth lie where those of every face do.

Training, verification and evaluation all call `align`: a network that was trained on aligned
faces knows no others.
"""

from __future__ import annotations

import cv2
import numpy as np

# Where the landmarks of `mtcnn.Face` lie on an aligned face, as shares of its side: the mean shape
# of faces that look into the camera, with hair and chin round it.
TEMPLATE = np.array(
    [[0.361, 0.412], [0.639, 0.412], [0.5, 0.575], [0.38, 0.718], [0.62, 0.718]], np.float32
)
# Beyond twice the size, bilinear sampling would skip pixels.
_AREA_SCALE = 0.5


def similarity_transform(source, target):
    """The rotation, scale and shift that bring points nearest to others.

    Umeyama 1991, "Least-Squares Estimation of Transformation Parameters Between Two Point
    Patterns", equations 40 to 42; without reflection.

    Args:
        source, target: float (N, 2), N at least 2; not all points of `source` the same.
    Returns:
        float64 (2, 3): [x', y'] = M @ [x, y, 1].
    Raises:
        ValueError: all points of `source` are the same.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    middle, target_middle = source.mean(axis=0), target.mean(axis=0)
    centred = source - middle
    variance = (centred**2).sum() / len(source)
    if not variance > 0:
        raise ValueError("all points are the same: no scale brings them elsewhere")
    covariance = (target - target_middle).T @ centred / len(source)
    left, stretch, right = np.linalg.svd(covariance)
    signs = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right)) or 1.0])
    rotation = (left * signs) @ right
    scaled = (stretch * signs).sum() / variance * rotation
    return np.concatenate([scaled, (target_middle - scaled @ middle)[:, None]], axis=1)


def align(pixels, landmarks, size, border=0):
    """Cut a face out, upright and to scale.

    Args:
        pixels: uint8 RGB (H, W, 3).
        landmarks: float (5, 2), x and y in pixels, see `mtcnn.Face`.
        size: side of the aligned face, pixels.
        border: what else to keep on each side, pixels.
    Returns:
        uint8 (size + 2 border, size + 2 border, 3); black where the picture ends.
    Raises:
        ValueError: all landmarks are at one place.
    """
    # Pixel midpoints are at a half; OpenCV's warps count them whole.
    matrix = similarity_transform(np.asarray(landmarks) + 0.5, TEMPLATE * size + border)
    scale = float(np.hypot(*matrix[0, :2]))
    if scale < _AREA_SCALE:
        height, width = pixels.shape[:2]
        sides = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = cv2.resize(pixels, sides, interpolation=cv2.INTER_AREA)
        matrix[:, :2] /= np.array(sides) / (width, height)
    matrix[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5
    side = size + 2 * border
    return cv2.warpAffine(pixels, matrix, (side, side), flags=cv2.INTER_LINEAR)
