"""The heads of a Darknet configuration: what the last maps' numbers mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cvtool.models.darknet.configuration import Section

HEADS = ("yolo", "region")


@dataclass(frozen=True, slots=True)
class Head:
    """One scale's predictions.

    Attributes:
        layer: number of the layer that gives them.
        before_activation: they are that layer's numbers before its activation.
        stride: pixels a cell.
        anchors: (width, height) in pixels of the network's input.
        classes: number of classes.
        decoding: how the numbers become boxes, as `cvtool.detection.grid.Decoding` takes it.
    """

    layer: int
    before_activation: bool
    stride: int
    anchors: tuple[tuple[float, float], ...]
    classes: int
    decoding: Mapping[str, Any]


def plan_head(section: Section, layer: int, stride: int, activation: str | None) -> Head:
    """The head of a [yolo] or [region] section.

    Args:
        section: the section.
        layer: number of the layer before it.
        stride: pixels a cell.
        activation: of that layer.
    Raises:
        ModelError: options that are not supported or contradict each other.
    """
    classes = section.integer("classes", 20, least=1)
    if section.kind == "yolo":
        return _yolo(section, layer, stride, activation, classes)
    return _region(section, layer, stride, classes)


def _yolo(section, layer, stride, activation, classes):
    """YOLOv3 and later.

    With new_coords (Scaled-YOLOv4, Wang et al. 2021) the layer before is logistic, and sizes are
    squares. Without that activation its outputs are logits like those of every other head.
    """
    anchors = _pairs(section)
    mask = section.integers("mask") or tuple(range(len(anchors)))
    if not all(0 <= number < len(anchors) for number in mask):
        section.refuse(
            f"mask={section.word('mask')} names an anchor beyond the {len(anchors)} there are",
            "mask",
        )
    new = section.integer("new_coords", 0) != 0
    if new and activation != "logistic":
        section.refuse(
            "new_coords=1 needs activation=logistic in the [convolutional] before", "new_coords"
        )
    decoding = {
        "centre_scale": section.number("scale_x_y", 1, least=0),
        "size": "square" if new else "exp",
        "classes": "sigmoid",
    }
    return Head(layer, new, stride, tuple(anchors[n] for n in mask), classes, decoding)


def _region(section, layer, stride, classes):
    """YOLOv2 (Redmon and Farhadi 2017): anchors in cells, classes by softmax."""
    for option, usual in (("coords", 4), ("background", 0)):
        if section.integer(option, usual) != usual:
            section.refuse(f"only {option}={usual} is supported in [region]", option)
    if "tree" in section.options:
        section.refuse("tree= in [region], a hierarchy of classes, is not supported", "tree")
    anchors = tuple((w * stride, h * stride) for w, h in _pairs(section))
    number = section.integer("num", len(anchors), least=1)
    if number != len(anchors):
        section.refuse(f"num={number}, but there are {len(anchors)} anchors", "num")
    softmax = section.integer("softmax", 0) != 0
    decoding = {
        "centre_scale": 1.0,
        "size": "exp",
        "classes": "softmax" if softmax else "sigmoid",
    }
    return Head(layer, False, stride, anchors, classes, decoding)


def _pairs(section):
    """The anchors as (width, height), in the unit of the section."""
    numbers = section.numbers("anchors")
    if not numbers or len(numbers) % 2 or min(numbers) <= 0:
        section.refuse(
            f"[{section.kind}] needs anchors=, pairs of a width and a height above 0", "anchors"
        )
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))
