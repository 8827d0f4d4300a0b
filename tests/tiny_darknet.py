"""Small Darknet networks with random weights, and what OpenCV makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from cvtool.models.darknet.configuration import parse_configuration
from cvtool.models.darknet.plan import plan_network

SIDE, CLASSES = 64, ("cat", "dog", "cow")
# OpenCV takes lower scores for 0. Darknet itself has no such option.
THRESH = 0.01


class Darknet(NamedTuple):
    """Two files and their plan."""

    configuration: Path
    weights: Path
    plan: object


def net(side=SIDE, more=""):
    return f"[net]\nwidth={side}\nheight={side}\nchannels=3\nlearning_rate=0.001\n{more}"


def conv(filters, size=3, stride=1, *, activation="leaky", normalise=1, more=""):
    return (
        f"[convolutional]\nbatch_normalize={normalise}\nfilters={filters}\nsize={size}\n"
        f"stride={stride}\npad=1\nactivation={activation}\n{more}\n"
    )


def section(kind, **options):
    lines = "".join(f"{name}={value}\n" for name, value in options.items())
    return f"[{kind}]\n{lines}\n"


def yolo(anchors="10,12, 20,16, 30,40", mask="0,1,2", *, activation="linear", more=""):
    """A head with the convolution that it needs."""
    filters = len(mask.split(",")) * (5 + len(CLASSES))
    return conv(filters, 1, activation=activation, normalise=0) + (
        f"[yolo]\nmask={mask}\nanchors={anchors}\nclasses={len(CLASSES)}\n"
        f"num={len(anchors.split(',')) // 2}\nthresh={THRESH}\n{more}\n"
    )


def region(*, more="softmax=1\n"):
    return conv(2 * (5 + len(CLASSES)), 1, activation="linear", normalise=0) + (
        f"[region]\nanchors=0.6,0.9, 2.5,1.75\nclasses={len(CLASSES)}\ncoords=4\nnum=2\n"
        f"thresh={THRESH}\n{more}\n"
    )


def random_numbers(plan, seed=0):
    """All weights of a plan in the order of a weights file, float32."""
    rng = np.random.default_rng(seed)
    numbers = []
    for layer in plan.layers:
        if layer.kind != "convolutional":
            continue
        inputs = layer.settings["input_channels"] // layer.settings["groups"]
        fan_in = inputs * layer.settings["size"] ** 2
        numbers.append(rng.normal(0, 0.2, layer.channels))
        if layer.settings["batch_normalize"]:
            numbers.append(rng.uniform(0.5, 1.5, layer.channels))
            numbers.append(rng.normal(0, 0.2, layer.channels))
            numbers.append(rng.uniform(0.5, 2.0, layer.channels))
        numbers.append(rng.normal(0, (2 / fan_in) ** 0.5, layer.channels * fan_in))
    return np.concatenate(numbers).astype("<f4")


def weights_bytes(numbers, version=(0, 2, 5)):
    seen = np.array([3], "<i8" if version[1] >= 2 else "<i4")
    return np.array(version, "<i4").tobytes() + seen.tobytes() + numbers.tobytes()


def write_darknet(folder, text, *, version=(0, 2, 5)) -> Darknet:
    """Write tiny.cfg and tiny.weights."""
    plan = plan_network(parse_configuration(text))
    configuration, weights = folder / "tiny.cfg", folder / "tiny.weights"
    configuration.write_text(text)
    weights.write_bytes(weights_bytes(random_numbers(plan), version))
    return Darknet(configuration, weights, plan)


def noise(side=SIDE, seed=0):
    """A picture of coloured blocks."""
    blocks = np.random.default_rng(seed).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    return cv2.resize(blocks, (side, side), interpolation=cv2.INTER_LINEAR)


class OpenCV:
    """The same files as OpenCV reads them."""

    def __init__(self, darknet):
        self.heads = darknet.plan.heads
        self.network = cv2.dnn.readNetFromDarknet(str(darknet.configuration), str(darknet.weights))

    def raw(self, pixels):
        """What the layers before the heads give, float (P, 5 + C), finest stride first."""
        self.network.setInput(cv2.dnn.blobFromImage(pixels, 1 / 255))
        rows = []
        for head in self.heads:
            (values,) = self.network.forward(f"conv_{head.layer}")
            cells = values.reshape(len(head.anchors), 5 + head.classes, *values.shape[1:])
            rows.append(cells.transpose(2, 3, 0, 1).reshape(-1, 5 + head.classes))
        return np.concatenate(rows)

    def boxes(self, pixels):
        """Decoded rows of each head, in the order of the heads: a list of float (P, 5 + C).

        Centre, width and height as shares of the picture, objectness, scores (0 below the
        head's thresh).
        """
        self.network.setInput(cv2.dnn.blobFromImage(pixels, 1 / 255))
        names = self.network.getUnconnectedOutLayersNames()
        # A region's output has no number, but then it is the only one.
        wanted = names if len(self.heads) == 1 else [f"yolo_{h.layer + 1}" for h in self.heads]
        return [self.network.forward(name) for name in wanted]
