"""Build a classifier's network from its description.

A classifier is a backbone, average pooling over its last feature map (the layer
"pool"), dropout, one linear layer ("logits") and an activation ("probabilities").
Networks from scratch bring their own way to the logits.
"""

from __future__ import annotations

import keras

from cvtool.backbones import DEPTHS, WIDTHS, csp_backbone
from cvtool.classification.scratch import build_scratch
from cvtool.errors import ModelError
from cvtool.models import own_network
from cvtool.models.applications import APPLICATIONS, application_classifier, application_features

FEATURES = "pool"
LOGITS = "logits"
OUTPUT = "probabilities"


def classifier(architecture, classes, *, several=False, weights=None):
    """Build a classifier.

    Args:
        architecture: dict as in presets.json: "network" is "csp" (with "widths" and
            "depths"), a name of `models.applications.APPLICATIONS`, or, with "scratch"
            true and "size", one of `classification.scratch.SCRATCH`; "dropout" before the
            last layer; "top" for the ImageNet head of an application.
        classes: how many.
        several: several labels a picture: a sigmoid for each class instead of a softmax.
        weights: of an application: "imagenet" or None.
    Returns:
        keras.Model from RGB pixels in [0, 255], float (N, H, W, 3), to probabilities
        (N, classes).
    Raises:
        ModelError: an unknown network.
    """
    name = architecture.get("network")
    dropout = architecture.get("dropout", 0.0)
    if architecture.get("top"):
        return application_classifier(name, weights)
    if architecture.get("scratch"):
        network = build_scratch(name, classes, architecture["size"], dropout)
        pixels, logits = network.input, network.output
    else:
        pixels = keras.Input((None, None, 3), name="pixels")
        features = backbone(architecture, weights)(pixels)
        x = features[-1] if isinstance(features, list | tuple) else features
        x = keras.layers.GlobalAveragePooling2D(name=FEATURES)(x)
        x = keras.layers.Dropout(dropout, name="dropout")(x)
        logits = keras.layers.Dense(classes, dtype="float32", name=LOGITS)(x)
    activation = "sigmoid" if several else "softmax"
    outputs = keras.layers.Activation(activation, dtype="float32", name=OUTPUT)(logits)
    return keras.Model(pixels, outputs, name="classifier")


def backbone(architecture, weights=None):
    """The convolutional part alone, pixels to feature map(s).

    Raises:
        ModelError: an unknown network.
    """
    name = architecture.get("network")
    if name == "csp":
        widths, depths = architecture.get("widths", WIDTHS), architecture.get("depths", DEPTHS)
        return csp_backbone(widths=tuple(widths), depths=tuple(depths))
    if name in APPLICATIONS:
        return application_features(name, weights)
    raise ModelError(f'unknown network "{name}" in the model\'s description; update cvtool')


def logits_of(network):
    """The same network up to its logits, which losses are best computed from."""
    return keras.Model(network.input, network.get_layer(LOGITS).output, name="logits_of")


def features_of(network):
    """The same network up to its pooled features; None where it has no such layer."""
    if FEATURES not in [layer.name for layer in network.layers]:
        return None
    return keras.Model(network.input, network.get_layer(FEATURES).output, name="features_of")


def build(preset):
    """The Keras network of a classifier's preset, with untrained weights."""
    if "own" in preset.architecture:
        return own_network.build(preset)
    return classifier(preset.architecture, len(preset.classes), several=preset.several)
