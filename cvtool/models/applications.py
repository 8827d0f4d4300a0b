"""Networks of keras.applications with the weights their authors trained on ImageNet.

The weights are not part of cvtool. Keras downloads them once into its own folder,
checked by their hash; a network that classifies the thousand classes of ImageNet is
then kept in the cache folder as a model that every command takes.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import warnings
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from cvtool.errors import ModelError
from cvtool.models.cache import cache_folder
from cvtool.tensorflow_import import import_tensorflow

# Seconds to wait for a server that says nothing.
PATIENCE = 30

# Mean blue, green and red of ImageNet, which the first networks were given pictures without.
CAFFE_MEAN = (103.939, 116.779, 123.68)


@dataclass(frozen=True, slots=True)
class Application:
    """One network of keras.applications.

    Attributes:
        function: its name there.
        size: side of the square that it was trained on, pixels.
        preprocessing: what pixels in [0, 255] need first: "inside" nothing, "tf" a
            rescaling to [-1, 1], "caffe" blue first and the mean taken off.
    """

    function: str
    size: int
    preprocessing: str = "inside"


APPLICATIONS = {
    "mobilenetv3small": Application("MobileNetV3Small", 224),
    "mobilenetv3large": Application("MobileNetV3Large", 224),
    "efficientnetv2b0": Application("EfficientNetV2B0", 224),
    "efficientnetv2b1": Application("EfficientNetV2B1", 240),
    "efficientnetv2b2": Application("EfficientNetV2B2", 260),
    "efficientnetv2b3": Application("EfficientNetV2B3", 300),
    "efficientnetv2s": Application("EfficientNetV2S", 384),
    "resnet50": Application("ResNet50", 224, "caffe"),
    "vgg16": Application("VGG16", 224, "caffe"),
    "vgg19": Application("VGG19", 224, "caffe"),
    "inceptionv3": Application("InceptionV3", 299, "tf"),
}


def application_features(name, weights="imagenet"):
    """The convolutional part of a network.

    Args:
        name: a key of APPLICATIONS.
        weights: "imagenet", or None for untrained ones.
    Returns:
        keras.Model from RGB pixels in [0, 255], float (N, H, W, 3), to features
        (N, h, w, C); its name is `name`.
    Raises:
        ModelError: the weights are not here and cannot be downloaded; the message says
            from where to where to bring them.
    """
    return _network(name, weights, include_top=False, input_shape=(None, None, 3))


def application_classifier(name, weights="imagenet"):
    """The whole network: RGB pixels (N, size, size, 3) in [0, 255] to 1,000 probabilities.

    Raises:
        ModelError: as `application_features`.
    """
    size = APPLICATIONS[name].size
    return _network(name, weights, include_top=True, input_shape=(size, size, 3))


def fetch_application(name):
    """The folder of an ImageNet classifier, downloaded and converted the first time.

    Args:
        name: a key of APPLICATIONS.
    Returns:
        pathlib.Path of a folder with model.json, below the cache folder.
    Raises:
        ModelError: there is no network and no weights; the message says what to fetch.
    """
    folder = cache_folder() / "applications" / name
    if (folder / "model.json").exists():
        return folder
    from cvtool.models.saving import save_model

    network = application_classifier(name)
    description = {
        "name": name,
        "task": "classify",
        "description": "1,000 classes of ImageNet, from keras.applications",
        "architecture": {"network": name, "top": True, "fixed_size": True},
        "size": APPLICATIONS[name].size,
        "classes": imagenet_classes(),
        "licence": "see https://keras.io/api/applications",
        "data": "ImageNet-1k",
    }
    try:
        save_model(network, folder, description)
    except OSError as error:
        raise ModelError(
            f"{folder}: cannot be written ({error.strerror}); set CVTOOL_CACHE to another folder"
        ) from error
    return folder


def imagenet_classes():
    """The names of ImageNet's thousand classes, made unique, in the order of the outputs."""
    import_tensorflow()
    from keras.utils import get_file

    url = "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"
    with _downloads("imagenet_class_index.json"):
        path = get_file("imagenet_class_index.json", url, cache_subdir="models")
    index = json.loads(Path(path).read_text(encoding="utf-8"))
    names = [index[str(number)][1].replace("_", " ") for number in range(len(index))]
    # "crane" is a bird and a machine, "maillot" is there twice.
    return [
        f"{name} ({index[str(number)][0]})" if names.count(name) > 1 else name
        for number, name in enumerate(names)
    ]


def _network(name, weights, *, include_top, input_shape):
    import_tensorflow()
    import keras

    application = APPLICATIONS[name]
    build = getattr(keras.applications, application.function)
    with _downloads(name), warnings.catch_warnings():
        # MobileNetV3 remarks that it assumes 224 pixels where the size is left open.
        warnings.simplefilter("ignore", UserWarning)
        network = build(weights=weights, include_top=include_top, input_shape=input_shape)
    if application.preprocessing == "inside":
        network.name = name
        return network
    pixels = keras.Input(input_shape, name="pixels")
    outputs = network(_preprocess(pixels, application.preprocessing))
    return keras.Model(pixels, outputs, name=name)


def _preprocess(pixels, kind):
    import numpy as np
    from keras import layers

    if kind == "tf":
        return layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(pixels)
    # A fixed 1 x 1 convolution that turns RGB to BGR and takes the mean off: a standard
    # layer, so that the saved file needs no code of ours.
    turn = layers.Conv2D(3, 1, trainable=False, name="caffe")
    result = turn(pixels)
    kernel = np.eye(3, dtype=np.float32)[::-1].reshape(1, 1, 3, 3)
    turn.set_weights([kernel, -np.array(CAFFE_MEAN, np.float32)])
    return result


@contextmanager
def _downloads(name):
    """Turn a failed download into one line that says what to fetch and where to put it."""
    from keras.src.backend.config import keras_home

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        # Keras draws its progress bar on stdout, where only results belong.
        with redirect_stdout(sys.stderr):
            yield
    except Exception as error:
        found = re.search(r"(https?://[^\s:]+(?::\d+)?\S*?):? ", f"{error} ")
        if found is None:
            raise
        url = found.group(1)
        target = Path(keras_home()) / "models" / url.rsplit("/", 1)[-1]
        raise ModelError(
            f'model "{name}": its weights could not be downloaded; fetch {url} on a machine '
            f"with a network and put it at {target}"
        ) from error
    finally:
        socket.setdefaulttimeout(before)
