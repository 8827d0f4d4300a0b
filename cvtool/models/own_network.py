"""Make a model of cvtool out of a user's own classifier or segmenter.

The network, from a .keras file or a SavedModel, is wrapped, so that it takes what every network
of cvtool takes and gives what the commands expect, and the result is written as a model folder.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtool.errors import ModelError
from cvtool.models.keras_files import load_keras_file
from cvtool.models.presets import FORMAT, MODEL_FILE, Preset, preset_file
from cvtool.models.saved_models import is_saved_model, load_signature

if TYPE_CHECKING:
    import keras

KIND = "keras"  # of the file, among a preset's files
# Where the network leaves the size of its pictures open and the user says none.
USUAL_SIZE = {"classify": 224, "segment": 320}
# What a probability of 0 counts as where its logarithm is taken.
SMALLEST = 1e-7
# How far the probabilities of a softmax may be from a sum of 1.
ROUNDING = 1e-3
# What the converted network may differ by, as a share of the largest number.
DIFFERENCE = 0.01


@dataclass(frozen=True, slots=True)
class Wrapping:
    """What lies between a network and a command.

    Attributes:
        task: "classify" or "segment".
        channels: outputs; 1 where they are the probability of the second of two classes.
        output: "softmax", "sigmoid" or "logits": what the outputs are.
        black, white: the network's values for these.
        size: side of the square pictures that it is shown; None for any.
    """

    task: str
    channels: int
    output: str
    black: float
    white: float
    size: int | None


def is_own_network(path: str | Path) -> bool:
    """Whether a path is something that `import_own` reads."""
    return Path(path).suffix == ".keras" and Path(path).is_file() or is_saved_model(path)


def import_own(
    path: str | Path,
    folder: str | Path,
    *,
    name: str,
    classes: Sequence[str],
    pixel_range: tuple[float, float] = (0.0, 255.0),
    size: int | None = None,
    description: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Convert a network of the user's own into a model folder.

    A network with an output (N, C) is a classifier, one with (N, H, W, C) a segmenter. C is
    the number of classes; or 1, for the probability of the second of two. Outputs are
    probabilities that exclude each other (softmax) or do not (sigmoid), or else logits: the
    last activation of a .keras file says which, and the outputs for noise those of a SavedModel.

    Args:
        path: a .keras file or the folder of a SavedModel.
        folder: where to write.
        name: of the model.
        classes: labels in the order of the outputs; a segmenter's first is the background.
        pixel_range: what black and white are for the network; (0, 255) where it rescales
            pixels itself.
        size: side of the pictures to show it, where it leaves that open.
        description: more keys for model.json, such as "licence" and "source".
    Returns:
        the entry as written.
    Raises:
        ModelError: it cannot be loaded safely, is not such a network, or cannot be converted.
    """
    path, folder = Path(path), Path(folder)
    if pixel_range[0] == pixel_range[1]:
        raise ModelError("the pixel range is empty; give black and white, such as 0,1")
    if is_saved_model(path):
        network, shapes, output = _signature(path)
    else:
        network, shapes, output = _keras(path)
    wrapping = wrapping_of(path, *shapes, output, len(classes), pixel_range, size)
    entry = {
        "name": name,
        "task": wrapping.task,
        "description": f"from {path.name}",
        "architecture": {"own": asdict(wrapping)},
        "size": wrapping.size or size or USUAL_SIZE[wrapping.task],
        "classes": list(classes),
        "several": output == "sigmoid" and wrapping.task == "classify" and wrapping.channels > 1,
    }
    if wrapping.size:
        entry["architecture"] |= {"fixed_size": True, "step": wrapping.size}
    entry |= description or {}
    try:
        if is_saved_model(path):
            written = _save_signature(network, wrapping, folder, entry)
        else:
            written = _save_keras(network, wrapping, folder, entry, path)
        litert = folder / written["files"]["litert"]["file"]
        _check_litert(litert, network, wrapping, entry["size"])
        return written
    except (OSError, ModelError):
        raise
    except Exception as error:
        # Of any kind: the converter meets whatever layers there are.
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"{path}: cannot be converted for LiteRT ({lines[0][:160]}); use standard layers"
        ) from None


def build(preset: Preset) -> keras.Model:
    """The Keras network of a model that `import_own` made of a .keras file.

    Raises:
        ModelError: it was made of a SavedModel, or its file is damaged.
    """
    if KIND not in preset.files:
        raise ModelError(
            f'model "{preset.name}" was made of a SavedModel, so it runs in LiteRT on the CPU '
            "only; for this, import the network as a .keras file"
        )
    network = load_keras_file(preset_file(preset, KIND))
    return wrap(network, Wrapping(**preset.architecture["own"]))


def wrapping_of(
    path: Path,
    taken: Sequence[int | None],
    given: Sequence[int | None],
    output: str,
    classes: int,
    pixel_range: tuple[float, float],
    size: int | None,
) -> Wrapping:
    """See what a network needs around it.

    Args:
        path: named in errors.
        taken, given: shapes of its input and its output.
        output: as in `Wrapping`.
        classes, pixel_range, size: as the user says.
    Raises:
        ModelError: not a colour picture in, not as many outputs as classes, or another size.
    """
    if len(taken) != 4 or taken[-1] != 3:
        raise ModelError(
            f"{path}: takes {list(taken)}, not colour pictures [batch, height, width, 3]"
        )
    if len(given) not in (2, 4) or given[-1] is None:
        raise ModelError(
            f"{path}: gives {list(given)}; a classifier gives [batch, classes], a segmenter "
            "[batch, height, width, classes]; detectors are imported from Darknet's files"
        )
    channels = given[-1]
    if channels != classes and (channels, classes) != (1, 2):
        raise ModelError(
            f"{path}: gives {channels} numbers and {classes} classes are named; name as many, in "
            "the order of the outputs"
        )
    height, width = taken[1:3]
    if height != width:
        raise ModelError(
            f"{path}: takes pictures of {width} x {height} pixels; cvtool shows it squares"
        )
    if height is not None and size not in (None, height):
        raise ModelError(f"{path}: takes pictures of {height} pixels only, not {size}")
    task = "classify" if len(given) == 2 else "segment"
    # A segmenter is always shown a square, where need be with grey beside the picture: of a
    # size known only when it runs, much that enlarges feature maps cannot be converted.
    fixed = height or (size or USUAL_SIZE[task] if task == "segment" else None)
    return Wrapping(task, channels, output, *pixel_range, fixed)


def wrap(network: keras.Model, wrapping: Wrapping) -> keras.Model:
    """The network from RGB pixels in [0, 255] to what the task's commands read.

    A classifier gives probabilities (N, C), a segmenter logits (N, H, W, C).
    """
    import keras

    pixels = keras.Input((wrapping.size, wrapping.size, 3), name="pixels")
    return keras.Model(pixels, wrapped(network, wrapping, pixels), name="own")


def wrapped(network: Callable, wrapping: Wrapping, pixels):
    """As `wrap`, of tensors."""
    from keras import ops

    x = pixels
    if (wrapping.black, wrapping.white) != (0, 255):
        x = x * ((wrapping.white - wrapping.black) / 255) + wrapping.black
    x = network(x)
    if wrapping.channels == 1:
        x = ops.sigmoid(x) if wrapping.output == "logits" else x
        x = ops.concatenate([1 - x, x], axis=-1)
    elif wrapping.task == "classify" and wrapping.output == "logits":
        x = ops.softmax(x)
    if wrapping.task == "segment" and (wrapping.channels == 1 or wrapping.output != "logits"):
        x = ops.log(ops.maximum(x, SMALLEST))
    return x


def last_activation(network: keras.Model) -> str | None:
    """What a network's outputs are: "softmax", "sigmoid" or "logits".

    None where its last layer has no activation, as one that enlarges or averages what came before.
    """
    import keras

    layer = network.layers[-1]
    if getattr(layer, "layers", None):
        return last_activation(layer)
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    kind = getattr(getattr(layer, "activation", None), "__name__", None)
    return kind if kind in ("softmax", "sigmoid", None) else "logits"


def kind_on_noise(network: Callable, taken: tuple) -> str:
    """As `last_activation`, by the outputs of a network that takes pictures of that shape."""
    import numpy as np
    from keras import ops

    sides = [side or USUAL_SIZE["classify"] for side in taken[1:3]]
    noise = np.random.default_rng(0).random((2, *sides, 3), np.float32)
    return kind_of_outputs(ops.convert_to_numpy(network(noise)))


def kind_of_outputs(outputs) -> str:
    """As `last_activation`, judged by a network's outputs for some pictures, float (N, ..., C)."""
    if outputs.min() < 0 or outputs.max() > 1:
        return "logits"
    sums = outputs.sum(axis=-1)
    return "softmax" if abs(sums - 1).max() < ROUNDING and outputs.shape[-1] > 1 else "sigmoid"


def _keras(path: Path):
    network = load_keras_file(path)
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise ModelError(
            f"{path}: has {len(network.inputs)} inputs and {len(network.outputs)} outputs; "
            "a classifier or segmenter has one of each"
        )
    taken, given = network.inputs[0].shape, network.outputs[0].shape
    kind = last_activation(network)
    if kind is None:
        # Of another shape, `wrapping_of` says what is wrong.
        kind = kind_on_noise(network, taken) if len(taken) == 4 and taken[-1] == 3 else "logits"
    return network, (taken, given), kind


def _signature(path: Path):

    function = load_signature(path)
    inputs, outputs = function.structured_input_signature[1], function.structured_outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            f"{path}: has {len(inputs)} inputs and {len(outputs)} outputs; a classifier or "
            "segmenter has one of each"
        )
    ((argument, taken),) = inputs.items()
    (output,) = outputs

    def network(pixels):
        return function(**{argument: pixels})[output]

    # The graph goes as soon as nothing holds what it was loaded from.
    network.owner = function.owner
    shapes = tuple(taken.shape), tuple(outputs[output].shape)
    if len(taken.shape) != 4:
        return network, shapes, "logits"
    return network, shapes, kind_on_noise(network, taken.shape)


def _check_litert(litert: Path, network: Callable, wrapping: Wrapping, size: int) -> None:
    """Run what was written, for the converter also writes what LiteRT cannot run.

    Raises:
        ValueError, RuntimeError: it does not run, or answers otherwise than the network.
    """
    import numpy as np

    from cvtool.engines import new_interpreter, usable_cores

    noise = np.random.default_rng(0).uniform(0, 255, (1, size, size, 3)).astype(np.float32)
    interpreter = new_interpreter(litert.read_bytes(), usable_cores())
    index = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(index, noise.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(index, noise)
    interpreter.invoke()
    actual = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    expected = np.asarray(wrapped(network, wrapping, noise))
    most = DIFFERENCE * np.abs(expected).max()
    if not np.allclose(actual, expected, rtol=0, atol=most, equal_nan=True):
        raise ValueError("it answers otherwise there")


def _save_keras(network, wrapping, folder, entry, path):
    from cvtool.models.saving import fingerprint, replace_text, save_model

    written = save_model(wrap(network, wrapping), folder, entry, float16=False)
    kept = folder / f"{entry['name']}.keras"
    shutil.copyfile(path, kept)
    written["files"][KIND] = fingerprint(kept)
    replace_text(folder / MODEL_FILE, json.dumps(written, indent=2) + "\n")
    return written


def _save_signature(network, wrapping, folder, entry):
    from cvtool.models.saving import fingerprint, replace_text
    from cvtool.tensorflow_import import import_tensorflow, quiet_stderr

    tensorflow = import_tensorflow()
    shape = (None, wrapping.size, wrapping.size, 3)
    function = tensorflow.function(lambda pixels: wrapped(network, wrapping, pixels))
    concrete = function.get_concrete_function(tensorflow.TensorSpec(shape, tensorflow.float32))
    with quiet_stderr():
        converter = tensorflow.lite.TFLiteConverter.from_concrete_functions(
            [concrete], network.owner
        )
        content = converter.convert()
    folder.mkdir(parents=True, exist_ok=True)
    litert = folder / f"{entry['name']}.tflite"
    litert.write_bytes(content)
    written = {"format": FORMAT} | entry | {"files": {"litert": fingerprint(litert)}}
    replace_text(folder / MODEL_FILE, json.dumps(written, indent=2) + "\n")
    return written
