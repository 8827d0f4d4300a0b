"""A network for new classes that begins with what a trained one knows."""

from __future__ import annotations

import keras
import numpy as np

from cvtool import backbones
from cvtool.backbones import BACKBONE, DEPTHS, WIDTHS, csp_backbone
from cvtool.engines import first_line
from cvtool.errors import ModelError
from cvtool.models.presets import find_model, preset_file
from cvtool.segmentation import unet

# The layer whose channels depend on the classes.
LOGITS = "logits"
# Beginnings of the names of the contracting path's layers in a plain U-Net.
_CONTRACTING = ("down", "bottom")


def find_start(name):
    """The model to start from.

    Args:
        name: of a preset, or folder of a trained model.
    Returns:
        Preset: of a model that segments, or of another with the backbone that all share.
    Raises:
        ModelError: no such model, or one without that backbone.
    """
    preset = find_model(name)
    if preset.task == "segment" and "own" not in preset.architecture:
        return preset
    # A detector imported from Darknet has another backbone.
    ours = preset.task == "detect" and "darknet" not in preset.architecture
    if ours or preset.architecture.get("network") == "csp":
        return preset
    raise ModelError(
        f'--backbone: model "{preset.name}" has no backbone that a U-Net can take over; give '
        "everyday-unet, everyday, tiny200, or a model trained from one of them"
    )


def architecture_of(start):
    """What to build the network with that starts from a model, as `unet.build` takes it."""
    if start.task == "segment":
        return dict(start.architecture)
    widths = start.architecture.get("widths", WIDTHS)
    depths = start.architecture.get("depths", DEPTHS)
    return {"network": "csp", "widths": list(widths), "depths": list(depths)}


def started_from(start, classes):
    """Build the network with the weights of the model that it starts from.

    Args:
        start: Preset of `find_start`.
        classes: names of the new classes.
    Returns:
        keras.Model.
    Raises:
        ModelError: the weights are missing or damaged.
    """
    weights = preset_file(start, "weights")
    if start.task == "segment":
        donor = unet.build(len(start.classes), start.architecture)
        donor.load_weights(weights)
        return transferred(donor, start.classes, classes, start.architecture)
    network = unet.build(len(classes), architecture_of(start))
    begin_backbone(network, weights, start.architecture)
    return network


def transferred(donor, old_classes, new_classes, architecture):
    """Build a network for new classes with the weights of a trained one.

    All layers are taken over, but for the last one, which is made anew: see `remade`.

    Args:
        donor: keras.Model of `unet.build`, trained.
        old_classes, new_classes: names, the background first.
        architecture: of both.
    Returns:
        keras.Model.
    """
    network = unet.build(len(new_classes), architecture)
    for layer in network.layers:
        if layer.name != LOGITS and layer.weights:
            layer.set_weights(donor.get_layer(layer.name).get_weights())
    kernel, bias = donor.get_layer(LOGITS).get_weights()
    # A transposed convolution has its outputs before its inputs.
    axis = -2 if isinstance(donor.get_layer(LOGITS), keras.layers.Conv2DTranspose) else -1
    network.get_layer(LOGITS).set_weights(
        [
            remade(kernel, old_classes, new_classes, axis),
            remade(bias, old_classes, new_classes, -1),
        ]
    )
    return network


def remade(weights, old_classes, new_classes, axis):
    """The last layer's kernel or bias for other classes.

    The background stays, and so do classes of the same name. A new class begins as the mean
    of the old ones, which is laid at zero: a softmax does not see what all classes have in
    common.

    Args:
        weights: float array with a row for each old class along `axis`.
        old_classes, new_classes: names, the background first.
    """
    old = np.moveaxis(np.asarray(weights), axis, 0)
    old = old - old.mean(axis=0)
    new = np.zeros((len(new_classes), *old.shape[1:]), old.dtype)
    new[0] = old[0]
    known = {name: number for number, name in enumerate(old_classes) if number}
    for number, name in enumerate(new_classes):
        if number and name in known:
            new[number] = old[known[name]]
    return np.moveaxis(new, 0, axis)


def begin_backbone(network, weights, architecture):
    """Give a network the backbone out of the file of another task's model.

    Args:
        network: keras.Model with a layer "csp".
        weights: .weights.h5 file of a model whose first nested network is the backbone.
        architecture: of that model, with "widths" and "depths".
    Raises:
        ModelError: the file holds no such backbone.
    """
    sizes = {
        "widths": tuple(architecture.get("widths", WIDTHS)),
        "depths": tuple(architecture.get("depths", DEPTHS)),
    }
    backbone = csp_backbone(**sizes)
    pixels = keras.Input((None, None, 3), name="pixels")
    try:
        # Keras finds weights by their place in the network: the rest of it is not needed.
        keras.Model(pixels, backbone(pixels)).load_weights(weights)
    except (OSError, ValueError, KeyError) as error:
        reason = first_line(error)
        raise ModelError(f"{weights}: its backbone cannot be taken over ({reason})") from None
    for layer in network.get_layer(BACKBONE).layers:
        if layer.weights:
            layer.set_weights(backbone.get_layer(layer.name).get_weights())


def freeze_contracting(network, frozen):
    """Freeze the contracting path, or release it but for the batch norms of the backbone.

    Args:
        network: keras.Model of `unet.build`.
        frozen: whether all of it stays as it is.
    """
    if BACKBONE in [layer.name for layer in network.layers]:
        backbones.freeze_backbone(network, frozen)
        return
    network.trainable = True
    for layer in network.layers:
        if layer.name.startswith(_CONTRACTING):
            norm = isinstance(layer, keras.layers.BatchNormalization)
            layer.trainable = not frozen and not norm
