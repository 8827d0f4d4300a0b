"""A new head says of boxes what the trained one said, and of known classes too."""

import keras
import numpy as np
import pytest

from cvtool.backbones import freeze_backbone
from cvtool.detection.finetuning import open_training, train
from cvtool.detection.runs import start_run
from cvtool.detection.settings import Settings
from cvtool.detection.transfer import transferred
from cvtool.detection.yolo import yolo
from cvtool.training.checkpoints import read_history
from cvtool.training.run_folder import read_run
from tiny_detector import write_yolo_set

ARCHITECTURE = dict(widths=(4, 8, 8, 8, 8), depths=(1, 1, 1, 1), neck=8)
OLD = ("cat", "dog", "owl")


@pytest.fixture(scope="module")
def donor():
    """With a head that says something, unlike an untrained one."""
    keras.utils.set_random_seed(3)
    network = yolo(len(OLD), num_anchors=2, **ARCHITECTURE)
    rng = np.random.default_rng(0)
    for level in (3, 4, 5):
        layer = network.get_layer(f"head{level}_conv")
        layer.set_weights([rng.normal(0, 1, w.shape) for w in layer.get_weights()])
    return network


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(1).integers(0, 256, (2, 32, 64, 3)).astype(np.float32)


def remade(donor, classes):
    return transferred(donor, OLD, classes, num_anchors=2, architecture=ARCHITECTURE)


@pytest.mark.parametrize("new", [("owl", "cat", "ant", "bee", "dog"), ("dog",)])
def test_boxes_and_objectness_are_the_donors_and_known_classes_too(donor, pixels, new):
    expected, found = donor(pixels).numpy(), remade(donor, new)(pixels).numpy()
    assert found.shape == (*expected.shape[:2], 5 + len(new))
    np.testing.assert_allclose(found[..., :5], expected[..., :5], atol=1e-4)
    for name in set(OLD) & set(new):
        np.testing.assert_allclose(
            found[..., 5 + new.index(name)], expected[..., 5 + OLD.index(name)], atol=1e-4
        )


def test_a_new_class_starts_from_the_same_everywhere(donor, pixels):
    found = remade(donor, ("ant", "cat", "bee"))(pixels).numpy()
    untrained = yolo(3, num_anchors=2, **ARCHITECTURE).get_layer("head3_conv").get_weights()[1]
    assert found[..., 5] == pytest.approx(untrained[5]) and np.ptp(found[..., [5, 7]]) < 1e-6
    assert np.ptp(found[..., 6]) > 0.1


def test_the_order_of_the_classes_changes_only_their_order(donor, pixels):
    one = remade(donor, ("cat", "ant", "owl"))(pixels).numpy()
    other = remade(donor, ("owl", "cat", "ant"))(pixels).numpy()
    np.testing.assert_array_equal(one[..., :5], other[..., :5])
    np.testing.assert_array_equal(one[..., 5:], other[..., [6, 7, 5]])


def trainable(network):
    """Which of the backbone's and which of the other weights are trained."""
    inside = {id(v) for v in network.get_layer("csp").weights}
    trained = {id(v) for v in network.trainable_variables}
    return inside & trained, trained - inside


def test_a_frozen_backbone_has_nothing_to_train_and_the_rest_has_all(donor):
    network = remade(donor, ("ant",))
    all_of_it, rest = trainable(network)
    freeze_backbone(network, True)
    assert trainable(network) == (set(), rest)
    freeze_backbone(network, False)
    backbone = network.get_layer("csp")
    norms = [x for x in backbone.layers if isinstance(x, keras.layers.BatchNormalization)]
    scales = {id(v) for layer in norms for v in (layer.gamma, layer.beta)}
    assert norms and scales < all_of_it
    assert trainable(network) == (all_of_it - scales, rest)


@pytest.mark.parametrize("frozen", [True, False])
def test_the_backbones_batch_norm_keeps_its_statistics(donor, pixels, frozen):
    """While those of the neck follow the new pictures."""
    network = remade(donor, ("ant",))
    freeze_backbone(network, frozen)
    backbone = network.get_layer("csp")
    neck = network.get_layer("lateral5_bn")
    before = [v.numpy() for v in backbone.non_trainable_variables if "moving" in v.path]
    mean = neck.moving_mean.numpy()
    network(pixels, training=True)
    after = [v.numpy() for v in backbone.non_trainable_variables if "moving" in v.path]
    assert len(before) > 10
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.abs(neck.moving_mean.numpy() - mean).max() > 1e-4


def test_what_the_shipped_detector_knows_makes_a_few_pictures_enough(tmp_path):
    """Head and neck alone, for some twenty steps: untrained, it finds none of them."""
    settings = Settings(
        size=96, batch=4, epochs=5, learning_rate=1e-2, augment="none", freeze="backbone"
    )
    shapes = write_yolo_set(tmp_path / "shapes", 30)
    folder = start_run(shapes, settings, out=tmp_path / "run", say=print)
    train(open_training(folder, read_run(folder)), say=print)
    assert float(read_history(folder / "history.csv")[-1]["dev_mAP50"]) >= 0.5
