"""Networks of keras.applications with the weights their authors trained on ImageNet.

The weights are not part of cvtool. They are downloaded once into Keras' own folder, and
checked by the hash that Keras knows; a network that classifies the thousand classes of
ImageNet is then kept in the cache folder as a model that every command takes.
"""

from __future__ import annotations

import json
import os
import warnings
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from cvtool.errors import ModelError
from cvtool.models.cache import cache_folder, cache_lock, unwritable
from cvtool.models.downloads import DownloadError, address_of, fetch, filename_of, part_of
from cvtool.models.progress import say
from cvtool.offline import is_offline
from cvtool.tensorflow_import import import_tensorflow

# What each of them knows.
IMAGENET_CLASSES = 1000
# Of ImageNet's class names, as Keras checks it itself.
CLASSES_MD5 = "c2c37ea517e94d9795004a39431a14cb"

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
    folder = application_folder(name)
    if (folder / "model.json").exists():
        return folder
    from cvtool.models.saving import save_model

    with cache_lock(name):
        # Another process may have been quicker.
        if (folder / "model.json").exists():
            return folder
        network = application_classifier(name)
        description = describe_application(name) | {"classes": imagenet_classes()}
        say(f"{name}: converting")
        try:
            save_model(network, folder, description)
        except OSError as error:
            raise unwritable(folder, error) from error
    return folder


def application_folder(name):
    """Where the ImageNet classifier of that name is once it is fetched, as a pathlib.Path."""
    return cache_folder() / "applications" / name


def describe_application(name):
    """What model.json says of an ImageNet classifier, but its classes and files."""
    return {
        "name": name,
        "task": "classify",
        "description": "1,000 classes of ImageNet, from keras.applications",
        "architecture": {"network": name, "top": True, "fixed_size": True},
        "size": APPLICATIONS[name].size,
        "licence": "see https://keras.io/api/applications",
        "data": "ImageNet-1k",
        "source": {"format": "keras.applications"},
    }


def imagenet_classes():
    """The names of ImageNet's thousand classes, made unique, in the order of the outputs."""
    import_tensorflow()
    from keras.utils import get_file

    url = "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"
    with _downloads("imagenet"):
        path = get_file(
            "imagenet_class_index.json", url, cache_subdir="models", file_hash=CLASSES_MD5
        )
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
    """Let Keras download by `downloads.fetch`: with resume, a mirror, and not when offline."""
    from keras.src.utils import file_utils

    targets = []

    def retrieve(url, target, *_):
        target = Path(target)
        elsewhere = f"fetch {url} on a machine with a network and put it at {target}"
        if is_offline():
            raise ModelError(
                f'model "{name}": its weights are not on this machine, and the network is off '
                f"(--offline or CVTOOL_OFFLINE); {elsewhere}"
            )
        part = part_of(target)
        targets.append(target)
        # What is there all the same is not what Keras wants.
        damaged = target.exists()
        try:
            with cache_lock(f"keras-{filename_of(url)}"):
                # Another process may have been quicker.
                if damaged or not target.exists():
                    fetch(address_of(name, url), part, None, name)
                    os.replace(part, target)
        except DownloadError as error:
            raise ModelError(
                f'model "{name}": its weights could not be downloaded ({error}); {elsewhere}'
            ) from error
        except OSError as error:
            raise unwritable(target, error) from error

    before = file_utils.urlretrieve
    file_utils.urlretrieve = retrieve
    try:
        # Keras tells of it on stdout, where only results belong.
        with redirect_stdout(StringIO()):
            yield
    except ValueError as error:
        if "corrupted file" not in str(error):
            raise
        for target in targets:
            target.unlink(missing_ok=True)
        raise ModelError(
            f'model "{name}": what was downloaded is not the file that Keras expects, its hash is '
            "another; try again later"
        ) from error
    finally:
        file_utils.urlretrieve = before
