"""What the layers of a Darknet configuration amount to: their inputs, sizes, numbers and heads.

All that can be wrong with a configuration is found here, before any weights are read or any
network is built. What only training reads is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cvtool.errors import ModelError
from cvtool.models.darknet.configuration import Section
from cvtool.models.darknet.heads import HEADS, Head, plan_head

ACTIVATIONS = ("linear", "leaky", "relu", "logistic", "swish", "mish")
PICTURE = -1


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer with all its numbers.

    Attributes:
        name: its kind and its number in Darknet, from 0, such as "convolutional_12".
        kind: of `KINDS`, or "head".
        inputs: numbers of the layers that it takes, -1 for the picture.
        channels: of its output.
        side: of its output, for a picture of the plan's size.
        settings: what the kind needs, see the functions here.
    """

    name: str
    kind: str
    inputs: tuple[int, ...]
    channels: int
    side: int
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole network.

    Attributes:
        size: side of its square input, pixels.
        layers: in Darknet's order.
        heads: from the finest stride to the coarsest, each with the same number of classes.
        fit: how Darknet brings a picture to the input's size: "stretch" or "letterbox".
        source: the configuration's name, for errors.
    """

    size: int
    layers: tuple[Layer, ...]
    heads: tuple[Head, ...]
    fit: str
    source: str

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.heads[0].classes


def plan_network(sections: list[Section]) -> Plan:
    """Work out the network of a configuration.

    Args:
        sections: from `parse_configuration`.
    Raises:
        ModelError: what cvtool does not know, or what does not fit together, with its line.
    """
    net, *rest = sections
    size = _input_size(net)
    layers: list[Layer] = []
    heads: list[Head] = []
    for section in rest:
        if section.kind in HEADS:
            heads.append(_head(section, layers, size))
            layers.append(
                Layer(_name(section, layers), "head", (len(layers) - 1,), 0, layers[-1].side, {})
            )
        elif section.kind in KINDS:
            layers.append(_layer(section, layers, size))
        else:
            known = ", ".join(["net", *KINDS, *HEADS])
            section.refuse(f"[{section.kind}] is not supported; cvtool knows {known}")
    if not heads:
        raise ModelError(
            f"{net.source}: has no [yolo] and no [region], so it is not a detector; "
            "give the configuration of one"
        )
    if len({head.classes for head in heads}) > 1:
        raise ModelError(f"{net.source}: its heads have different numbers of classes")
    # Stable, so that heads of one stride keep Darknet's order.
    heads.sort(key=lambda head: head.stride)
    fit = "letterbox" if net.integer("letter_box", 0) else "stretch"
    return Plan(size, tuple(layers), tuple(heads), fit, net.source)


def _input_size(net: Section) -> int:
    width, height = net.integer("width", 0, least=0), net.integer("height", 0, least=0)
    if not width or not height:
        net.refuse("[net] needs width and height")
    if width != height:
        net.refuse(
            f"the input is {width} x {height}; only square inputs are supported, so set width "
            "and height to one number (the weights fit any)",
            "height",
        )
    if net.integer("channels", 3) != 3:
        net.refuse("only networks for colour pictures (channels=3) are supported", "channels")
    return width


def _name(section: Section, layers: list[Layer]) -> str:
    return f"{section.kind}_{len(layers)}"


def _layer(section: Section, layers: list[Layer], size: int) -> Layer:
    """The plan of a section that is no head."""
    if section.kind in ("route", "shortcut"):
        inputs = _named_inputs(section, layers)
    else:
        inputs = (len(layers) - 1,)
        if layers and layers[-1].kind == "head":
            section.refuse(f"[{section.kind}] takes the output of a head; begin with a [route]")
    taken = [
        (layers[number].channels, layers[number].side) if number != PICTURE else (3, size)
        for number in inputs
    ]
    channels, side, settings = KINDS[section.kind](section, taken)
    if side < 1:
        section.refuse(f"[{section.kind}] leaves nothing of an input of {size} pixels")
    return Layer(_name(section, layers), section.kind, inputs, channels, side, settings)


def _named_inputs(section: Section, layers: list[Layer]) -> tuple[int, ...]:
    """Numbers of the layers that a route or shortcut takes; a negative one counts backwards."""
    option = {"route": "layers", "shortcut": "from"}[section.kind]
    named = section.integers(option)
    if not named:
        section.refuse(f"[{section.kind}] needs {option}=")
    here = len(layers)
    inputs = tuple(number if number >= 0 else here + number for number in named)
    for number, shown in zip(inputs, named, strict=True):
        if not 0 <= number < here:
            section.refuse(f"{option}={shown}: there is no such layer before this one", option)
        if layers[number].kind == "head":
            section.refuse(f"{option}={shown} names a head, whose output is no map", option)
    if section.kind == "shortcut":
        if not here or layers[-1].kind == "head":
            section.refuse("[shortcut] has no map before it")
        return (here - 1, *inputs)
    return inputs


def _activation(section: Section, default: str) -> str:
    activation = section.word("activation", default)
    if activation not in ACTIVATIONS:
        section.refuse(
            f"activation={activation} is not supported; cvtool knows {', '.join(ACTIVATIONS)}",
            "activation",
        )
    return activation


def _refuse_others(section: Section, **usual: int | str) -> None:
    """Refuse options that would change the network, unless they have the value given here."""
    for option, value in usual.items():
        given = section.word(option, str(value))
        same = given == value if isinstance(value, str) else section.number(option, value) == value
        if not same:
            section.refuse(f"{option}={given} in [{section.kind}] is not supported", option)


def _convolutional(section, taken):
    ((channels, side),) = taken
    filters = section.integer("filters", 1, least=1)
    size = section.integer("size", 1, least=1)
    stride = section.integer("stride", 1, least=1)
    groups = section.integer("groups", 1, least=1)
    # pad=1 means half the kernel, whatever padding= says.
    padding = size // 2 if section.integer("pad", 0) else section.integer("padding", 0, least=0)
    _refuse_others(section, stride_x=stride, stride_y=stride, dilation=1, binary=0, xnor=0)
    _refuse_others(section, flipped=0, antialiasing=0, assisted_excitation=0, coordconv=0)
    _refuse_others(section, sway=0, rotate=0, stretch=0, stretch_sway=0)
    if "share_index" in section.options:
        section.refuse("share_index= in [convolutional] is not supported", "share_index")
    if channels % groups or filters % groups:
        section.refuse(
            f"groups={groups} does not divide {channels} channels into {filters} filters", "groups"
        )
    settings = {
        "size": size,
        "stride": stride,
        "padding": padding,
        "groups": groups,
        # cbn, normalisation over several batches, is the same once trained.
        "batch_normalize": any(section.integer(key, 0) for key in ("batch_normalize", "cbn")),
        "activation": _activation(section, "logistic"),
        "input_channels": channels,
    }
    return filters, (side + 2 * padding - size) // stride + 1, settings


def _maxpool(section, taken):
    ((channels, side),) = taken
    stride = section.integer("stride", 1, least=1)
    size = section.integer("size", stride, least=1)
    padding = section.integer("padding", size - 1, least=0)
    _refuse_others(section, stride_x=stride, stride_y=stride, maxpool_depth=0, antialiasing=0)
    settings = {"size": size, "stride": stride, "padding": padding}
    return channels, (side + padding - size) // stride + 1, settings


def _avgpool(_, taken):
    ((channels, _side),) = taken
    return channels, 1, {}


def _upsample(section, taken):
    ((channels, side),) = taken
    stride = section.integer("stride", 2, least=1)
    if section.number("scale", 1) != 1:
        section.refuse("scale= in [upsample] is not supported", "scale")
    return channels, side * stride, {"stride": stride}


def _route(section, taken):
    groups = section.integer("groups", 1, least=1)
    group = section.integer("group_id", 0, least=0)
    if group >= groups:
        section.refuse(f"group_id={group} is not below groups={groups}", "group_id")
    if any(channels % groups for channels, _ in taken):
        section.refuse(f"groups={groups} does not divide the channels it is given", "groups")
    if len({side for _, side in taken}) > 1:
        sides = ", ".join(str(side) for _, side in taken)
        section.refuse(f"[route] joins maps of different sides ({sides})", "layers")
    settings = {"groups": groups, "group": group}
    return sum(channels // groups for channels, _ in taken), taken[0][1], settings


def _shortcut(section, taken):
    _refuse_others(section, weights_type="none", alpha=1, beta=1)
    if len({side for _, side in taken}) > 1:
        sides = ", ".join(str(side) for _, side in taken)
        section.refuse(f"[shortcut] adds maps of different sides ({sides})", "from")
    return *taken[0], {"activation": _activation(section, "linear")}


def _dropout(_, taken):
    return *taken[0], {}


def _reorg(section, taken):
    ((channels, side),) = taken
    stride = section.integer("stride", 1, least=1)
    _refuse_others(section, reverse=0, flatten=0, extra=0)
    if side % stride or channels % stride**2:
        section.refuse(
            f"[reorg] of stride {stride} does not fit a map of {side} x {side} x {channels}"
        )
    return channels * stride**2, side // stride, {"stride": stride}


# Kind of section -> function of the section and the (channels, side) of its inputs, which gives
# the channels and the side of its output, and its settings.
KINDS: dict[str, Callable] = {
    "convolutional": _convolutional,
    "maxpool": _maxpool,
    "avgpool": _avgpool,
    "upsample": _upsample,
    "route": _route,
    "shortcut": _shortcut,
    "dropout": _dropout,
    "reorg": _reorg,
}


def _head(section: Section, layers: list[Layer], size: int) -> Head:
    if not layers or layers[-1].kind == "head":
        section.refuse(f"[{section.kind}] has no map before it")
    before = layers[-1]
    if size % before.side:
        section.refuse(
            f"[{section.kind}] has {before.side} x {before.side} cells, which do not divide an "
            f"input of {size} pixels; give [net] a width and height that is a multiple of 32"
        )
    head = plan_head(
        section, len(layers) - 1, size // before.side, before.settings.get("activation")
    )
    wanted = len(head.anchors) * (5 + head.classes)
    if before.channels != wanted:
        section.refuse(
            f"{len(head.anchors)} anchors and {head.classes} classes need {wanted} channels, "
            f"(5 + classes) x anchors, but {before.name} gives {before.channels}"
        )
    return head
