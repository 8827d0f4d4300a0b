"""A U-Net whose weights are set by hand: it finds what is red and what is blue."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import cv2
import numpy as np

CLASSES = ("background", "red", "blue")
SIZE = 64
ARCHITECTURE = {"network": "plain", "base": 2, "depth": 0, "batch_norm": False}
GREY, RED, BLUE = (128, 128, 128), (255, 0, 0), (0, 0, 255)


def colour_network():
    """A pixel is of a class if at least half of the 3 x 3 round it is of its colour."""
    from cvtool.segmentation.unet import build

    network = build(len(CLASSES), ARCHITECTURE)
    differences = np.zeros((3, 3, 3, 2), np.float32)
    differences[1, 1] = [[1, 0], [-1, -1], [0, 1]]  # red - green and blue - green
    mean = np.eye(2, dtype=np.float32) * np.full((3, 3, 1, 1), 1 / 9, np.float32)
    logits = np.array([[[[0, 8, 0], [0, 0, 8]]]], np.float32)
    network.get_layer("bottom_1_conv").set_weights([differences, np.zeros(2)])
    network.get_layer("bottom_2_conv").set_weights([mean, np.zeros(2)])
    network.get_layer("logits").set_weights([logits, np.array([8, 0, 0])])
    return network


@cache
def colour_model():
    """The folder of the saved network, written once."""
    from cvtool.models.saving import save_model

    folder = Path(_kept().name) / "colours"
    description = {
        "name": "colours",
        "task": "segment",
        "description": "for tests",
        "architecture": ARCHITECTURE,
        "size": SIZE,
        "classes": list(CLASSES),
    }
    save_model(colour_network(), folder, description)
    return folder


@cache
def _kept():
    """Removed when Python ends."""
    return tempfile.TemporaryDirectory()


def scene(height=96, width=128):
    """A red rectangle and a blue disc on grey.

    Returns:
        uint8 (H, W, 3), and the mask that `colour_network` makes of it at its own size.
    """
    pixels = np.full((height, width, 3), GREY, np.uint8)
    mask = np.zeros((height, width), np.uint8)
    h, w = height // 8, width // 8
    pixels[h : 4 * h, w : 4 * w] = RED
    mask[h : 4 * h, w : 4 * w] = 1
    mask[np.ix_((h, 4 * h - 1), (w, 4 * w - 1))] = 0  # a corner has but 4 of 9
    disc = np.zeros((height, width), np.float32)
    cv2.circle(disc, (6 * w, 5 * h), 2 * h, 1, -1)
    pixels[disc > 0] = BLUE
    mask[cv2.blur(disc, (3, 3), borderType=cv2.BORDER_CONSTANT) > 0.5] = 2
    return pixels, mask
