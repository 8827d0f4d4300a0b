"""What the recipes' networks begin with: the weights of a model that is there already."""

from __future__ import annotations

from cvtool.backbones import BACKBONE
from cvtool.classification import networks
from cvtool.detection import detector
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
        ModelError: no such model or file, or one without this backbone.
    """
    backbone = network.get_layer(BACKBONE)
    try:
        if start.endswith(".weights.h5"):
            backbone.load_weights(start)
        else:
            backbone.set_weights(trained(start).get_layer(BACKBONE).get_weights())
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{start}: no weights of this backbone; give a model that has it"
        ) from error


def start_classifier(network, start):
    """Begin with all of a classifier of the same classes, or else with another's backbone.

    Args and errors are those of `start_backbone`.
    """
    if not start.endswith(".weights.h5") and find_model(start).task == "classify":
        source = trained(start).get_weights()
        if [w.shape for w in source] == [w.shape for w in network.get_weights()]:
            network.set_weights(source)
            return
    start_backbone(network, start)


def trained(name):
    """The Keras network of a classifier or detector, with its weights."""
    preset = find_model(name)
    if preset.task not in BUILDERS:
        raise ModelError(f'model "{name}" is for {preset.task}; give a classifier or a detector')
    network = BUILDERS[preset.task](preset)
    network.load_weights(preset_file(preset, "weights"))
    return network
