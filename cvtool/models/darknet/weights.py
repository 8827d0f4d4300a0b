"""Read a Darknet weights file into a Keras network."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from cvtool.errors import ModelError
from cvtool.models.darknet.network import is_depthwise
from cvtool.models.darknet.plan import Layer, Plan


def read_weights(path: str | Path, plan: Plan) -> dict[str, list[np.ndarray]]:
    """The weights of every layer of a plan.

    A file is three 32-bit integers (major version, minor version, revision), the number of
    pictures seen in training (32 bits in version 0.1, 64 in 0.2), and float32 numbers, all
    little-endian: of each convolution the biases, with batch normalisation also scales, means
    and variances, and the kernel as (output, input, row, column).

    Args:
        path: the file.
        plan: of its configuration.
    Returns:
        by name of the Keras layer, its arrays in the order of `set_weights`, float32.
    Raises:
        ModelError: not to be read, another version, too short or too long for the plan, or
            numbers that no network has.
    """
    numbers = _numbers(Path(path), plan)
    arrays: dict[str, list[np.ndarray]] = {}
    for layer in plan.layers:
        if layer.kind == "convolutional":
            taken = _count(layer)
            arrays |= _convolution(layer, numbers[:taken])
            numbers = numbers[taken:]
    for name, values in arrays.items():
        variances = values[3] if len(values) == 4 else np.zeros(0)
        if not all(np.isfinite(value).all() for value in values) or (variances < 0).any():
            raise ModelError(
                f"{path}: holds numbers that cannot be weights (in {name}); it is damaged or "
                f"belongs to another configuration than {plan.source}"
            )
    return arrays


def set_weights(network: keras.Model, arrays: dict[str, list[np.ndarray]]) -> None:
    """Give the network of `build_network` the weights of `read_weights`.

    Layers that no head depends on are not in the network; theirs are left out.
    """
    for layer in network.layers:
        if layer.weights:
            layer.set_weights(arrays[layer.name])


def _numbers(path: Path, plan: Plan) -> np.ndarray:
    """All float32 numbers after the header, as many as the plan needs."""
    try:
        with path.open("rb") as stream:
            header = stream.read(12)
            size = path.stat().st_size
            if len(header) < 12:
                raise ModelError(f"{path}: {size} bytes are too few for Darknet weights")
            major, minor, _ = np.frombuffer(header, "<i4")
            if (major, minor) not in ((0, 1), (0, 2)):
                raise ModelError(
                    f"{path}: not Darknet weights of version 0.1 or 0.2 (its first numbers "
                    f"are {major} and {minor}); give a .weights file"
                )
            seen = 4 if minor == 1 else 8
            needed = sum(_count(layer) for layer in plan.layers if layer.kind == "convolutional")
            expected = 12 + seen + 4 * needed
            if size != expected:
                raise ModelError(
                    f"{path}: {size} bytes, but {plan.source} needs {expected}; the two do not "
                    "belong together, or the file is not whole"
                )
            stream.read(seen)
            return np.frombuffer(stream.read(), "<f4").astype(np.float32)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error


def _kernel_shape(layer: Layer) -> tuple[int, int, int, int]:
    """Shape of a convolution's kernel in the file: output, input, rows, columns."""
    settings = layer.settings
    inputs = settings["input_channels"] // settings["groups"]
    return layer.channels, inputs, settings["size"], settings["size"]


def _count(layer: Layer) -> int:
    """How many numbers a convolution has."""
    outputs, inputs, rows, columns = _kernel_shape(layer)
    vectors = 4 if layer.settings["batch_normalize"] else 1
    return outputs * (vectors + inputs * rows * columns)


def _convolution(layer: Layer, numbers: np.ndarray) -> dict[str, list[np.ndarray]]:
    """The arrays of a convolution, from all its numbers."""
    outputs, *kernel_shape = _kernel_shape(layer)
    normalised = layer.settings["batch_normalize"]
    vectors = numbers[: outputs * (4 if normalised else 1)].reshape(-1, outputs)
    kernel = numbers[vectors.size :]
    if is_depthwise(layer):
        # Keras wants (row, column, input, outputs of an input).
        channels = layer.settings["input_channels"]
        kernel = kernel.reshape(channels, -1, *kernel_shape[1:]).transpose(2, 3, 0, 1)
    else:
        kernel = kernel.reshape(outputs, *kernel_shape).transpose(2, 3, 1, 0)
    if not normalised:
        return {layer.name: [kernel, vectors[0]]}
    beta, gamma, mean, variance = vectors
    return {layer.name: [kernel], f"{layer.name}_bn": [gamma, beta, mean, variance]}
