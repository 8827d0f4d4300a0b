"""A new last layer says of known classes what the trained one said; the rest is taken over."""

import keras
import numpy as np
import pytest

from cvtool.detection.yolo import yolo
from cvtool.errors import ModelError
from cvtool.models.presets import find_model
from cvtool.segmentation.transfer import (
    architecture_of,
    find_start,
    freeze_contracting,
    started_from,
    transferred,
)
from cvtool.segmentation.unet import build
from tiny_unet import save_start

SMALL = {"widths": [4, 8, 8, 8, 8], "depths": [1, 1, 1, 1]}
CSP = {"network": "csp", **SMALL, "decoder": [8, 8, 8, 8]}
PLAIN = {"network": "plain", "base": 4, "depth": 2}
OLD = ("background", "cat", "dog", "owl")


def trained(architecture):
    """With a last layer that says something, unlike an untrained one."""
    keras.utils.set_random_seed(3)
    network = build(len(OLD), architecture)
    layer, rng = network.get_layer("logits"), np.random.default_rng(0)
    layer.set_weights([rng.normal(0, 1, w.shape) for w in layer.get_weights()])
    return network


@pytest.fixture(scope="module")
def donors():
    return {"csp": trained(CSP), "plain": trained(PLAIN)}


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(1).integers(0, 256, (2, 32, 44, 3)).astype(np.float32)


def apart(logits, one, other):
    """By how much one class is likelier than another: all that a softmax sees of them."""
    return logits[..., one] - logits[..., other]


@pytest.mark.parametrize(
    ("network", "new"),
    [
        ("csp", ("background", "owl", "ant", "cat")),
        ("plain", ("background", "owl", "ant", "cat")),
        ("plain", ("nothing", "dog")),
    ],
)
def test_known_classes_and_the_background_stay_as_they_were(donors, pixels, network, new):
    architecture = {"csp": CSP, "plain": PLAIN}[network]
    expected = donors[network](pixels).numpy()
    found = transferred(donors[network], OLD, new, architecture)(pixels).numpy()
    assert found.shape == (*expected.shape[:3], len(new)) and expected.std() > 0.1
    for name in set(OLD[1:]) & set(new):
        np.testing.assert_allclose(
            apart(found, new.index(name), 0), apart(expected, OLD.index(name), 0), atol=1e-4
        )


def test_a_new_class_begins_as_the_mean_of_the_old_ones(donors, pixels):
    expected = donors["plain"](pixels).numpy()
    new = ("background", "ant", "dog", "bee")
    found = transferred(donors["plain"], OLD, new, PLAIN)(pixels).numpy()
    mean = expected.mean(axis=-1)
    np.testing.assert_allclose(apart(found, 0, 1), expected[..., 0] - mean, atol=1e-4)
    np.testing.assert_allclose(apart(found, 1, 3), 0, atol=1e-6)


def test_of_another_background_no_class_comes_over(donors, pixels):
    """A class that is called as the old background is a class all the same."""
    new = ("ground", "background")
    found = transferred(donors["plain"], OLD, new, PLAIN)(pixels).numpy()
    expected = donors["plain"](pixels).numpy()
    np.testing.assert_allclose(
        apart(found, 0, 1), expected[..., 0] - expected.mean(axis=-1), atol=1e-4
    )


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    keras.utils.set_random_seed(5)
    network = yolo(2, num_anchors=1, neck=8, **SMALL)
    folder = tmp_path_factory.mktemp("models") / "finder"
    return network, save_start(network, folder, task="detect", architecture=SMALL | {"neck": 8})


def test_a_detectors_backbone_is_taken_over(detector, pixels):
    donor, folder = detector
    start = find_start(folder)
    assert architecture_of(start) == {"network": "csp", **SMALL}
    network = started_from(start, ("background", "ant"))
    x = pixels[:, :32, :32]
    expected = donor.get_layer("csp")(x)
    found = network.get_layer("csp")(x)[1:]
    for one, other in zip(found, expected, strict=True):
        # What float16 keeps of the weights.
        np.testing.assert_allclose(one, other, atol=0.02 * float(np.std(other)) + 1e-3)
        assert np.std(other) > 0
    assert network(x).shape == (2, 32, 32, 2)


def test_a_model_that_segments_is_taken_over_whole(donors, pixels, tmp_path):
    folder = save_start(donors["csp"], tmp_path / "unet", classes=OLD, architecture=CSP)
    start = find_start(folder)
    assert architecture_of(start) == CSP
    found = started_from(start, OLD)(pixels).numpy()
    expected = donors["csp"](pixels).numpy()
    expected -= expected.mean(axis=-1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=0.02 * expected.std())


def test_the_shipped_models_have_the_backbone():
    for name in ("everyday", "tiny200"):
        assert architecture_of(find_start(name))["network"] == "csp"
        assert find_model(name).task != "segment"


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_a_model_without_the_backbone_is_refused(donors, tmp_path):
    folder = save_start(
        donors["csp"], tmp_path / "other", task="classify", architecture={"network": "resnet50"}
    )
    with pytest.raises(ModelError, match='--backbone: model "other" has no backbone.*everyday'):
        find_start(folder)
    wrong = save_start(
        donors["plain"],
        tmp_path / "wrong",
        task="classify",
        architecture={"network": "csp", **SMALL},
    )
    with pytest.raises(ModelError, match=r"wrong\.weights\.h5: its backbone cannot be taken"):
        started_from(find_start(wrong), OLD)


CONTRACTING = {"csp": ("csp",), "plain": ("down", "bottom")}


@pytest.mark.parametrize("kind", ["csp", "plain"])
def test_a_frozen_contracting_path_has_nothing_to_train_and_the_rest_has_all(donors, kind):
    network = transferred(donors[kind], OLD, OLD, {"csp": CSP, "plain": PLAIN}[kind])
    inside = {
        id(v)
        for layer in network.layers
        if layer.name.startswith(CONTRACTING[kind])
        for v in layer.weights
    }

    def trainable():
        trained = {id(v) for v in network.trainable_variables}
        return inside & trained, trained - inside

    everything, rest = trainable()
    freeze_contracting(network, True)
    assert everything and rest and trainable() == (set(), rest)
    freeze_contracting(network, False)
    # All but the two numbers of each batch norm.
    assert trainable()[1] == rest and len(everything) / 2 >= len(trainable()[0]) > 0


@pytest.mark.parametrize("frozen", [True, False])
def test_its_batch_norm_keeps_its_statistics(donors, pixels, frozen):
    """While those of the expanding path follow the new pictures."""
    network = transferred(donors["plain"], OLD, OLD, PLAIN)
    freeze_contracting(network, frozen)

    def statistics():
        return {v.path: v.numpy() for v in network.non_trainable_variables if "moving" in v.path}

    before = statistics()
    network(pixels, training=True)
    changed = {path for path, value in statistics().items() if (value != before[path]).any()}
    assert changed and all(path.startswith("merge") for path in changed)
    assert all(path.startswith(CONTRACTING["plain"]) for path in set(before) - changed)
