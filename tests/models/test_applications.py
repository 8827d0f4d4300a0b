"""Public networks: fetched once, and one clear line where they cannot be. No network is used."""

import hashlib
import json
from pathlib import Path

import keras
import numpy as np
import pytest

from cvtool.classification.classifier import Classifier
from cvtool.errors import ModelError
from cvtool.models import applications, downloads
from cvtool.models.applications import APPLICATIONS, application_features, fetch_application
from cvtool.models.downloads import DownloadError
from cvtool.models.presets import find_model
from file_server import serve

HOST = "https://storage.googleapis.com/tensorflow/keras-applications"


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """No server answers, and no weights are on this machine; gives the URLs asked for."""
    asked = []

    def fetch(url, *_):
        asked.append(url)
        raise DownloadError(f"{url}: cannot be reached (Name or service not known)")

    monkeypatch.setattr(applications, "fetch", fetch)
    empty_folders(tmp_path, monkeypatch)
    return asked


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A server in place of all others, and no weights on this machine."""
    with serve({}) as server:
        empty_folders(tmp_path, monkeypatch)
        monkeypatch.setenv("CVTOOL_MIRROR", server.url)
        monkeypatch.setattr(downloads, "PAUSES", (0, 0))
        yield server


def empty_folders(tmp_path, monkeypatch):
    from keras.src.backend import config

    (tmp_path / "keras").mkdir()
    monkeypatch.setattr(config, "keras_home", lambda: str(tmp_path / "keras"))
    monkeypatch.setenv("CVTOOL_CACHE", str(tmp_path / "cache"))
    for name in ("CVTOOL_OFFLINE", "CVTOOL_MIRROR"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_network_the_file_and_its_place_are_named(offline, tmp_path):
    with pytest.raises(ModelError) as error:
        application_features("mobilenetv3small")
    message = str(error.value)
    (url,) = offline
    file = url.rsplit("/", 1)[1]
    assert url.startswith(HOST) and file.endswith("_no_top_v2.h5")
    assert f"fetch {url} on a machine" in message
    assert message.endswith(f"put it at {tmp_path / 'keras' / 'models' / file}")
    assert 'model "mobilenetv3small"' in message and "\n" not in message


def test_a_name_is_looked_for_there_after_the_presets(offline, tmp_path):
    with pytest.raises(ModelError, match='model "efficientnetv2b0": its weights could not be do'):
        find_model("efficientnetv2b0")
    assert offline == [f"{HOST}/efficientnet_v2/efficientnetv2-b0.h5"]
    assert not (tmp_path / "cache" / "applications" / "efficientnetv2b0" / "model.json").exists()


def test_offline_nobody_is_asked(offline, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("CVTOOL_OFFLINE", "1")
    with pytest.raises(ModelError, match="the network is off .*; fetch https://.* and put it at"):
        find_model("mobilenetv3small")
    assert offline == [] and capsys.readouterr().out == ""
    # Class names that are there already need no network.
    index = {str(number): [f"n{number}", f"thing_{number}"] for number in range(3)}
    (tmp_path / "keras" / "models" / "imagenet_class_index.json").write_text(json.dumps(index))
    digest = hashlib.md5(json.dumps(index).encode()).hexdigest()
    monkeypatch.setattr(applications, "CLASSES_MD5", digest)
    assert applications.imagenet_classes() == ["thing 0", "thing 1", "thing 2"]


def test_the_files_come_from_the_mirror_and_go_on_after_a_cut(mirror, tmp_path, monkeypatch):
    index = json.dumps({"0": ["n0", "cat"], "1": ["n1", "dog"]}).ljust(3 * 8192 * 2).encode()
    mirror.files["/imagenet/imagenet_class_index.json"] = index
    monkeypatch.setattr(applications, "CLASSES_MD5", hashlib.md5(index).hexdigest())
    mirror.manners.append("cuts")
    assert applications.imagenet_classes() == ["cat", "dog"]
    assert mirror.asked[1] == ("/imagenet/imagenet_class_index.json", "bytes=24576-")
    assert applications.imagenet_classes() == ["cat", "dog"] and len(mirror.asked) == 2
    folder = tmp_path / "keras" / "models"
    assert [path.name for path in folder.iterdir()] == ["imagenet_class_index.json"]


def test_a_file_of_another_hash_is_named_and_not_kept(mirror, tmp_path):
    mirror.files["/imagenet/imagenet_class_index.json"] = b"{}"
    with pytest.raises(ModelError, match="not the file that Keras expects, its hash is another"):
        applications.imagenet_classes()
    assert list((tmp_path / "keras" / "models").iterdir()) == []


def test_a_server_that_does_not_have_it_is_named(mirror):
    with pytest.raises(ModelError, match="vgg16/vgg16_.*: the server answers 404 .*; fetch https:"):
        application_features("vgg16")
    assert mirror.asked[0][0].startswith("/vgg16/vgg16_weights")


def test_a_name_nearly_right_is_suggested():
    with pytest.raises(ModelError, match="did you mean mobilenetv3small or mobilenetv3large"):
        find_model("mobilenet3small")


def test_any_other_error_keeps_its_words(monkeypatch):
    def broken(**_):
        raise MemoryError("no room")

    monkeypatch.setattr(keras.applications, "MobileNetV3Small", broken)
    with pytest.raises(MemoryError, match="no room"):
        application_features("mobilenetv3small")


def test_every_function_is_there():
    for application in APPLICATIONS.values():
        assert callable(getattr(keras.applications, application.function))
        assert application.preprocessing in ("inside", "tf", "caffe")


@pytest.fixture(scope="module")
def fetched(tmp_path_factory):
    """A network fetched twice, a small one in its place; both folders, and what was built."""
    built = []
    cache = tmp_path_factory.mktemp("cache")

    def build(name):
        built.append(name)
        return keras.Sequential(
            [
                keras.Input((224, 224, 3)),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(1000, activation="softmax"),
            ]
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CVTOOL_CACHE", str(cache))
        patch.setattr(applications, "application_classifier", build)
        patch.setattr(applications, "imagenet_classes", lambda: [f"n{i}" for i in range(1000)])
        folders = [fetch_application("mobilenetv3small") for _ in range(2)]
    return cache, folders, built


def test_it_is_converted_once_into_the_cache(fetched):
    cache, folders, built = fetched
    assert folders == [cache / "applications" / "mobilenetv3small"] * 2
    assert built == ["mobilenetv3small"]
    assert sorted(path.name for path in folders[0].iterdir()) == [
        "mobilenetv3small.tflite",
        "mobilenetv3small.weights.h5",
        "model.json",
    ]


def test_it_is_a_model_like_any_other(fetched, monkeypatch):
    monkeypatch.setenv("CVTOOL_CACHE", str(fetched[0]))
    preset = find_model("mobilenetv3small")
    assert (preset.task, preset.size, len(preset.classes)) == ("classify", 224, 1000)
    assert preset.architecture["fixed_size"]
    classifier = Classifier.load("mobilenetv3small", device="cpu")
    found = classifier.probabilities(np.full((30, 40, 3), 77, np.uint8))
    assert found.shape == (1000,) and found.sum() == pytest.approx(1, abs=1e-3)


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CVTOOL_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(applications, "application_classifier", lambda name: None)
    monkeypatch.setattr(applications, "imagenet_classes", lambda: ["a", "b"])
    with pytest.raises(ModelError, match="cannot be written .*CVTOOL_CACHE"):
        fetch_application("mobilenetv3small")


def pixels():
    return np.random.default_rng(0).integers(0, 256, (2, 5, 6, 3)).astype(np.float32)


def test_caffe_preprocessing_is_that_of_keras():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, applications._preprocess(inputs, "caffe"))
    expected = keras.applications.resnet.preprocess_input(pixels().copy())
    np.testing.assert_allclose(np.asarray(model(pixels())), expected, atol=1e-3)
    assert model.trainable_variables == []


def test_tf_preprocessing_is_that_of_keras():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, applications._preprocess(inputs, "tf"))
    expected = keras.applications.inception_v3.preprocess_input(pixels().copy())
    np.testing.assert_allclose(np.asarray(model(pixels())), expected, atol=1e-6)


def test_preprocessing_comes_before_the_network():
    keras.utils.set_random_seed(0)
    network = application_features("vgg16", None)
    assert network.name == "vgg16" and network.output_shape == (None, None, None, 512)
    inner = next(layer for layer in network.layers if isinstance(layer, keras.Model))
    small = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype(np.float32)
    expected = inner(keras.applications.vgg16.preprocess_input(small.copy()))
    np.testing.assert_allclose(
        np.asarray(network(small)), np.asarray(expected), rtol=1e-3, atol=1e-4
    )


def test_networks_that_preprocess_themselves_say_so():
    for name in ("mobilenetv3small", "efficientnetv2b0"):
        network = application_features(name, None)
        assert any(isinstance(layer, keras.layers.Rescaling) for layer in network.layers)


def test_class_names_are_unique(tmp_path, monkeypatch):
    index = {"0": ["n01", "tench"], "1": ["n02", "crane"], "2": ["n03", "great_owl"]}
    index["3"] = ["n04", "crane"]
    (tmp_path / "index.json").write_text(json.dumps(index))
    asked = []

    def get_file(name, url, cache_subdir, file_hash):
        asked.append((name, Path(url).name, cache_subdir, file_hash))
        return str(tmp_path / "index.json")

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    expected = ["tench", "crane (n02)", "great owl", "crane (n04)"]
    assert applications.imagenet_classes() == expected
    name = "imagenet_class_index.json"
    assert asked == [(name, name, "models", applications.CLASSES_MD5)]


def test_class_names_that_cannot_be_fetched_are_named(offline, tmp_path):
    with pytest.raises(ModelError, match="fetch https://.*imagenet_class_index.json on") as error:
        applications.imagenet_classes()
    assert str(tmp_path / "keras" / "models" / "imagenet_class_index.json") in str(error.value)
