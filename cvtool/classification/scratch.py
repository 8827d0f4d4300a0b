"""Networks to train from scratch, by name: LeNet-5 to EfficientNet.

All go from pixels to logits, with the rescaling inside. Keras is imported when a
network is built, not before, so that a wrong name is answered at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cvtool.classification.architectures import (
    alexnet,
    efficientnetb0,
    inceptionv3,
    lenet5,
    mobilenetv1,
    mobilenetv2,
    resnet20,
    resnet50,
    vgg16,
)
from cvtool.errors import ModelError
from cvtool.models.near_names import unknown_name

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True)
class ScratchNetwork:
    """An architecture.

    Attributes:
        name: what `build_scratch` takes.
        build: function of the input tensor "pixels", float (N, H, W, 3) in [0, 255], and
            of the dropout rate between hidden dense layers; gives the features (N, F)
            that the last layer sees.
        size: side of the square input in the paper, pixels.
        smallest: the smallest side that leaves something of every feature map.
        classes: of the data set in the paper.
        any_size: one built network takes pictures of any size from `smallest` on; the
            others have a dense layer whose weights depend on the size.
        source: the paper.
    """

    name: str
    build: Callable[[Any, float], Any]
    size: int
    smallest: int
    classes: int
    any_size: bool
    source: str


def build_scratch(
    name: str, classes: int, size: int | None = None, dropout: float = 0.0
) -> keras.Model:
    """Build a network with random weights.

    Args:
        name: a key of SCRATCH.
        classes: how many.
        size: side of the square input in pixels, None for the paper's. Where the
            architecture allows (`any_size`), the network takes any other size as well.
        dropout: share of the features to drop in training before the last layer, and
            between the hidden dense layers of AlexNet and VGG-16 (both papers: 0.5); 0 to 1.
    Returns:
        keras.Model from RGB pixels in [0, 255], float (N, size, size, 3), to logits,
        float32 (N, classes), of its last layer "logits". Its input is "pixels".
    Raises:
        ModelError: an unknown name, or a size too small for it.
    """
    network = find_scratch(name)
    size = network.size if size is None else size
    check_size(name, size)
    import keras

    side = None if network.any_size else size
    pixels = keras.Input((side, side, 3), name="pixels")
    x = network.build(pixels, dropout)
    if dropout:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    # In float32 also where the rest is in half precision, because losses take its exponential.
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(pixels, logits, name=name)


def find_scratch(name: str) -> ScratchNetwork:
    """The architecture of that name.

    Raises:
        ModelError: there is none.
    """
    if name not in SCRATCH:
        raise ModelError(unknown_name("network", name, tuple(SCRATCH)))
    return SCRATCH[name]


def check_size(name: str, size: int) -> None:
    """Raise ModelError where a size is too small for the network of that name."""
    smallest = find_scratch(name).smallest
    if size < smallest:
        raise ModelError(
            f"{name} cannot take pictures of {size} pixels; the smallest size is {smallest}"
        )


_NETWORKS = (
    ScratchNetwork(
        "lenet5",
        lenet5,
        size=32,
        smallest=32,
        classes=10,
        any_size=False,
        source="LeCun et al. 1998, Gradient-based learning applied to document recognition",
    ),
    ScratchNetwork(
        "alexnet",
        alexnet,
        size=227,
        smallest=67,
        classes=1000,
        any_size=False,
        source="Krizhevsky et al. 2012, ImageNet classification with deep convolutional "
        "neural networks",
    ),
    ScratchNetwork(
        "vgg16",
        vgg16,
        size=224,
        smallest=32,
        classes=1000,
        any_size=False,
        source="Simonyan and Zisserman 2015, Very deep convolutional networks for "
        "large-scale image recognition, arXiv:1409.1556",
    ),
    ScratchNetwork(
        "resnet20",
        resnet20,
        size=32,
        smallest=8,
        classes=10,
        any_size=True,
        source="He et al. 2015, Deep residual learning for image recognition, arXiv:1512.03385",
    ),
    ScratchNetwork(
        "resnet50",
        resnet50,
        size=224,
        smallest=32,
        classes=1000,
        any_size=True,
        source="He et al. 2015, Deep residual learning for image recognition, arXiv:1512.03385",
    ),
    ScratchNetwork(
        "inceptionv3",
        inceptionv3,
        size=299,
        smallest=75,
        classes=1000,
        any_size=True,
        source="Szegedy et al. 2015, Rethinking the Inception architecture for computer "
        "vision, arXiv:1512.00567",
    ),
    ScratchNetwork(
        "mobilenetv1",
        mobilenetv1,
        size=224,
        smallest=32,
        classes=1000,
        any_size=True,
        source="Howard et al. 2017, MobileNets: efficient convolutional neural networks for "
        "mobile vision applications, arXiv:1704.04861",
    ),
    ScratchNetwork(
        "mobilenetv2",
        mobilenetv2,
        size=224,
        smallest=32,
        classes=1000,
        any_size=True,
        source="Sandler et al. 2018, MobileNetV2: inverted residuals and linear bottlenecks, "
        "arXiv:1801.04381",
    ),
    ScratchNetwork(
        "efficientnetb0",
        efficientnetb0,
        size=224,
        smallest=32,
        classes=1000,
        any_size=True,
        source="Tan and Le 2019, EfficientNet: rethinking model scaling for convolutional "
        "neural networks, arXiv:1905.11946",
    ),
)

SCRATCH: dict[str, ScratchNetwork] = {network.name: network for network in _NETWORKS}
