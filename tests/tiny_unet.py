"""A U-Net that trains and saves in a second."""

from __future__ import annotations

import json
from unittest.mock import patch

from eager_training import eager_training

SIZE = 64
CLASSES = ("background", "disc", "thing")


def small_network(num_classes, architecture, *, aligned=False):
    """In place of `unet.build`, which has ten times the layers: two halvings and back."""
    import keras
    from keras import layers

    from cvtool.backbones import conv_block
    from cvtool.segmentation.unet import CutTo, joined, up_conv

    pixels = inside = keras.Input((None, None, 3))
    x = layers.Rescaling(1 / 255)(pixels)
    fine = conv_block(x, 8, 3, 2, name="stem")
    coarse = conv_block(fine, 16, 3, 2, name="stage1")
    backbone = keras.Model(inside, [fine, coarse], name="csp")
    pixels = keras.Input((None, None, 3), name="pixels")
    fine, coarse = backbone(pixels)
    x = joined(up_conv(coarse, 8, name="up2"), fine, "join2", aligned)
    x = conv_block(x, 16, 3, name="merge2")
    logits = layers.Conv2DTranspose(num_classes, 2, 2, dtype="float32", name="logits")(x)
    if not aligned:
        logits = CutTo(dtype="float32", name="cut")([logits, pixels])
    return keras.Model(pixels, logits, name="unet")


def small_networks():
    """A context in which every U-Net is a `small_network`."""
    return patch("cvtool.segmentation.unet.build", small_network)


def quick_training():
    """A context in which trainings run step by step, see `eager_training`."""
    from cvtool.segmentation import finetuning

    return eager_training(finetuning)


def save_start(network, folder, *, task="segment", classes=CLASSES, architecture=None):
    """Save a network as a model folder to start a training from: its weights alone.

    Returns:
        the folder.
    """
    from cvtool.models.saving import fingerprint, save_float16_weights

    folder.mkdir(parents=True)
    weights = folder / f"{folder.name}.weights.h5"
    save_float16_weights(network, weights)
    description = {
        "name": folder.name,
        "task": task,
        "description": "for a test",
        "architecture": architecture or {"network": "csp"},
        "size": SIZE,
        "classes": list(classes),
        "files": {"weights": fingerprint(weights)},
    }
    if task == "detect":
        description |= {"anchors": [[[8, 8]], [[16, 16]], [[32, 32]]], "strides": [8, 16, 32]}
    (folder / "model.json").write_text(json.dumps(description))
    return folder


def save_tiny(folder):
    """Save an untrained `small_network` to start from; returns the folder."""
    import keras

    keras.utils.set_random_seed(0)
    return save_start(small_network(len(CLASSES), {}), folder)
