"""Drawn shapes with their masks, for several tests."""

from __future__ import annotations

import cv2
import numpy as np

from cvtool.datasets.mask_files import write_mask
from cvtool.datasets.masked import VOID, MaskDataset, MaskedPicture
from cvtool.pictures.writing import write_picture

CLASSES = ("background", "disc", "square")


def draw(rng, height=64, width=64):
    """A disc and a square, each perhaps, on noise.

    Returns:
        uint8 (H, W, 3), and uint8 (H, W) of class ids with a thin void rim round each shape.
    """
    pixels = rng.integers(90, 140, (height, width, 3)).astype(np.uint8)
    mask = np.zeros((height, width), np.uint8)
    side = min(height, width)
    for class_id in rng.permutation([1, 2])[: rng.integers(1, 3)]:
        radius = int(rng.integers(side // 8, side // 4))
        x, y = (int(rng.integers(radius, edge - radius)) for edge in (width, height))
        colour = (230, 40, 40) if class_id == 1 else (40, 60, 230)
        for canvas, value in ((pixels, colour), (mask, int(class_id))):
            if class_id == 1:
                cv2.circle(canvas, (x, y), radius, value, -1)
            else:
                cv2.rectangle(canvas, (x - radius, y - radius), (x + radius, y + radius), value, -1)
        if class_id == 1:
            cv2.circle(mask, (x, y), radius, VOID, 1)
    return pixels, mask


def write_mask_set(folder, count, *, seed=0, height=64, width=64, split=""):
    """Write images/NAME.png and masks/NAME.png, below a split's name if it has one.

    Returns:
        MaskDataset.
    """
    rng = np.random.default_rng(seed)
    examples = []
    for number in range(count):
        pixels, mask = draw(rng, height, width)
        name = f"{number:03}.png"
        example = MaskedPicture(
            folder / "images" / split / name, folder / "masks" / split / name, split
        )
        write_picture(example.path, pixels)
        write_mask(example.mask, mask)
        examples.append(example)
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    return MaskDataset(CLASSES, tuple(examples))
