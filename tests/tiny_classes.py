"""Drawn pictures of three classes that a small network tells apart, for several tests."""

from __future__ import annotations

import cv2
import numpy as np

from cvtool.pictures.writing import write_picture

CLASSES = ("cross", "disc", "square")


def draw(name, rng, side=40):
    """A light figure on a dark, noisy ground, uint8 (side, side, 3)."""
    pixels = rng.integers(0, 60, (side, side, 3)).astype(np.uint8)
    radius = int(rng.integers(side // 4, side // 3))
    x, y = (side // 2 + int(v) for v in rng.integers(-side // 10, side // 10, 2))
    colour = tuple(int(v) for v in rng.integers(130, 255, 3))
    if name == "disc":
        cv2.circle(pixels, (x, y), radius, colour, -1)
    elif name == "square":
        cv2.rectangle(pixels, (x - radius, y - radius), (x + radius, y + radius), colour, 2)
    else:
        cv2.line(pixels, (x - radius, y - radius), (x + radius, y + radius), colour, 2)
        cv2.line(pixels, (x - radius, y + radius), (x + radius, y - radius), colour, 2)
    return pixels


def write_class_folders(root, count, seed=0, side=40, classes=CLASSES):
    """Write `count` pictures of each class into a folder of its own below `root`."""
    rng = np.random.default_rng(seed)
    for name in classes:
        for number in range(count):
            write_picture(root / name / f"{name}-{number:03}.png", draw(name, rng, side))
    return root
