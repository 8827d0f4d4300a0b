"""The networks whose features style transfer compares.

All are plain stacks of 3 x 3 convolutions with average pooling (Gatys et al. 2016, section 2):
`vgg-small`, which ships, and the VGG networks of keras.applications.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers as keras_layers

from cvtool.engines import load_weights
from cvtool.errors import OptionError
from cvtool.models.applications import application_features
from cvtool.models.presets import find_model, preset_file
from cvtool.style.reflection import reflected
from cvtool.style.vgg_small import NAME, build, normalise_responses


@dataclass(frozen=True, slots=True)
class FeatureChoice:
    """Layers and weights that suit a network.

    Attributes:
        content_layer, style_layers: their names.
        content_weight, style_weight, tv_weight: what 1 means in `StyleSettings`.
    """

    content_layer: str
    style_layers: tuple[str, ...]
    content_weight: float
    style_weight: float
    tv_weight: float


_FIRST = tuple(f"block{block}_conv1" for block in range(1, 6))
CHOICES = {
    NAME: FeatureChoice("block4_conv2", _FIRST, 0.5, 150.0, 2.5e-4),
    # Table 1 of the paper's names for VGG-19: conv1_1 ... conv5_1, content at conv4_2.
    "vgg16": FeatureChoice("block4_conv2", _FIRST, 0.5, 100.0, 5e-4),
    "vgg19": FeatureChoice("block4_conv2", _FIRST, 0.5, 100.0, 5e-4),
}


def load_features(name=NAME, pictures=()):
    """A feature network with its weights.

    Args:
        name: a key of CHOICES.
        pictures: uint8 (h, w, 3) pictures over which the filters of keras.applications'
            networks are normalised; `vgg-small` ships normalised.
    Returns:
        keras.Model from RGB pixels in [0, 255], float (N, H, W, 3), to its last activations;
        each convolution is a layer whose output is not negative.
    Raises:
        ModelError: the weights are missing, or cannot be downloaded.
    """
    if name == NAME:
        preset = find_model(NAME)
        network = build(preset)
        load_weights(network, preset_file(preset, "weights"))
        return network
    network = with_average_pooling(application_features(name))
    for picture in pictures[:1]:
        normalise_responses(network, picture[None])
    return network


def with_average_pooling(application):
    """A copy of a VGG network of keras.applications with average in place of maximum pooling."""
    inner = next(x for x in application.layers if isinstance(x, keras.Model))
    x = pixels = keras.Input((None, None, 3), name="pixels")
    copies = []
    for layer in [*application.layers[1:-1], *inner.layers[1:]]:
        if isinstance(layer, keras_layers.MaxPooling2D):
            copy = keras_layers.AveragePooling2D(2, name=layer.name)
        else:
            copy = layer.__class__.from_config(layer.get_config())
        x = copy(x)
        copies.append((layer, copy))
    for layer, copy in copies:
        copy.set_weights(layer.get_weights())
    return keras.Model(pixels, x, name=application.name)


def convolution_names(network):
    """The layers that can be compared, in order."""
    return [
        layer.name
        for layer in network.layers
        if isinstance(layer, keras_layers.Conv2D) and layer.kernel_size == (3, 3)
    ]


def activations_of(network, names):
    """The network, its pictures mirrored at their edges, up to the activations of some layers.

    Returns:
        keras.Model with a list of outputs, see `reflection.reflected`.

    Raises:
        OptionError: a layer that the network does not have; the message lists those it has.
    """
    known = convolution_names(network)
    for name in names:
        if name not in known:
            raise OptionError(f'unknown layer "{name}"; {network.name} has {", ".join(known)}')
    return reflected(network, names)
