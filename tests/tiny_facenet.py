"""A face model without training: it tells pictures apart, though not people."""

from __future__ import annotations

import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from unittest.mock import patch

import numpy as np

ARCHITECTURE = {"widths": [8, 8, 16, 16, 24], "depths": [1, 1, 1, 1], "dimensions": 16}
SIZE = 64
DESCRIPTION = {
    "name": "tiny-faces",
    "task": "verify",
    "description": "for tests",
    "architecture": ARCHITECTURE,
    "size": SIZE,
    "classes": [],
}
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
    save_model(build(ARCHITECTURE, SIZE), folder, DESCRIPTION)
    return folder


def save_start(folder, *, exported=False):
    """Save an untrained network to start a training from; returns the folder.

    Args:
        exported: with its LiteRT file, which takes seconds; else its weights alone.
    """
    import keras

    from cvtool.faces.facenet import build
    from cvtool.models.saving import fingerprint, save_float16_weights, save_model

    keras.utils.set_random_seed(0)
    if exported:
        save_model(build(ARCHITECTURE, SIZE), folder, DESCRIPTION | {"name": folder.name})
        return folder
    folder.mkdir(parents=True)
    weights = folder / f"{folder.name}.weights.h5"
    save_float16_weights(build(ARCHITECTURE, SIZE), weights)
    entry = DESCRIPTION | {"name": folder.name, "files": {"weights": fingerprint(weights)}}
    (folder / "model.json").write_text(json.dumps(entry))
    return folder


def small_backbone(input_shape=(None, None, 3), widths=(), depths=(), name="csp"):
    """In place of `csp_backbone`, which has ten times the layers: four halvings."""
    import keras

    from cvtool.backbones import conv_block

    x = pixels = keras.Input(input_shape, name="pixels")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(x)
    x = keras.layers.AveragePooling2D(2, name="pool")(x)
    for number, width in enumerate((8, 8, 16)):
        x = conv_block(x, width, 3, 2, name=f"stage{number}")
    return keras.Model(pixels, [x], name=name)


def small_networks():
    """A context in which every face network has a `small_backbone`."""
    return patch("cvtool.faces.facenet.csp_backbone", small_backbone)


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
