"""Go through a network's graph layer by layer, into nested networks too."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cvtool.errors import ModelError

if TYPE_CHECKING:
    import keras

# Called with "layer" or "network/layer", the layer or operation, and its arguments.
Visit = Callable[[str, Any, tuple[Any, ...], dict[str, Any]], Any]


def follow(network: keras.Model, inputs: Any, visit: Visit, prefix: str = "") -> Any:
    """Hand each layer of a network, in the order of computation, to a function.

    Args:
        network: functional or sequential; nested networks are gone into.
        inputs: tensors, or a structure of them, as the network takes it; symbolic or not.
        visit: gives the layer's outputs, with which the way goes on.
        prefix: of the names.
    Returns:
        the network's outputs.
    """
    import keras

    def followed(layer):
        def call(*args, **kwargs):
            if isinstance(layer, keras.Model):
                return follow(layer, args[0], visit, f"{prefix}{layer.name}/")
            return visit(prefix + layer.name, layer, args, kwargs)

        return call

    if isinstance(network, keras.Sequential):
        for layer in network.layers:
            inputs = followed(layer)(inputs)
        return inputs
    # Keras itself computes the shapes of a model by this method; no public one shows
    # what is in between, for a size other than that of the input or inside a nested model.
    return network._run_through_graph(inputs, operation_fn=followed)


def follow_shapes(
    network: keras.Model, size: int, see: Callable[[str, Any, tuple[Any, ...], Any], None]
) -> None:
    """Go through a network for a square picture, by shapes alone: nothing is calculated.

    Args:
        network: with one picture input, (H, W, C) or (None, None, C).
        size: side of the picture in pixels.
        see: called for each use of a layer with its name, the layer, its arguments and its
            outputs, keras.KerasTensor.
    Raises:
        ModelError: the network does not take pictures of that size.
    """
    import keras

    height, width, channels = network.input_shape[1:]
    if height not in (None, size) or width not in (None, size):
        raise ModelError(
            f'network "{network.name}" takes pictures of {width} x {height} pixels only, '
            f"not of {size}"
        )

    def visit(name, layer, args, kwargs):
        outputs = layer.compute_output_spec(*args, **kwargs)
        see(name, layer, args, outputs)
        return outputs

    pixels = keras.KerasTensor((None, size, size, channels), dtype=network.input.dtype)
    try:
        follow(network, pixels, visit)
    except ValueError as error:
        # Keras refuses shapes that do not fit, such as a feature map smaller than its window.
        reason = str(error).strip().splitlines()[0]
        raise ModelError(
            f'network "{network.name}" does not fit pictures of {size} pixels ({reason}); '
            "try a larger size, or a multiple of 32"
        ) from error
