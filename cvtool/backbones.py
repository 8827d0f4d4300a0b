"""The convolutional backbone that the default models share.

A cross-stage-partial network (Wang et al. 2020, "CSPNet", section 3) of plain
3 x 3 convolutions. Plain convolutions were chosen over depthwise ones because
they train several times faster on a CPU for the same accuracy.

It lives outside the task packages because classification trains it and
detection and segmentation start from it; tasks do not import one another.
"""

from __future__ import annotations

import keras
from keras import layers

# Batch-norm settings that suit short schedules: the moving averages forget the
# first, noisy epochs quickly enough to be right at the end of a short run.
BATCH_NORM_MOMENTUM = 0.97
BATCH_NORM_EPSILON = 1e-3

# The name of the backbone as a layer of a larger network.
BACKBONE = "csp"

WIDTHS = (32, 64, 128, 256, 384)
DEPTHS = (1, 2, 2, 1)


def conv_block(x, filters, kernel_size=3, strides=1, *, activation="relu", name):
    """Convolution, batch normalisation, activation.

    Args:
        x: float tensor (N, H, W, C).
        filters: output channels.
        kernel_size: side of the square kernel.
        strides: 1 or 2. With 2 the padding is symmetric, as in other
            frameworks, so that feature grids stay aligned with the picture.
        activation: a Keras activation name, or None.
        name: prefix of the layer names, unique within the network.
    Returns:
        float tensor (N, ceil(H / strides), ceil(W / strides), filters).
    """
    padding = "same"
    if strides == 2 and kernel_size == 3:
        x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
        padding = "valid"
    x = layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding=padding,
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    x = layers.BatchNormalization(
        momentum=BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON, name=f"{name}_bn"
    )(x)
    if activation:
        x = layers.Activation(activation, name=f"{name}_{activation}")(x)
    return x


def csp_block(x, filters, depth, *, shortcut=True, name):
    """Cross-stage-partial block: half the channels pass `depth` residual units.

    Args:
        x: float tensor (N, H, W, C).
        filters: output channels, even.
        depth: residual units (1 x 1 then 3 x 3 convolution) on the main path.
        shortcut: add each unit's input to its output.
        name: prefix of the layer names.
    Returns:
        float tensor (N, H, W, filters).
    """
    hidden = filters // 2
    bypass = conv_block(x, hidden, 1, name=f"{name}_bypass")
    main = conv_block(x, hidden, 1, name=f"{name}_main")
    for i in range(depth):
        unit = conv_block(main, hidden, 1, name=f"{name}_unit{i}_reduce")
        unit = conv_block(unit, hidden, 3, name=f"{name}_unit{i}_expand")
        main = layers.Add(name=f"{name}_unit{i}_add")([main, unit]) if shortcut else unit
    x = layers.Concatenate(name=f"{name}_concat")([main, bypass])
    return conv_block(x, filters, 1, name=f"{name}_merge")


def csp_backbone(input_shape=(None, None, 3), widths=WIDTHS, depths=DEPTHS, name=BACKBONE):
    """Build the backbone.

    Args:
        input_shape: (H, W, 3); None for any multiple of 32.
        widths: channels of the stem and of the four stages.
        depths: residual units in each of the four stages.
        name: name of the Keras model.
    Returns:
        keras.Model from RGB pixels in [0, 255], float (N, H, W, 3), to a list
        of four feature maps at strides 4, 8, 16 and 32.
    """
    pixels = keras.Input(input_shape, name="pixels")
    # Rescaling is part of the network: a caller cannot get it wrong.
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(pixels)
    x = conv_block(x, widths[0], 3, 2, name="stem")
    features = []
    for i, (width, depth) in enumerate(zip(widths[1:], depths, strict=True), start=1):
        x = conv_block(x, width, 3, 2, name=f"stage{i}_down")
        x = csp_block(x, width, depth, name=f"stage{i}")
        features.append(x)
    return keras.Model(pixels, features, name=name)


def spatial_pyramid_pooling(x, filters, *, name):
    """Concatenate x with its 5, 9 and 13 pixel maxima (He et al. 2015), then mix.

    The larger windows are chains of the small one, which is the same maximum
    for less work.
    """
    pools = [x]
    for i in range(3):
        pool = layers.MaxPooling2D(5, 1, padding="same", name=f"{name}_pool{i}")
        pools.append(pool(pools[-1]))
    x = layers.Concatenate(name=f"{name}_concat")(pools)
    return conv_block(x, filters, 1, name=f"{name}_merge")


def freeze_backbone(network, frozen):
    """Freeze the backbone inside a network, or release it but for its batch-norm layers.

    Their statistics come from many more pictures than a new set has.

    Args:
        network: keras.Model with a layer "csp".
        frozen: whether all of the backbone stays as it is.
    """
    network.trainable = True
    backbone = network.get_layer(BACKBONE)
    backbone.trainable = not frozen
    if not frozen:
        for layer in backbone.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False
