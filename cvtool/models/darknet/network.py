"""A Darknet network in Keras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from cvtool.models.darknet.configuration import parse_configuration
from cvtool.models.darknet.layers import Enlarge, PaddedMaxPooling, Reorganise
from cvtool.models.darknet.plan import PICTURE, Layer, Plan, plan_network

# Added to the variance in batch normalisation. Darknet's versions differ (1e-5; 1e-6 to the
# deviation); this is OpenCV's. Outputs of trained networks change by some hundredths between them.
EPSILON = 1e-6


def build_network(plan: Plan) -> keras.Model:
    """Build the network of a plan, with untrained weights.

    Layers are called as in the plan; the batch normalisation of one has "_bn" after its name.

    Args:
        plan: from `plan_network`.
    Returns:
        keras.Model from RGB pixels in [0, 255], float (N, H, W, 3), to raw outputs, float32
        (N, P, 5 + C): x, y, w, h, objectness and class logits; all heads, the finest stride
        first, each in the order of `cvtool.detection.grid.prediction_grid`. H and W are
        multiples of the largest stride.
    """
    pixels = keras.Input((None, None, 3), name="pixels")
    outputs = {PICTURE: layers.Rescaling(1 / 255, name="rescaling")(pixels)}
    unactivated = {}
    for number, layer in enumerate(plan.layers):
        if layer.kind == "head":
            continue
        taken = [outputs[i] for i in layer.inputs]
        outputs[number] = unactivated[number] = BUILDERS[layer.kind](layer, *taken)
        if layer.settings.get("activation", "linear") != "linear":
            outputs[number] = _activated(layer, unactivated[number])
    rows = [
        layers.Reshape((-1, 5 + head.classes), name=f"head_{head.layer}", dtype="float32")(
            (unactivated if head.before_activation else outputs)[head.layer]
        )
        for head in plan.heads
    ]
    raw = layers.Concatenate(axis=1, name="raw", dtype="float32")(rows) if rows[1:] else rows[0]
    return keras.Model(pixels, raw, name="darknet")


def network_of(architecture: Mapping[str, Any], source: str) -> keras.Model:
    """The network of an imported model, with untrained weights.

    Args:
        architecture: of its model.json: "darknet", the configuration's text.
        source: what it comes from, for errors.
    Raises:
        ModelError: the configuration cannot be used.
    """
    return build_network(plan_network(parse_configuration(str(architecture["darknet"]), source)))


def _activated(layer: Layer, maps):
    kind, name = layer.settings["activation"], f"{layer.name}_{layer.settings['activation']}"
    if kind == "leaky":
        return layers.LeakyReLU(0.1, name=name)(maps)
    functions = {"relu": "relu", "logistic": "sigmoid", "swish": "silu", "mish": "mish"}
    return layers.Activation(functions[kind], name=name)(maps)


def _convolutional(layer: Layer, maps):
    """Convolution and batch normalisation. Padding is the same on all sides."""
    settings = layer.settings
    size, stride, padding = settings["size"], settings["stride"], settings["padding"]
    # Where both mean the same, padding inside the convolution is quicker.
    same = padding > 0 and stride == 1 and size == 2 * padding + 1
    if padding and not same:
        maps = layers.ZeroPadding2D(padding, name=f"{layer.name}_padding")(maps)
    options = {
        "strides": stride,
        "padding": "same" if same else "valid",
        "use_bias": not settings["batch_normalize"],
        "name": layer.name,
    }
    if is_depthwise(layer):
        multiplier = layer.channels // settings["input_channels"]
        maps = layers.DepthwiseConv2D(size, depth_multiplier=multiplier, **options)(maps)
    else:
        maps = layers.Conv2D(layer.channels, size, groups=settings["groups"], **options)(maps)
    if settings["batch_normalize"]:
        maps = layers.BatchNormalization(epsilon=EPSILON, name=f"{layer.name}_bn")(maps)
    return maps


def is_depthwise(layer: Layer) -> bool:
    """Whether each channel is convolved by itself."""
    return layer.settings["groups"] == layer.settings["input_channels"] > 1


def _maxpool(layer: Layer, maps):
    size, stride, padding = (layer.settings[key] for key in ("size", "stride", "padding"))
    # Here "same" gives the border of Darknet for maps of any size.
    if padding == size - 1 and (stride == 1 or size == stride == 2):
        return layers.MaxPooling2D(size, stride, padding="same", name=layer.name)(maps)
    return PaddedMaxPooling(size, stride, padding, name=layer.name)(maps)


def _avgpool(layer: Layer, maps):
    return layers.GlobalAveragePooling2D(keepdims=True, name=layer.name)(maps)


def _upsample(layer: Layer, maps):
    return Enlarge(layer.settings["stride"], name=layer.name)(maps)


def _route(layer: Layer, *maps):
    groups, group = layer.settings["groups"], layer.settings["group"]
    if groups > 1:
        widths = [m.shape[-1] // groups for m in maps]
        maps = [m[..., group * w : (group + 1) * w] for m, w in zip(maps, widths, strict=True)]
    return layers.Concatenate(name=layer.name)(maps) if len(maps) > 1 else maps[0]


def _shortcut(layer: Layer, before, *others):
    """Sum with the channels of the layer before: as far as the others have them, and no further."""
    missing = [max(0, layer.channels - other.shape[-1]) for other in others]
    others = [
        keras.ops.pad(other[..., : layer.channels], ((0, 0), (0, 0), (0, 0), (0, more)))
        if other.shape[-1] != layer.channels
        else other
        for other, more in zip(others, missing, strict=True)
    ]
    return layers.Add(name=layer.name)([before, *others])


def _dropout(layer: Layer, maps):
    return maps


def _reorg(layer: Layer, maps):
    return Reorganise(layer.settings["stride"], name=layer.name)(maps)


BUILDERS = {
    "convolutional": _convolutional,
    "maxpool": _maxpool,
    "avgpool": _avgpool,
    "upsample": _upsample,
    "route": _route,
    "shortcut": _shortcut,
    "dropout": _dropout,
    "reorg": _reorg,
}
