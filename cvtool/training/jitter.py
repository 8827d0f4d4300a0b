"""Colours of training pictures changed at random."""

from __future__ import annotations

import cv2
import numpy as np


def jitter_colour(
    pixels: np.ndarray,
    rng: np.random.Generator,
    *,
    hue: float = 0.015,
    saturation: float = 0.6,
    value: float = 0.4,
) -> np.ndarray:
    """Turn the hue and scale the saturation and the value (HSV) by random amounts.

    Args:
        pixels: uint8 RGB (H, W, 3).
        hue: largest turn, as a share of the colour circle.
        saturation, value: largest relative change, in [0, 1].
    Returns:
        uint8 (H, W, 3).
    """
    turn, *gains = rng.uniform(-1, 1, 3) * (hue, saturation, value)
    levels = np.arange(256)
    # OpenCV's 8-bit hue runs from 0 to 179, half the degrees.
    hues = np.round(levels + turn * 180) % 180
    scaled = [np.clip(np.round(levels * (1 + gain)), 0, 255) for gain in gains]
    table = np.stack([hues, *scaled], axis=-1).astype(np.uint8)[None]
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    cv2.LUT(hsv, table, dst=hsv)
    cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB, dst=hsv)
    return hsv
