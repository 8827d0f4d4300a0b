"""The architectures of `scratch`, from pixels to the features that the last layer sees.

LeNet-5, AlexNet and ResNet-20 are written here from their papers; the others are those
of `keras.applications` without weights. Keras is imported when a network is built.
"""

from __future__ import annotations


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
