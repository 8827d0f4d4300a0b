"""A detector for new classes that begins with what a trained one knows."""

from __future__ import annotations

import keras
import numpy as np

from cvtool.detection.yolo import PriorBias, yolo

# The layers whose channels depend on the classes.
HEADS = ("head3_conv", "head4_conv", "head5_conv")
BOX_AND_OBJECTNESS = 5


def transferred(donor, old_classes, new_classes, *, num_anchors, architecture):
    """Build a YOLO for new classes with the weights of a trained one.

    All layers are taken over, but for the last one of each scale, which is made anew: boxes
    and objectness (is there an object at all) serve any class and stay; the weights of a
    class stay where the new classes have one of the same name, and start from nothing
    elsewhere.

    Args:
        donor: keras.Model of `yolo`, trained.
        old_classes, new_classes: names.
        num_anchors: of each cell, the same in both.
        architecture: dict of the other arguments of `yolo`, the same in both.
    Returns:
        keras.Model.
    """
    network = yolo(len(new_classes), num_anchors=num_anchors, **architecture)
    for layer in network.layers:
        if layer.name not in HEADS and layer.weights:
            layer.set_weights(donor.get_layer(layer.name).get_weights())
    for name in HEADS:
        old = donor.get_layer(name).get_weights()
        layer = network.get_layer(name)
        layer.set_weights(
            [remade(weights, old_classes, new_classes, num_anchors) for weights in old]
        )
    return network


def remade(weights, old_classes, new_classes, num_anchors):
    """A head's kernel (..., A (5 + old)) or bias for other classes, (..., A (5 + new)).

    Columns of new classes are zero in a kernel; in a bias they are what an untrained head
    begins with.
    """
    weights = np.asarray(weights)
    shape = weights.shape[:-1]
    old = weights.reshape(*shape, num_anchors, BOX_AND_OBJECTNESS + len(old_classes))
    new = np.zeros((*shape, num_anchors, BOX_AND_OBJECTNESS + len(new_classes)), weights.dtype)
    if weights.ndim == 1:
        row = PriorBias(len(new_classes))((new.shape[-1],))
        new[:] = keras.ops.convert_to_numpy(row)
    new[..., :BOX_AND_OBJECTNESS] = old[..., :BOX_AND_OBJECTNESS]
    for number, name in enumerate(new_classes):
        if name in old_classes:
            known = BOX_AND_OBJECTNESS + list(old_classes).index(name)
            new[..., BOX_AND_OBJECTNESS + number] = old[..., known]
    return new.reshape(*shape, -1)
