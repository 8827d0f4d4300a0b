"""The network: shapes, size limits, and a small training that has to reach a bar."""

import numpy as np
import pytest

from cvtool.detection.anchors import kmeans_anchors
from cvtool.detection.grid import prediction_grid
from tiny_yolo import ANCHORS, DEPTHS, NECK, STRIDES, WIDTHS, draw_shapes


@pytest.fixture(scope="module")
def network():
    from cvtool.detection.yolo import yolo

    return yolo(4, widths=WIDTHS, depths=DEPTHS, neck=NECK)


@pytest.mark.parametrize("size", [32, 96, 128])
def test_output_has_a_row_for_each_prediction_at_any_multiple_of_32(network, size):
    raw = np.asarray(network(np.zeros((2, size, size, 3), np.float32)))
    assert raw.shape == (2, len(prediction_grid(size, ANCHORS, STRIDES)), 9)
    assert raw.dtype == np.float32


def test_an_untrained_network_says_no_object_nearly_everywhere(network):
    pixels = np.random.default_rng(0).integers(0, 256, (1, 96, 96, 3)).astype(np.float32)
    objectness = 1 / (1 + np.exp(-np.asarray(network(pixels))[0, :, 4]))
    assert objectness.mean() == pytest.approx(0.01, abs=0.005)


def test_rows_follow_the_order_of_the_grid(network):
    """A change in one corner moves the outputs of the cells there most."""
    grid = prediction_grid(128, ANCHORS, STRIDES)
    pixels = np.full((1, 128, 128, 3), 114, np.float32)
    before = np.asarray(network(pixels))[0]
    pixels[0, :16, 96:112] = np.random.default_rng(1).integers(0, 256, (16, 16, 3))
    change = np.abs(np.asarray(network(pixels))[0] - before).sum(1)
    for stride in (8, 16):
        rows = np.flatnonzero(grid[:, 2] == stride)
        column, row = grid[rows[change[rows].argmax()], :2]
        assert abs((column + 0.5) * stride - 104) <= 1.5 * stride
        assert (row + 0.5) * stride <= 8 + 1.5 * stride


def test_the_default_network_is_within_its_parameter_budget():
    from cvtool.detection.yolo import yolo

    assert yolo(20).count_params() < 6_000_000


def test_the_network_can_be_saved_whole_and_read_again(network, tmp_path):
    import keras

    network.save(tmp_path / "yolo.keras")
    again = keras.saving.load_model(tmp_path / "yolo.keras")
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    np.testing.assert_allclose(again(pixels), network(pixels), atol=1e-5)


def test_a_small_training_learns_to_find_and_tell_apart_discs_and_squares(tmp_path):
    """Real training through the real parts; scored on pictures it has not seen."""
    import keras

    from cvtool.detection.batches import Augmentation, DetectionBatches
    from cvtool.detection.detector import Detector
    from cvtool.detection.evaluation import evaluate_detector
    from cvtool.detection.loss import YoloLoss
    from cvtool.detection.yolo import yolo
    from cvtool.models.saving import save_model
    from cvtool.training.checkpoints import averaged_weights
    from cvtool.training.optimizers import adamw
    from cvtool.training.schedules import WarmupCosine

    keras.utils.set_random_seed(0)
    for name in ("train", "val"):
        (tmp_path / name).mkdir()
    train = draw_shapes(tmp_path / "train", 128, seed=1)
    val = draw_shapes(tmp_path / "val", 40, seed=2)
    sizes = np.concatenate([e.boxes[:, 2:] - e.boxes[:, :2] for e in train.examples])
    # Squares only, so nine different shapes need a little noise.
    sizes = sizes * np.random.default_rng(0).uniform(0.8, 1.2, sizes.shape)
    anchors = kmeans_anchors(sizes, 9).reshape(3, 3, 2)

    model = yolo(2, widths=WIDTHS, depths=DEPTHS, neck=NECK)
    epochs, batch = 10, 8
    schedule = WarmupCosine(4e-3, epochs * len(train.examples) // batch, 30)
    model.compile(adamw(model, schedule, ema_momentum=0.95), YoloLoss(anchors, 96, 2))
    plain = Augmentation(mosaic=0.2, scale=(0.9, 1.1))
    batches = DetectionBatches(train, anchors, 96, batch, augmentation=plain, cache={})
    model.fit(batches, epochs=epochs, verbose=0)

    description = {
        "name": "shapes",
        "task": "detect",
        "description": "discs and squares",
        "architecture": {"widths": WIDTHS, "depths": DEPTHS, "neck": NECK},
        "size": 96,
        "classes": val.classes,
        "anchors": anchors.tolist(),
        "strides": STRIDES,
    }
    with averaged_weights(model):
        save_model(model, tmp_path / "model", description)
    summary = evaluate_detector(Detector.load(tmp_path / "model", device="cpu"), val).summary
    assert summary["mAP50"] > 0.85
    assert summary["precision"] > 0.8 and summary["recall"] > 0.7
