"""A saved classifier answers as its network, alone and with others."""

import json
import shutil

import keras
import numpy as np
import pytest

from cvtool.classification import classifier as module
from cvtool.classification import networks
from cvtool.classification.classifier import Classification, Classifier
from cvtool.classification.views import centre_view, ten_crops
from cvtool.errors import CvtoolError, ModelError
from cvtool.models.saving import save_model

ARCHITECTURE = {"network": "csp", "widths": [8, 8, 8, 16, 16], "depths": [1, 1, 1, 1]}
CLASSES = ["cat", "dog", "emu", "fox"]
SIDE = 32


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    network = networks.classifier(ARCHITECTURE, 4)
    layer = network.get_layer(networks.LOGITS)
    # Untrained, the classes would be too much alike to see a difference.
    layer.set_weights([6 * layer.get_weights()[0], np.array([0.3, 0, -0.3, 0.1], np.float32)])
    return network


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "pets"
    description = {"name": "pets", "task": "classify", "description": "", "size": SIDE}
    save_model(network, folder, description | {"classes": CLASSES, "architecture": ARCHITECTURE})
    return folder


@pytest.fixture
def changed(folder, tmp_path):
    """Make a folder of the same files under a changed description."""

    def make(name="other", **changes):
        shutil.copytree(folder, tmp_path / name)
        path = tmp_path / name / "model.json"
        entry = json.loads(path.read_text()) | {"name": name} | changes
        path.write_text(json.dumps(entry))
        return tmp_path / name

    return make


@pytest.fixture(scope="module")
def pets(folder):
    return Classifier.load(folder, device="cpu")


def photo(height=50, width=70, seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    rows, columns = np.arange(height) * 5 // height, np.arange(width) * 7 // width
    return coarse[rows][:, columns]


def expected(network, views):
    return np.asarray(network(np.asarray(views, np.float32), training=False)).mean(axis=0)


def test_it_says_what_it_is(pets):
    assert pets.classes == tuple(CLASSES) and pets.size == SIDE and not pets.several
    assert pets.model_name == "pets" and pets.engine_name == "litert"


def test_probabilities_are_the_networks(pets, network):
    for seed in range(3):
        found = pets.probabilities(photo(seed=seed))
        assert found.dtype == np.float32 and found.sum() == pytest.approx(1, abs=1e-4)
        views = centre_view(photo(seed=seed), SIDE)[None]
        np.testing.assert_allclose(found, expected(network, views), atol=2e-3)
    assert np.ptp(found) > 0.05


def test_tensorflow_agrees(folder, network, monkeypatch):
    monkeypatch.setattr(module, "choose_engine", lambda device: "tensorflow")
    other = Classifier.load(folder)
    assert other.engine_name == "tensorflow"
    views = centre_view(photo(), SIDE)[None]
    np.testing.assert_allclose(other.probabilities(photo()), expected(network, views), atol=2e-3)


def test_test_time_augmentation_is_the_mean_over_ten_crops(pets, network):
    found = pets.probabilities(photo(), tta=True)
    np.testing.assert_allclose(found, expected(network, ten_crops(photo(), SIDE)), atol=2e-3)
    assert np.abs(found - pets.probabilities(photo())).max() > 2e-3


def test_another_size_is_taken(folder, network):
    larger = Classifier.load(folder, device="cpu", size=48)
    assert larger.size == 48
    views = centre_view(photo(), 48)[None]
    np.testing.assert_allclose(larger.probabilities(photo()), expected(network, views), atol=2e-3)


def test_the_best_classes_come_first(pets):
    probabilities = pets.probabilities(photo())
    found = pets(photo(), top=3)
    order = np.argsort(-probabilities)
    assert [c.label for c in found] == [CLASSES[i] for i in order[:3]]
    assert [c.score for c in found] == pytest.approx(probabilities[order[:3]].tolist())
    assert len(pets(photo())) == 4


def test_a_classification_as_json():
    found = Classification("cat", 0.123456).to_dict()
    assert json.loads(json.dumps(found)) == {"label": "cat", "score": 0.1235}


def test_an_ensemble_matches_classes_by_name(folder, changed, pets):
    # The same network that calls its classes otherwise: its "cat" is the first one's "fox".
    other = changed(classes=["fox", "cat", "dog", "emu"], size=48)
    both = Classifier.load([folder, other], device="cpu")
    assert both.classes == tuple(CLASSES) and both.model_name == "pets+other" and both.size == SIDE
    mine = pets.probabilities(photo())
    its = Classifier.load(other, device="cpu").probabilities(photo())
    np.testing.assert_allclose(both.probabilities(photo()), (mine + its[[1, 2, 3, 0]]) / 2)
    assert np.abs(both.probabilities(photo()) - (mine + its) / 2).max() > 0.01


def test_an_ensemble_of_one_and_the_same_changes_nothing(folder, pets):
    twice = Classifier.load((folder, folder), device="cpu")
    pixels = photo(seed=4)
    np.testing.assert_allclose(
        twice.probabilities(pixels, tta=True), pets.probabilities(pixels, tta=True), atol=1e-6
    )


@pytest.mark.parametrize("changes", [{"classes": ["cat", "dog", "emu", "gnu"]}, {"several": True}])
def test_models_of_other_classes_are_not_averaged(folder, changed, changes):
    with pytest.raises(ModelError, match='models "pets" and "other" have different classes'):
        Classifier.load([folder, changed(**changes)], device="cpu")


def test_a_network_of_one_size_refuses_another(changed):
    fixed = changed(architecture=ARCHITECTURE | {"fixed_size": True})
    with pytest.raises(ModelError, match='model "other" takes pictures of 32 pixels only'):
        Classifier.load(fixed, device="cpu", size=48)
    assert Classifier.load(fixed, device="cpu", size=32).size == 32
    assert Classifier.load(fixed, device="cpu").size == 32


def test_a_size_of_nothing_is_refused(folder):
    with pytest.raises(CvtoolError, match="size 8 is under 16 pixels; try 32"):
        Classifier.load(folder, size=8)


def test_a_detector_is_refused():
    with pytest.raises(ModelError, match='model "everyday" is for detect, not for classify'):
        Classifier.load("everyday", device="cpu")


def test_a_description_of_another_network_is_refused(changed):
    other = Classifier.load(changed(classes=["cat", "dog"]), device="cpu")
    with pytest.raises(ModelError, match=r"gives \(1, 4\) where its description says \(1, 2\)"):
        other.probabilities(photo())


def test_weights_of_another_network_are_refused(changed, monkeypatch):
    monkeypatch.setattr(module, "choose_engine", lambda device: "tensorflow")
    other = changed(architecture=ARCHITECTURE | {"widths": [8, 8, 8, 16, 24]})
    with pytest.raises(ModelError, match="not the weights of this network"):
        Classifier.load(other)


def test_a_damaged_file_is_refused(changed):
    other = changed()
    with (other / "pets.tflite").open("r+b") as stream:
        stream.seek(100)
        stream.write(b"\0\1\2\3")
    with pytest.raises(ModelError, match="pets.tflite: damaged.*copy the model's folder again"):
        Classifier.load(other, device="cpu")


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 90, 3), (300, 20, 3)])
def test_any_picture_is_taken(pets, shape):
    for tta in (False, True):
        found = pets.probabilities(np.full(shape, 90, np.uint8), tta=tta)
        assert found.sum() == pytest.approx(1, abs=1e-4)
