"""Which layers of a pre-trained backbone are trained on the new pictures."""

from __future__ import annotations

import keras

from cvtool.errors import OptionError
from cvtool.models.near_names import near_names, unknown_name


def release(network, unfreeze, side, *, norms=False):
    """Freeze or release the layers of a classifier.

    Args:
        network: keras.Model of `networks.classifier`.
        unfreeze: "head", "last" (the layers at the coarsest resolution), "all", or the
            name of the backbone's layer from which on.
        side: side of the network's input, pixels.
        norms: release batch-norm layers of the backbone too. Where only a part of it is
            trained they are best left: their statistics come from many more pictures than a
            new set has, and still fit.
    Returns:
        names of the backbone's layers that are trained now and have weights.
    Raises:
        OptionError: no such layer, or nothing to train from there on.
    """
    network.trainable = True
    backbone = backbone_of(network)
    if backbone is None:
        return [layer.name for layer in network.layers if layer.trainable_weights]
    layers = flat_layers(backbone)
    start = _first_released(layers, backbone, unfreeze, side)
    released = []
    for number, layer in enumerate(layers):
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = number >= start and (norms or not is_norm) and layer.name != "caffe"
        if layer.trainable and layer.trainable_weights:
            released.append(layer.name)
    if not released and unfreeze != "head":
        raise OptionError(f"--unfreeze {unfreeze}: no layer with weights from there on")
    return released


def backbone_of(network):
    """The nested model with the convolutions; None for a network from scratch."""
    nested = [layer for layer in network.layers if isinstance(layer, keras.Model)]
    return nested[0] if nested else None


def flat_layers(model):
    """The layers of a model in order, those of models inside it in their place."""
    layers = []
    for layer in model.layers:
        layers += flat_layers(layer) if isinstance(layer, keras.Model) else [layer]
    return layers


def _first_released(layers, backbone, unfreeze, side):
    if unfreeze == "head":
        return len(layers)
    if unfreeze == "all":
        return 0
    names = [layer.name for layer in layers]
    if unfreeze == "last":
        return coarsest_from(layers, backbone, side)
    if unfreeze in names:
        return names.index(unfreeze)
    # All the layers would make a long list, so they are offered only where one is near.
    known = names if near_names(unfreeze, names) else ("head", "last", "all")
    raise OptionError(f"--unfreeze: {unknown_name('layer', unfreeze, known)}")


def coarsest_from(layers, backbone, side):
    """Position of the first layer at the coarsest resolution that has convolutions.

    Args:
        layers: `flat_layers(backbone)`.
        backbone: keras.Model, pixels to feature map(s).
        side: side of the input that the resolutions are worked out for, pixels.
    """
    # The innermost model holds the convolutions where preprocessing wraps it.
    inner = backbone_of(backbone) or backbone
    maps = [layer for layer in inner.layers if len(getattr(layer.output, "shape", ())) == 4]
    probe = keras.Model(inner.input, [layer.output for layer in maps])
    shapes = probe.compute_output_spec(keras.KerasTensor((1, side, side, 3)))
    heights = [spec.shape[1] for spec in shapes]
    # Not the least of all heights: squeeze-and-excitation works on 1 x 1 maps on the way.
    with_weights = [h for h, layer in zip(heights, maps, strict=True) if layer.weights]
    coarsest = min(h for h in with_weights if h >= heights[-1])
    first = maps[heights.index(coarsest)]
    return [layer.name for layer in layers].index(first.name)
