"""What the recipes' networks may begin with."""

import numpy as np
import pytest

from cvtool.backbones import csp_backbone
from cvtool.classification import networks
from cvtool.detection.yolo import yolo
from cvtool.errors import ModelError
from cvtool.models.presets import find_model, preset_file
from recipe_runs import recipe_module


@pytest.fixture(scope="module")
def starting():
    return recipe_module("starting")


def same_weights(network, other):
    pairs = zip(network.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.fixture(scope="module")
def source():
    """The classifier that ships."""
    preset = find_model("tiny200")
    network = networks.build(preset)
    network.load_weights(preset_file(preset, "weights"))
    return network


@pytest.fixture(scope="module")
def detector():
    """One network for all tests, each of which begins anew."""
    return yolo(3)


def test_a_classifier_may_begin_as_another(starting, source):
    network = networks.build(find_model("tiny200"))
    starting.start_classifier(network, "tiny200")
    assert same_weights(network, source)


def test_a_classifier_of_other_classes_begins_with_the_backbone_alone(starting, source):
    network = networks.classifier(find_model("tiny200").architecture, 7)
    before = network.get_weights()[-2]
    starting.start_classifier(network, "tiny200")
    assert same_weights(network.get_layer("csp"), source.get_layer("csp"))
    assert np.array_equal(network.get_weights()[-2], before)


@pytest.mark.parametrize("start", ["tiny200", "backbone.weights.h5"])
def test_a_detector_begins_with_the_backbone_of_a_classifier_or_of_a_file(
    starting, source, detector, start, tmp_path
):
    backbone, own = source.get_layer("csp"), detector.get_layer("csp")
    own.set_weights([np.zeros_like(values) for values in own.get_weights()])
    if start.endswith(".h5"):
        start = str(tmp_path / start)
        backbone.save_weights(start)
    starting.start_backbone(detector, start)
    assert same_weights(own, backbone)


def test_a_classifier_may_begin_with_the_backbone_of_a_file(starting, source, tmp_path):
    source.get_layer("csp").save_weights(tmp_path / "backbone.weights.h5")
    network = networks.classifier(find_model("tiny200").architecture, 7)
    starting.start_classifier(network, str(tmp_path / "backbone.weights.h5"))
    assert same_weights(network.get_layer("csp"), source.get_layer("csp"))


def test_what_has_no_such_backbone_is_refused(starting, detector, tmp_path):
    csp_backbone(widths=(8, 8, 8, 8, 8)).save_weights(tmp_path / "small.weights.h5")
    (tmp_path / "empty.weights.h5").write_bytes(b"")
    for start in ("small.weights.h5", "empty.weights.h5", "missing.weights.h5"):
        with pytest.raises(ModelError, match=f"{start}: not the weights of this network"):
            starting.start_backbone(detector, str(tmp_path / start))
    with pytest.raises(ModelError, match="give a classifier or a detector"):
        starting.start_backbone(detector, "vgg-small")
    with pytest.raises(ModelError, match="another backbone"):
        starting.start_backbone(yolo(3, widths=(8, 8, 8, 8, 8)), "tiny200")
