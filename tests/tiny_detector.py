"""A detector that trains and saves in a second, and data sets of shapes on disk."""

from __future__ import annotations

from contextlib import contextmanager
from unittest.mock import patch

import numpy as np

from eager_training import eager_training
from tiny_yolo import STRIDES, draw_shapes

SIZE = 64
ANCHORS = np.array(
    [
        [[12, 12], [15, 15], [18, 18]],
        [[21, 21], [24, 24], [27, 27]],
        [[30, 30], [36, 36], [42, 42]],
    ],
    float,
)
# All places that build a detector's network.
BUILDERS = (
    "cvtool.detection.yolo.yolo",
    "cvtool.detection.transfer.yolo",
    "cvtool.detection.finetuning.yolo",
    "cvtool.detection.finishing.yolo",
)


def small_network(num_classes, *, num_anchors=3, **_):
    """In place of `yolo`, which has ten times the layers: a backbone and three heads."""
    import keras
    from keras import layers

    from cvtool.detection.yolo import head

    def stage(x, filters, name):
        x = layers.Conv2D(filters, 5, 2, padding="same", use_bias=False, name=f"{name}_conv")(x)
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        return layers.ReLU(name=f"{name}_relu")(x)

    pixels = inside = keras.Input((None, None, 3))
    x = layers.Rescaling(1 / 255)(pixels)
    maps = []
    for number, filters in enumerate((8, 16, 24, 32, 32), 1):
        x = stage(x, filters, f"stage{number}")
        maps.append(x)
    backbone = keras.Model(inside, maps[2:], name="csp")
    pixels = keras.Input((None, None, 3), name="pixels")
    outputs = [
        head(stage_map, num_classes, num_anchors, name=f"head{level}")
        for level, stage_map in zip((3, 4, 5), backbone(pixels), strict=True)
    ]
    raw = layers.Concatenate(axis=1, name="raw", dtype="float32")(outputs)
    return keras.Model(pixels, raw, name="yolo")


@contextmanager
def small_networks():
    """While it lasts, every detector is a `small_network`."""
    patches = [patch(place, small_network) for place in BUILDERS]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()


def quick_training():
    """A context in which trainings run step by step, see `eager_training`."""
    from cvtool.detection import finetuning

    return eager_training(finetuning)


def save_detector(folder, classes=("disc", "thing"), *, score=None):
    """Save an untrained detector as a model folder.

    Returns:
        the folder.
    """
    import keras

    from cvtool.models.saving import save_model

    keras.utils.set_random_seed(0)
    description = {
        "name": folder.name,
        "task": "detect",
        "description": "untrained",
        "architecture": {},
        "size": SIZE,
        "classes": list(classes),
        "anchors": ANCHORS.tolist(),
        "strides": list(STRIDES),
    }
    if score is not None:
        description["score"] = score
    save_model(small_network(len(classes)), folder, description)
    return folder


def write_yolo_set(folder, count, *, seed=0, side=96):
    """Drawn shapes in YOLO's layout, without splits.

    Returns:
        the folder.
    """
    data = draw_shapes(folder / "images", count, seed=seed, side=side)
    (folder / "labels").mkdir()
    for example in data.examples:
        centres = (example.boxes[:, :2] + example.boxes[:, 2:]) / 2 / side
        sizes = (example.boxes[:, 2:] - example.boxes[:, :2]) / side
        rows = zip(example.class_ids, centres, sizes, strict=True)
        lines = [f"{c} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n" for c, (x, y), (w, h) in rows]
        (folder / "labels" / f"{example.path.stem}.txt").write_text("".join(lines))
    (folder / "classes.txt").write_text("\n".join(data.classes) + "\n")
    return folder
