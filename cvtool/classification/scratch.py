"""Networks to train from scratch, by name: LeNet-5 to EfficientNet.

LeNet-5, AlexNet and ResNet-20 are written here from their papers; the others are
those of `keras.applications` without weights. All go from pixels to logits, with
the rescaling inside. Keras is imported when a network is built, not before, so that
a wrong name is answered at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
    if size < network.smallest:
        raise ModelError(
            f"{name} cannot take pictures of {size} pixels; the smallest size is {network.smallest}"
        )
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


def rescaled(pixels):
    """Pixels in [0, 255] to [-1, 1]."""
    from keras import layers

    return layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(pixels)


def lenet5(pixels, dropout=0.0):
    """LeNet-5 (LeCun et al. 1998, section II.B), layers named as there.

    Modernised: three colour channels in place of one; ReLU in place of the scaled tanh;
    plain averages in S2 and S4, without trainable coefficient and squashing; every map
    of C3 sees all maps of S2; a softmax of linear outputs in place of the distances to
    fixed bitmaps. C5 is dense, which at 32 pixels is the convolution of the paper.

    Args:
        pixels: float (N, H, W, 3) in [0, 255], H and W of 32 or more.
        dropout: not used; the paper has none.
    Returns:
        the output of F6, float (N, 84).
    """
    from keras import layers

    x = rescaled(pixels)
    x = layers.Conv2D(6, 5, activation="relu", kernel_initializer="he_normal", name="c1")(x)
    x = layers.AveragePooling2D(2, name="s2")(x)
    x = layers.Conv2D(16, 5, activation="relu", kernel_initializer="he_normal", name="c3")(x)
    x = layers.AveragePooling2D(2, name="s4")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(120, activation="relu", kernel_initializer="he_normal", name="c5")(x)
    return layers.Dense(84, activation="relu", kernel_initializer="he_normal", name="f6")(x)


def alexnet(pixels, dropout=0.0):
    """AlexNet (Krizhevsky et al. 2012, section 3.5) in a single tower.

    Differences from the paper: one tower, so the second, fourth and fifth convolution
    see all maps of the layer before, where the paper's two GPUs saw half each (62 million
    parameters in place of 60); no local response normalisation, which was later found to
    gain nothing (Simonyan and Zisserman 2015, section 2.3); He's initial weights in place
    of a standard deviation of 0.01. The first maps are 55 x 55, as the paper has them, for
    an input of 227 pixels; its 224 do not add up.

    Args:
        pixels: float (N, H, W, 3) in [0, 255], H and W of 67 or more.
        dropout: rate between the two hidden dense layers.
    Returns:
        the output of the second hidden dense layer, float (N, 4096).
    """
    from keras import layers

    def conv(x, filters, kernel_size, name, **options):
        conv = layers.Conv2D(
            filters,
            kernel_size,
            activation="relu",
            kernel_initializer="he_normal",
            name=name,
            **options,
        )
        return conv(x)

    x = rescaled(pixels)
    x = conv(x, 96, 11, "conv1", strides=4)
    x = layers.MaxPooling2D(3, 2, name="pool1")(x)
    x = conv(x, 256, 5, "conv2", padding="same")
    x = layers.MaxPooling2D(3, 2, name="pool2")(x)
    x = conv(x, 384, 3, "conv3", padding="same")
    x = conv(x, 384, 3, "conv4", padding="same")
    x = conv(x, 256, 3, "conv5", padding="same")
    x = layers.MaxPooling2D(3, 2, name="pool5")(x)
    return hidden_layers(x, dropout)


def vgg16(pixels, dropout=0.0):
    """VGG-16 (Simonyan and Zisserman 2015, table 1, column D).

    As in the paper but for He's initial weights: with Keras' own (Glorot) the signal shrinks
    from layer to layer, and sixteen layers without normalisation are slow to start learning.

    Args:
        pixels: float (N, H, W, 3) in [0, 255], H and W of 32 or more.
        dropout: rate between the two hidden dense layers.
    Returns:
        the output of the second hidden dense layer, float (N, 4096).
    """
    import keras

    base = keras.applications.VGG16(include_top=False, weights=None, input_tensor=rescaled(pixels))
    for layer in base.layers:
        if isinstance(layer, keras.layers.Conv2D):
            layer.kernel.assign(keras.initializers.HeNormal()(layer.kernel.shape))
    return hidden_layers(base.output, dropout)


def hidden_layers(x, dropout):
    """The two hidden dense layers that AlexNet and VGG-16 share, float (N, 4096)."""
    from keras import layers

    # Uniform, because a hundred million normal numbers take twice as long to draw.
    options = {"activation": "relu", "kernel_initializer": "he_uniform"}
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(4096, name="fc1", **options)(x)
    if dropout:
        x = layers.Dropout(dropout, name="dropout1")(x)
    return layers.Dense(4096, name="fc2", **options)(x)


def resnet20(pixels, dropout=0.0):
    """ResNet-20 for small pictures (He et al. 2015, section 4.2, n = 3).

    Three stages of three blocks with 16, 32 and 64 filters. Where the size halves, the
    shortcut is the paper's option A, as it has it for CIFAR-10: every second pixel, and
    zeros for the new channels; it has no weights.

    Args:
        pixels: float (N, H, W, 3) in [0, 255], any H and W of 8 or more.
        dropout: not used; the paper has none.
    Returns:
        the mean of the last maps, float (N, 64).
    """
    from keras import layers

    from cvtool.backbones import conv_block

    x = conv_block(rescaled(pixels), 16, name="stem")
    for stage, filters in enumerate((16, 32, 64), start=1):
        for block in range(1, 4):
            strides = 2 if stage > 1 and block == 1 else 1
            x = residual_block(x, filters, strides, name=f"stage{stage}_block{block}")
    return layers.GlobalAveragePooling2D(name="pool")(x)


def residual_block(x, filters, strides, *, name):
    """Two 3 x 3 convolutions and a shortcut without weights (He et al. 2015, figure 2).

    Args:
        x: float tensor (N, H, W, C).
        filters: output channels: C, or, with strides of 2, C and an even number more.
        strides: 1 or 2.
        name: prefix of the layer names.
    Returns:
        float tensor (N, ceil(H / strides), ceil(W / strides), filters).
    """
    from keras import layers, ops

    from cvtool.backbones import conv_block

    y = conv_block(x, filters, 3, strides, name=f"{name}_conv1")
    y = conv_block(y, filters, 3, activation=None, name=f"{name}_conv2")
    if strides > 1:
        # A window of one pixel: it picks pixels, it averages nothing.
        x = layers.AveragePooling2D(1, strides, name=f"{name}_subsample")(x)
        more = (filters - x.shape[-1]) // 2
        x = ops.pad(x, ((0, 0), (0, 0), (0, 0), (more, more)))
    x = layers.Add(name=f"{name}_add")([x, y])
    return layers.Activation("relu", name=f"{name}_relu")(x)


def resnet50(pixels, dropout=0.0):
    """ResNet-50 (He et al. 2015, table 1) of Keras, with biases in its convolutions."""
    import keras

    return pooled(keras.applications.ResNet50, rescaled(pixels))


def inceptionv3(pixels, dropout=0.0):
    """Inception v3 (Szegedy et al. 2015, table 1) of Keras, without the auxiliary classifier."""
    import keras

    return pooled(keras.applications.InceptionV3, rescaled(pixels))


def mobilenetv1(pixels, dropout=0.0):
    """MobileNet (Howard et al. 2017, table 1) of Keras, with ReLU6."""
    import keras

    return pooled(keras.applications.MobileNet, rescaled(pixels))


def mobilenetv2(pixels, dropout=0.0):
    """MobileNetV2 (Sandler et al. 2018, table 2) of Keras."""
    import keras

    return pooled(keras.applications.MobileNetV2, rescaled(pixels))


def efficientnetb0(pixels, dropout=0.0):
    """EfficientNet-B0 (Tan and Le 2019, table 1) of Keras, which itself rescales to [0, 1]."""
    import keras

    return pooled(keras.applications.EfficientNetB0, pixels)


def pooled(application, x):
    """The mean over the last feature map of a network of `keras.applications`.

    Args:
        application: the function that builds it.
        x: float tensor (N, H, W, 3), in the range that the network takes.
    Returns:
        float tensor (N, F).
    """
    import keras

    from cvtool.backbones import BATCH_NORM_MOMENTUM

    base = application(include_top=False, weights=None, input_tensor=x)
    for layer in base.layers:
        # Keras' 0.99 and 0.999 are for trainings of many thousand steps: after a short one
        # the averages would still be the initial ones, and the network useless.
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = min(layer.momentum, BATCH_NORM_MOMENTUM)
    return keras.layers.GlobalAveragePooling2D(name="pool")(base.output)


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
