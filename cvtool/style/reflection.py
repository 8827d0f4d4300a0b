"""Feature networks that see a picture mirrored at its edges in place of zeros.

Zeros round a picture are the strongest edge of all: they would get into Gram matrices and
statistics, and be drawn along the borders of the result.
"""

from __future__ import annotations

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("cvtool")
class ReflectionPadding(layers.Layer):
    """One pixel more on each side, mirrored; a side must have two pixels or more.

    Slices and concatenations, which LiteRT runs twice as fast as its own padding by reflection.
    """

    def call(self, x):
        x = ops.concatenate([x[:, 1:2], x, x[:, -2:-1]], axis=1)
        return ops.concatenate([x[:, :, 1:2], x, x[:, :, -2:-1]], axis=2)

    def compute_output_shape(self, shape):
        batch, height, width, channels = shape
        return batch, height and height + 2, width and width + 2, channels


def reflected(network, names):
    """A feature network up to the last of the named layers, padded by reflection.

    Args:
        network: a stack of layers, such as `vgg_small.vgg_small` without batch normalisation,
            from RGB pixels in [0, 255], float (N, H, W, 3).
        names: layers whose activations are wanted, or the name of one.
    Returns:
        keras.Model with a copy of the weights, to a list of activations, float (N, h, w, C), in
        the order of `names`; or to one tensor if `names` is one name. H and W must be twice the
        stride of the deepest layer.
    """
    wanted = [names] if isinstance(names, str) else list(names)
    x = pixels = keras.Input((None, None, 3), name="pixels")
    outputs, copies = {}, []
    for layer in network.layers[1:]:
        copy = layer.__class__.from_config(layer.get_config())
        if isinstance(layer, layers.Conv2D) and layer.kernel_size == (3, 3):
            x = ReflectionPadding(name=f"{layer.name}_pad")(x)
            copy.padding = "valid"
        x = outputs[layer.name] = copy(x)
        copies.append((layer, copy))
        if outputs.keys() >= set(wanted):
            break
    for layer, copy in copies:
        copy.set_weights(layer.get_weights())
    activations = outputs[names] if isinstance(names, str) else [outputs[n] for n in names]
    return keras.Model(pixels, activations, name="encoder")
