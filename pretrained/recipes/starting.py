"""What the recipes' networks begin with: the weights of a model that is there already."""

from __future__ import annotations

from cvtool.backbones import BACKBONE
from cvtool.classification import networks
from cvtool.detection import detector
from cvtool.engines import load_weights
from cvtool.errors import ModelError
from cvtool.models.presets import find_model, preset_file

BUILDERS = {"classify": networks.build, "detect": detector.build}


def start_backbone(network, start):
    """Begin with the backbone of another network.

    Args:
        network: keras.Model with a layer "csp", which is changed.
        start: str, a classifier or detector (the name of a preset or a model folder), or the
            .weights.h5 file of a backbone.
    Raises:
        ModelError: no such model or file, a damaged one, or one without this backbone.
    """
    if start.endswith(".weights.h5"):
        load_weights(network.get_layer(BACKBONE), start)
    else:
        _copy_backbone(network, _trained(start), start)


def start_classifier(network, start):
    """Begin with all of a classifier of as many classes, or else with a backbone alone.

    Args and errors are those of `start_backbone`.
    """
    if start.endswith(".weights.h5"):
        start_backbone(network, start)
        return
    source = _trained(start)
    if _shapes(source) == _shapes(network):
        network.set_weights(source.get_weights())
    else:
        _copy_backbone(network, source, start)


def _trained(name):
    """The Keras network of a classifier or detector, with its weights."""
    preset = find_model(name)
    if preset.task not in BUILDERS:
        raise ModelError(f'model "{name}" is for {preset.task}; give a classifier or a detector')
    network = BUILDERS[preset.task](preset)
    load_weights(network, preset_file(preset, "weights"))
    return network


def _copy_backbone(network, source, name):
    backbone = network.get_layer(BACKBONE)
    known = BACKBONE in [layer.name for layer in source.layers]
    if not known or _shapes(source.get_layer(BACKBONE)) != _shapes(backbone):
        raise ModelError(f'model "{name}" has another backbone; give one with that of tiny200')
    backbone.set_weights(source.get_layer(BACKBONE).get_weights())


def _shapes(network):
    return [tuple(variable.shape) for variable in network.weights]
