"""An imported network is a model folder like any other, or nothing at all."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cvtool.detection.detector import Detector
from cvtool.detection.runs import find_detector
from cvtool.engines import LiteRTEngine
from cvtool.errors import ModelError, OptionError, OutputError
from cvtool.models.darknet import importing
from cvtool.models.darknet.importing import import_darknet
from cvtool.models.presets import find_model, preset_file, verify
from cvtool.networks import load_network
from tiny_darknet import (
    CLASSES,
    SIDE,
    OpenCV,
    conv,
    net,
    noise,
    random_numbers,
    section,
    weights_bytes,
    write_darknet,
    yolo,
)

# Every kind of layer whose export depends on the size of the map, a depthwise convolution after a
# map was enlarged, and heads with different numbers of anchors.
TEXT = (
    net()
    + conv(8, stride=2, activation="mish")
    + conv(8, stride=4, activation="swish", more="groups=2")
    + section("maxpool", size=3, stride=2)
    + section("route", layers="-2")
    + section("reorg", stride=2)
    + section("route", layers="-1,2")
    + conv(8)
    + yolo(more="scale_x_y=1.1")
    + section("route", layers="-3")
    + section("upsample", stride=2)
    + section("route", layers="-1,1")
    + section("route", layers="-1", groups=2, group_id=1)
    + conv(16, more="groups=8")
    + yolo(mask="1,2")
)
STRIDE = 16


@pytest.fixture(scope="module")
def darknet(tmp_path_factory):
    return write_darknet(tmp_path_factory.mktemp("darknet"), TEXT)


@pytest.fixture(scope="module")
def folder(darknet):
    folder = darknet.configuration.parent / "models" / "tiny"
    more = {"licence": "none", "source": {"format": "darknet"}, "description": "for tests"}
    import_darknet(
        darknet.configuration,
        darknet.weights,
        folder,
        name="tiny",
        classes=CLASSES,
        description=more,
    )
    return folder


@pytest.fixture
def quick(monkeypatch):
    """Imports that convert nothing, for what is decided before and after."""

    def save(network, folder, entry, **_):
        (folder / "model.json").write_text(json.dumps(entry))
        return entry | {"files": {"litert": {"file": "none"}}}

    monkeypatch.setattr("cvtool.models.saving.save_model", save)
    monkeypatch.setattr(importing, "_check_export", lambda *_: None)


def import_into(folder, darknet, classes=CLASSES):
    return import_darknet(
        darknet.configuration, darknet.weights, folder, name="tiny", classes=classes
    )


def test_the_folder_is_a_whole_model_with_what_it_came_from(folder):
    preset = find_model(folder)
    assert verify(preset) == [] and preset.task == "detect" and preset.fit == "stretch"
    assert preset.classes == CLASSES and preset.strides == (8, STRIDE)
    assert [len(scale) for scale in preset.anchors] == [2, 3]
    assert [scale["centre_scale"] for scale in preset.decoding] == [1, 1.1]
    assert (preset.licence, preset.description) == ("none", "for tests")
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


@pytest.mark.parametrize(("side", "pictures"), [(SIDE, 1), (SIDE + STRIDE, 2)])
def test_litert_and_keras_give_what_opencv_gives_at_any_size_and_batch(
    folder, darknet, side, pictures
):
    pixels = np.stack([noise(side, seed) for seed in range(pictures)])
    theirs = np.stack([OpenCV(darknet).raw(one) for one in pixels])
    litert = LiteRTEngine(preset_file(find_model(folder), "litert"))(pixels)
    assert litert.shape == theirs.shape and np.abs(litert - theirs).max() < 1e-4
    keras = load_network(folder).model(pixels.astype(np.float32), training=False)
    assert np.abs(np.asarray(keras) - theirs).max() < 1e-4


def test_it_detects_at_its_size_and_at_another(folder):
    detector = Detector.load(folder, device="cpu")
    found = detector(noise(100), min_score=0.1)
    assert found and {detection.label for detection in found} <= set(CLASSES)
    assert Detector.load(folder, device="cpu", size=96)(noise(100), min_score=0.1)


def test_a_size_that_its_largest_stride_does_not_divide_is_refused(folder, monkeypatch):
    preset = replace(find_model(folder), strides=(8, 64))
    monkeypatch.setattr("cvtool.detection.detector.find_model", lambda _: preset)
    with pytest.raises(OptionError, match="96 is not a multiple of 64"):
        Detector.load(folder, size=96)


def test_it_cannot_be_trained(folder):
    with pytest.raises(ModelError, match='"tiny" was imported from Darknet, and cvtool cannot'):
        find_detector(folder)


def test_a_model_of_that_folder_is_replaced_and_anything_else_is_not(quick, darknet, tmp_path):
    folder = tmp_path / "models" / "tiny"
    import_into(folder, darknet)
    (folder / "old.txt").touch()
    import_into(folder, darknet)
    assert [path.name for path in folder.iterdir()] == ["model.json"]
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "precious.txt").touch()
    with pytest.raises(OutputError, match="mine: is there already and is no model's folder"):
        import_into(mine, darknet)
    assert [path.name for path in mine.iterdir()] == ["precious.txt"]


def test_a_failed_import_leaves_nothing_and_an_old_model_as_it_was(
    quick, darknet, tmp_path, monkeypatch
):
    folder = tmp_path / "tiny"
    import_into(folder, darknet)
    before = (folder / "model.json").read_bytes()

    def fail(*_):
        raise ModelError("does not agree")

    monkeypatch.setattr(importing, "_check_export", fail)
    with pytest.raises(ModelError, match="does not agree"):
        import_into(folder, darknet)
    assert (folder / "model.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_an_exported_file_that_gives_something_else_is_an_error(folder, darknet):
    class Other:
        def __call__(self, pixels, training):
            return np.ones((1, 3 * 4**2 + 2 * 8**2, 8), np.float32)

    litert = preset_file(find_model(folder), "litert")
    with pytest.raises(ModelError, match="exported to LiteRT does not give"):
        importing._check_export(Other(), litert, darknet.plan, darknet.configuration)


def test_another_number_of_names_is_refused(darknet, tmp_path):
    with pytest.raises(ModelError, match="tiny.cfg: the network has 3 classes, but there are 2"):
        import_into(tmp_path / "tiny", darknet, ["cat", "dog"])
    assert not (tmp_path / "tiny").exists()


def test_files_in_each_others_place_are_refused(darknet, tmp_path):
    with pytest.raises(ModelError, match="tiny.weights, line 1: .*give the .cfg file"):
        import_into(tmp_path / "x", darknet._replace(configuration=darknet.weights))
    with pytest.raises(ModelError, match="tiny.cfg: not Darknet weights"):
        import_into(tmp_path / "x", darknet._replace(weights=darknet.configuration))


def test_weights_of_another_network_are_refused(darknet, tmp_path):
    other = tmp_path / "other.weights"
    other.write_bytes(weights_bytes(random_numbers(darknet.plan)[:-9]))
    with pytest.raises(ModelError, match="other.weights: .* do not belong together"):
        import_into(tmp_path / "x", darknet._replace(weights=other))
    assert [path.name for path in tmp_path.iterdir()] == ["other.weights"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decoding": []}, None),
        ({"fit": "crop"}, "'crop' is neither"),
        ({"decoding": [{"centre_scale": 1, "size": "exp", "classes": "sigmoid"}]}, "decodings"),
        ({"decoding": [{"centre_scale": 1, "size": "cube", "classes": "sigmoid"}] * 2}, "cube"),
        ({"decoding": [{"centre_scale": "1", "size": "exp", "classes": "sigmoid"}] * 2}, "'1'"),
        ({"decoding": [{"size": "exp"}] * 2}, "it has no 'centre_scale'"),
        ({"anchors": [[[1, 2]], []]}, "every stride needs anchors"),
        ({"architecture": {}}, "the same number of anchors"),
    ],
)
def test_a_description_that_cannot_be_decoded_by_is_refused(folder, tmp_path, change, message):
    entry = json.loads((folder / "model.json").read_text()) | change
    (tmp_path / "model.json").write_text(json.dumps(entry))
    if message is None:
        assert find_model(tmp_path).decoding == ()
        return
    with pytest.raises(ModelError, match=f"model.json: not the description .*{message}"):
        find_model(tmp_path)


def test_a_configuration_damaged_in_model_json_is_named(folder, monkeypatch):
    preset = replace(find_model(folder), architecture={"darknet": "[net]\nwidth=9\n"})
    monkeypatch.setattr("cvtool.networks.find_model", lambda _: preset)
    with pytest.raises(ModelError, match='configuration of model "tiny", line 1: .*height'):
        load_network(folder)
