"""The layers of a network that can be looked into, and which of them to look into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cvtool.errors import ModelError, OptionError
from cvtool.models.graph import follow_shapes
from cvtool.models.near_names import unknown_name
from cvtool.visualising.receptive_fields import Field, field_after, pixels_field

# What comes between a convolution and what it is said to respond to.
_RECTIFIERS = frozenset(["elu", "gelu", "hard_silu", "leaky_relu", "relu", "relu6", "silu"])
_NORMALISATION = "BatchNormalization"


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A layer whose units can be looked at.

    Attributes:
        name: "layer", or "network/layer" inside a nested network.
        kind: its class in Keras.
        shape: of its output: (h, w, units), or (units,).
        field: the receptive fields of its positions; one position where it is no map.
        activation: the layer after its normalisation and ReLU; its own name where nothing of
            the kind follows, or not only that.
        learns: it has weights, or adds up what layers with weights gave.
        last: no weights come after it, so that its units may stand for the classes.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    field: Field
    activation: str
    learns: bool
    last: bool

    @property
    def units(self) -> int:
        """How many there are: channels, or numbers."""
        return self.shape[-1]

    def shown_box(self, row: int, column: int) -> tuple[int, int, int, int]:
        """What to show of a position: its receptive field, x1, y1, x2, y2 in pixels.

        The whole picture where the layer's receptive fields are that large: cut at the
        picture's edges, they would differ in where the picture ends and in nothing else.
        """
        height, width = self.field.picture
        return (0, 0, width, height) if self.field.sees_all else self.field.box(row, column)

    def to_dict(self) -> dict[str, Any]:
        """The layer as the documented JSON object."""
        return {
            "layer": self.name,
            "type": self.kind,
            "shape": list(self.shape),
            "receptive_field": list(self.field.size),
            "whole_picture": self.field.sees_all,
        }


def find_layers(network: Any, size: int) -> dict[str, Layer]:
    """The layers of a network for a square picture, by name, in the order of computation.

    Args:
        network: keras.Model from pictures, (N, H, W, 3); nested networks are gone into.
        size: side of the picture, pixels.
    Returns:
        those whose outputs are maps (h, w, units) or numbers (units,). A layer that is used
        more than once stands there as it is used last.
    Raises:
        ModelError: the network takes no pictures, or not of that size.
    """
    import keras

    shape = getattr(network, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] != 3:
        raise ModelError(f'network "{network.name}" does not look at pictures (N, H, W, 3)')
    found: dict[str, tuple] = {}
    fields = {}
    consumers: dict[int, list[str]] = {}
    kept = []  # alive, so that no two tensors have one identity

    def see(name, layer, args, outputs):
        inputs = [x for x in keras.tree.flatten(args) if isinstance(x, keras.KerasTensor)]
        before = [fields.get(id(x), pixels_field(size, size)) for x in inputs]
        for x in inputs:
            consumers.setdefault(id(x), []).append(name)
        for output in keras.tree.flatten(outputs):
            fields[id(output)] = field_after(layer, before, output.shape[1:])
            found[name] = (layer, output)
            kept.append(output)

    follow_shapes(network, size, see)
    following = {name: consumers.get(id(output), []) for name, (_, output) in found.items()}
    learning = [name for name, (layer, _) in found.items() if _has_weights(layer)]
    first_after = list(found).index(learning[-1]) if learning else 0
    return {
        name: Layer(
            name=name,
            kind=type(layer).__name__,
            shape=tuple(output.shape[1:]),
            field=fields[id(output)],
            activation=_activation(name, found, following),
            learns=_has_weights(layer) or type(layer).__name__ == "Add",
            last=number >= first_after,
        )
        for number, (name, (layer, output)) in enumerate(found.items())
        if len(output.shape) in (2, 4) and None not in output.shape[1:]
    }


def _has_weights(layer: Any) -> bool:
    return bool(getattr(layer, "weights", ()))


def _activation(name: str, found: Mapping[str, tuple], following: Mapping[str, list[str]]) -> str:
    """Go on to the normalisation and the ReLU after a layer, if nothing else follows it."""
    while len(following[name]) == 1:
        (after,) = following[name]
        if not _belongs_to_layer_before(found[after][0]):
            break
        name = after
    return name


def _belongs_to_layer_before(layer: Any) -> bool:
    """Whether a layer is a normalisation or a ReLU, or one of the ReLU's like."""
    kind = type(layer).__name__
    function = getattr(getattr(layer, "activation", None), "__name__", "")
    if kind == "Activation":
        return function in _RECTIFIERS
    names = (_NORMALISATION, "ReLU", "LeakyReLU", "PReLU", "ELU", "Relu", "Relu6", "Silu")
    return kind in names


def listed(layers: Mapping[str, Layer]) -> list[Layer]:
    """Those worth looking at: what comes out of what learns, after its normalisation and ReLU."""
    names = {layer.activation for layer in layers.values() if layer.learns}
    return [layer for name, layer in layers.items() if name in names]


def spread(layers: Mapping[str, Layer]) -> list[Layer]:
    """One layer of each stage: the last before the maps get coarser.

    Where a network goes up again to finer maps, what comes after the coarsest is left out, and
    so is what sees single pixels, which is preprocessing. A network without maps gives its
    last layer.
    """
    chosen: list[tuple[int, Layer]] = []
    candidates = listed(layers)
    for layer in candidates:
        area = layer.shape[0] * layer.shape[1] if len(layer.shape) == 3 else 1
        # A single position is what was pooled: it looks at the picture, not at places.
        if area == 1 or layer.field.size == (1, 1):
            continue
        if chosen and area >= 2 * chosen[-1][0]:
            break
        # Without padding, maps shrink a little within a stage.
        if chosen and 2 * area > chosen[-1][0]:
            chosen.pop()
        chosen.append((area, layer))
    return [layer for _, layer in chosen] or candidates[-1:]


def choose_layers(layers: Mapping[str, Layer], names: Sequence[str]) -> list[Layer]:
    """The layers of these names, each after its normalisation and ReLU.

    Args:
        layers: as `find_layers` gives them.
        names: full, or without the nested networks where that is clear; none for `spread`.
    Raises:
        OptionError: a name that the network does not have; the message offers the nearest, or
            lists all.
    """
    chosen = [layers[layers[_full_name(layers, name)].activation] for name in names]
    return list(dict.fromkeys(chosen)) if names else spread(layers)


def _full_name(layers: Mapping[str, Layer], name: str) -> str:
    if name in layers:
        return name
    ends = [full for full in layers if full.rsplit("/", 1)[-1] == name]
    if len(ends) == 1:
        return ends[0]
    message = unknown_name("layer", name, [layer.name for layer in listed(layers)])
    raise OptionError(f"{message} --list-layers shows all" if message.endswith("?") else message)
