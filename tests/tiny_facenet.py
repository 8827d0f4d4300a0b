"""A face model without training: it tells pictures apart, though not people."""

from __future__ import annotations

import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

ARCHITECTURE = {"widths": [8, 8, 16, 16, 24], "depths": [1, 1, 1, 1], "dimensions": 16}
SIZE = 64
CALIBRATION = {
    "source": "10 drawn pairs",
    "threshold": 0.2,
    "rates": [
        {"far": 0.0, "threshold": 0.05, "tar": 0.5},
        {"far": 0.01, "threshold": 0.1, "tar": 0.7},
        {"far": 0.1, "threshold": 0.3, "tar": 0.9},
        {"far": 1.0, "threshold": 1.5, "tar": 1.0},
    ],
}


def save_tiny(folder, name="tiny-faces", *, seed=0, calibration=CALIBRATION):
    """Save an untrained network as a model folder; another seed makes another model."""
    folder = Path(folder)
    # To export a network takes seconds, so each is exported once.
    shutil.copytree(_exported(seed), folder, dirs_exist_ok=True)
    path = folder / "model.json"
    entry = json.loads(path.read_text()) | {"name": name, "calibration": calibration}
    path.write_text(json.dumps(entry))
    return folder


@cache
def _exported(seed):
    """The folder of a network of that seed."""
    import keras

    from cvtool.faces.facenet import build
    from cvtool.models.saving import save_model

    keras.utils.set_random_seed(seed)
    folder = Path(_kept().name) / f"seed-{seed}"
    description = {
        "name": "tiny-faces",
        "task": "verify",
        "description": "for tests",
        "architecture": ARCHITECTURE,
        "size": SIZE,
        "classes": [],
    }
    save_model(build(ARCHITECTURE, SIZE), folder, description)
    return folder


@cache
def tiny_model():
    """The folder of a saved network, written once."""
    return save_tiny(Path(_kept().name) / "tiny-faces")


@cache
def _kept():
    """Removed when Python ends."""
    return tempfile.TemporaryDirectory()


def portrait(hue=0, *, mirrored=False, side=300):
    """A face that MTCNN finds, uint8 (side, side, 3); `hue` (0 to 179) colours it."""
    import cv2
    import skimage.data

    pixels = skimage.data.astronaut()[:300, 60:360]
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + hue) % 180
    pixels = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    pixels = np.ascontiguousarray(pixels[:, ::-1] if mirrored else pixels)
    return cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
