"""The network that is exported, for each task."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
import skimage.data

import tiny_detector
from colour_unet import SIZE, colour_model
from cvtool.classification.networks import classifier
from cvtool.errors import ModelError, OptionError
from cvtool.exporting.agreement import compare
from cvtool.exporting.describing import describe
from cvtool.exporting.source import load_source
from cvtool.exporting.views import network_inputs, network_views, sample_pictures
from cvtool.models.own_network import import_own
from cvtool.models.presets import find_model
from cvtool.style.fast import FastStylizer
from cvtool.style.vgg_small import vgg_small
from tiny_facenet import save_start as save_face_model
from tiny_facenet import small_networks
from tiny_unet import save_start

SCRATCH = {"network": "lenet5", "scratch": True, "size": 32}
FEATURES = {"widths": [4, 4, 8, 8, 8], "depths": [1, 1, 1, 1, 1]}
AGREED = compare(np.zeros(1), np.zeros(1), pictures=1)


def described(source):
    """What would be written beside a file of it; JSON can hold it."""
    return json.loads(json.dumps(describe(source, [], "onnx", "float32", AGREED), allow_nan=False))


def test_a_detector(tmp_path):
    network = tiny_detector.small_network(2, num_anchors=1)
    folder = save_start(network, tmp_path / "tiny", task="detect", classes=("cat", "dog"))
    with tiny_detector.small_networks():
        source = load_source(folder, size=96)
        with pytest.raises(OptionError, match="multiples of 32, not 100; try 96"):
            load_source(folder, size=100)
    assert (source.shape, source.step, source.output) == ((1, 96, 96, 3), 32, "raw")
    views = network_views(source.preset, [np.zeros((20, 40, 3), np.uint8)], 96)
    # Completed above and below with grey, as the detector does it.
    assert (views[0, :24] == 114).all() and (views[0, 24:72] == 0).all()
    said = described(source)
    assert said["output"]["shape"] == [1, 12 * 12 + 6 * 6 + 3 * 3, 5 + 2]
    assert said["strides"] == [8, 16, 32] and said["anchors"][1] == [[16, 16]]
    assert said["classes"] == ["cat", "dog"] and said["preprocessing"]["fit"] == "letterbox"
    assert said["decoding"]["row"][4] == "objectness"


def test_a_classifier_of_one_size(tmp_path):
    keras.utils.set_random_seed(0)
    network = classifier(SCRATCH, 3)
    folder = save_start(
        network, tmp_path / "lenet", task="classify", classes="abc", architecture=SCRATCH
    )
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"size": 32}))
    source = load_source(folder, batch=None)
    assert source.shape == (None, 32, 32, 3)
    assert described(source)["output"]["shape"] == [None, 3]
    pixels = network_views(source.preset, sample_pictures(), 32)
    expected = network.predict(pixels.astype(np.float32), verbose=0)
    np.testing.assert_allclose(source(pixels), expected, atol=2e-3)
    for wanted in ({"size": 48}, {"free": True}):
        with pytest.raises(OptionError, match="takes 32 pixels only"):
            load_source(folder, **wanted)


def test_a_face_model(tmp_path):
    with small_networks():
        source = load_source(save_face_model(tmp_path / "faces"))
    assert (source.shape, source.output) == ((1, 64, 64, 3), "embedding")
    views = network_views(source.preset, [next(sample_pictures())], 64)
    np.testing.assert_allclose(np.linalg.norm(source(views), axis=1), 1, atol=1e-5)
    assert described(source)["preprocessing"]["fit"] == "aligned face"


def test_a_feature_network(tmp_path):
    folder = save_start(
        vgg_small(**FEATURES), tmp_path / "vgg", task="features", classes=(), architecture=FEATURES
    )
    source = load_source(folder, free=True, batch=None)
    assert source.shape == (None, None, None, 3)
    assert source(np.zeros((2, 48, 32, 3), np.uint8)).shape == (2, 3, 2, 8)


def test_a_segmenter_sees_the_longer_side():
    source = load_source(colour_model(), size=48)
    views = network_views(source.preset, [np.full((10, 30, 3), 7, np.uint8)], 48)
    assert (views[0, :16] == 7).all() and (views[0, 16:] == 114).all()
    assert described(source)["classes"] == ["background", "red", "blue"]


def test_instant_styles_as_one_network_are_those_of_the_command():
    source = load_source("adain", size=64)
    assert (source.inputs, source.step) == (("content", "style"), 4)
    pictures = [p[:64, :64] for p in (skimage.data.astronaut()[::4, ::4], skimage.data.coffee())]
    views = network_views(source.preset, pictures, 64)
    contents, styles = network_inputs(source.preset, views)
    # Each picture's style is the next picture.
    assert (contents[0] == pictures[0]).all() and (styles[0] == pictures[1]).all()
    command = FastStylizer.load("adain", device="cpu")
    expected = [command(c, [s]) for c, s in zip(contents, styles, strict=True)]
    # LiteRT's file holds other roundings of the weights, and the command rounds to bytes.
    assert np.abs(source(contents, styles) - expected).max() < 4


def test_a_model_for_nothing_that_can_be_exported(monkeypatch):
    odd = replace(find_model("tiny200"), task="smell")
    monkeypatch.setattr("cvtool.exporting.source.find_model", lambda model: odd)
    with pytest.raises(ModelError, match="for smell, which cannot be exported"):
        load_source("tiny200")


def test_sizes_that_are_too_small():
    with pytest.raises(OptionError, match="size 8 is under 16"):
        load_source(colour_model(), size=8)
    assert load_source(colour_model()).size == SIZE


def test_a_segmenter_of_the_users_own_stays_as_it_is(tmp_path):
    pixels = keras.Input((32, 32, 3))
    keras.Model(pixels, keras.layers.Conv2D(2, 1, activation="softmax")(pixels)).save(
        tmp_path / "own.keras"
    )
    import_own(tmp_path / "own.keras", tmp_path / "own", name="own", classes=["no", "yes"])
    source = load_source(tmp_path / "own")
    assert source.shape == (1, 32, 32, 3) and described(source)["classes"] == ["no", "yes"]
