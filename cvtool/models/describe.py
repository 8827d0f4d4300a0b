"""Count a network's parameters and multiply-adds, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cvtool.models.graph import follow_shapes

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer.

    Attributes:
        name: "layer", or "network/layer" inside a nested network.
        type: its class in Keras.
        output_shape: without the batch; where there are several outputs, of the first.
        parameters: numbers among its weights, those that are not trained included.
        multiply_adds: multiplications, each with its addition, for one picture; 0 for
            layers other than convolutions and dense ones. Biases do not count.
    """

    name: str
    type: str
    output_shape: tuple[int | None, ...]
    parameters: int
    multiply_adds: int

    def to_dict(self) -> dict[str, Any]:
        """The row as the documented JSON object."""
        return {
            "name": self.name,
            "type": self.type,
            "output_shape": list(self.output_shape),
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
        }


@dataclass(frozen=True, slots=True)
class Totals:
    """A network's sums: parameters, and multiply-adds for one picture."""

    parameters: int
    multiply_adds: int

    @property
    def float32_bytes(self) -> int:
        """Size of the parameters as float32 numbers."""
        return 4 * self.parameters


def describe_network(network: keras.Model, size: int) -> list[LayerRow]:
    """The layers of a network for a square picture, in the order in which they are computed.

    Only shapes are computed, so that the time does not depend on the size. A layer that is
    used more than once has one row: its parameters once, the multiply-adds of all uses.

    Args:
        network: functional or sequential keras.Model, channels last, with one picture
            input, (H, W, C) or (None, None, C); nested networks are gone into.
        size: side of the picture in pixels.
    Returns:
        a row for each layer; the input has none.
    Raises:
        ModelError: the network does not take pictures of that size.
    """
    rows: dict[int, LayerRow] = {}

    def see(name, layer, args, outputs):
        add_row(name, layer, shapes(args), shapes(outputs), rows)

    follow_shapes(network, size, see)
    return list(rows.values())


def total(rows: Iterable[LayerRow]) -> Totals:
    """The sums over a network's layers."""
    rows = list(rows)
    return Totals(sum(row.parameters for row in rows), sum(row.multiply_adds for row in rows))


def add_row(
    name: str,
    layer: Any,
    inputs: Sequence[tuple[int | None, ...]],
    outputs: Sequence[tuple[int | None, ...]],
    rows: dict[int, LayerRow],
) -> None:
    """Add a use of a layer to the rows; `inputs` and `outputs` are shapes."""
    # What keras.ops put into a network is no layer and has no weights.
    parameters = layer.count_params() if hasattr(layer, "count_params") else 0
    earlier = rows.get(id(layer))
    rows[id(layer)] = LayerRow(
        name=name,
        type=type(layer).__name__,
        output_shape=outputs[0][1:],
        parameters=parameters,
        multiply_adds=multiply_adds(layer, inputs[0], outputs[0])
        + (earlier.multiply_adds if earlier else 0),
    )


def multiply_adds(layer: Any, inputs: Sequence[int | None], outputs: Sequence[int | None]) -> int:
    """Multiply-adds of one use of a layer, for one picture.

    A convolution multiplies its whole kernel at each pixel of its output; what falls on
    the padding counts, as in the papers. A transposed one does so at each of its input.

    Args:
        layer: any layer; all but convolutions and dense ones give 0.
        inputs, outputs: shapes with the batch first and the channels last.
    """
    from keras import layers

    channels = inputs[-1]
    if isinstance(layer, layers.Dense):
        return math.prod(outputs[1:]) * channels
    if isinstance(layer, layers.Conv2D):
        return math.prod(outputs[1:]) * math.prod(layer.kernel_size) * (channels // layer.groups)
    if isinstance(layer, layers.DepthwiseConv2D):
        return math.prod(outputs[1:]) * math.prod(layer.kernel_size)
    if isinstance(layer, layers.SeparableConv2D):
        between = channels * layer.depth_multiplier
        window = math.prod(layer.kernel_size)
        return math.prod(outputs[1:-1]) * between * (window + outputs[-1])
    if isinstance(layer, layers.Conv2DTranspose):
        return math.prod(inputs[1:]) * math.prod(layer.kernel_size) * outputs[-1]
    return 0


def shapes(structure: Any) -> list[tuple[int | None, ...]]:
    """The shapes of all tensors in a structure, in order."""
    import keras

    return [tuple(x.shape) for x in keras.tree.flatten(structure) if hasattr(x, "shape")]
