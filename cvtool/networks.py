"""The Keras network of any model, whatever it is for.

Like `cvtool/__init__.py` this stands above the tasks, which do not import one another: only the
command line and users import it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cvtool.errors import ModelError
from cvtool.models.presets import Preset, find_model, preset_file

if TYPE_CHECKING:
    import keras

# Task -> the module whose function `build` makes the Keras network of a preset.
_BUILDERS = {
    "detect": "cvtool.detection.detector",
    "classify": "cvtool.classification.networks",
    "segment": "cvtool.segmentation.segmenter",
    "verify": "cvtool.faces.verifier",
    "features": "cvtool.style.vgg_small",
}


@dataclass(frozen=True, slots=True)
class Network:
    """A model as a Keras network.

    Attributes:
        name: of the preset, or as model.json has it.
        model: from RGB pixels in [0, 255], float (N, H, W, 3).
        size: side of the square that it sees by default, pixels.
        classes: labels in the order of the class numbers; may be empty.
    """

    name: str
    model: keras.Model
    size: int
    classes: tuple[str, ...]


def load_network(model: str | Path) -> Network:
    """The Keras network of a preset or of a model's folder, with its weights.

    Raises:
        ModelError: no such model, damaged files, or a model without a network that looks at
            pictures.
    """
    from cvtool.engines import load_weights

    preset = find_model(model)
    network = build_network(preset)
    load_weights(network, preset_file(preset, "weights"))
    return Network(preset.name, network, preset.size, preset.classes)


def build_network(preset: Preset) -> keras.Model:
    """The Keras network of a preset, with untrained weights.

    Raises:
        ModelError: its task has no network that looks at pictures.
    """
    if preset.task not in _BUILDERS:
        encoder = preset.architecture.get("encoder")
        remedy = f'; its encoder is the model "{encoder}"' if encoder else ""
        raise ModelError(
            f'model "{preset.name}" is for {preset.task}, not a network that looks at pictures'
            + remedy
        )
    from cvtool.tensorflow_import import import_tensorflow

    import_tensorflow()
    return import_module(_BUILDERS[preset.task]).build(preset)
