"""Training batches: balanced, repeatable, and with targets that fit the pictures."""

import numpy as np
import pytest

from cvtool.datasets.boxed import DetectionDataset, Example
from cvtool.detection.batches import Augmentation, DetectionBatches, classes_present, shrunk
from cvtool.detection.encoding import CLASS, POSITIVE
from tiny_yolo import ANCHORS, draw_shapes


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return draw_shapes(tmp_path_factory.mktemp("shapes"), 12)


def test_which_classes_the_pictures_show():
    examples = tuple(
        Example(None, np.zeros((len(ids), 4), np.float32), np.array(ids, int), 9, 9, i)
        for i, ids in enumerate([[0, 0], [], [1, 0]])
    )
    present = classes_present(DetectionDataset(("often", "rare"), examples, (1, 2)))
    assert present.tolist() == [[True, False], [False, False], [True, True]]


def test_batches_depend_on_seed_epoch_and_index_alone(shapes):
    def batches(epoch):
        return DetectionBatches(shapes, ANCHORS, 64, 4, seed=5, epoch=epoch)

    first = batches(0)
    first.on_epoch_end()
    pixels, targets = first[1]
    pixels_again, targets_again = batches(1)[1]
    np.testing.assert_array_equal(pixels, pixels_again)
    np.testing.assert_array_equal(targets, targets_again)
    assert (batches(0)[1][0] != pixels).any()


@pytest.mark.parametrize(("mosaic", "mixup"), [(0, 0), (1, 0), (0.5, 1)])
def test_a_batch_has_the_documented_form_and_only_true_classes(shapes, mosaic, mixup):
    batches = DetectionBatches(
        shapes, ANCHORS, 96, 4, augmentation=Augmentation(mosaic, mixup), cache={}
    )
    assert len(batches) == 3
    pixels, targets = batches[0]
    assert pixels.shape == (4, 96, 96, 3) and pixels.dtype == np.uint8
    assert targets.shape == (4, 3 * (144 + 36 + 9), 6) and targets.dtype == np.float32
    positive = targets[..., POSITIVE] == 1
    assert positive.any()
    assert set(targets[positive][:, CLASS]) <= {0, 1}


def test_the_class_of_a_target_is_the_colour_under_its_midpoint(shapes):
    """Discs are red and squares blue, so pictures and boxes cannot drift apart unseen."""
    batches = DetectionBatches(
        shapes, ANCHORS, 96, 12, augmentation=Augmentation(mosaic=0.5), cache={}
    )
    pixels, targets = batches[0]
    judged = 0
    for picture, rows in zip(pixels, targets, strict=True):
        for x, y, width, height, _, class_id in rows[rows[:, POSITIVE] == 1]:
            if min(width, height) < 10 or max(width, height) > 1.3 * min(width, height):
                continue  # cut off: its midpoint may lie beside the shape
            red, _, blue = picture[int(y), int(x)].astype(int)
            assert (red > blue) == (class_id == 0)
            judged += 1
    assert judged > 20


def test_large_pictures_are_kept_small():
    pixels, scale = shrunk(np.zeros((300, 900, 3), np.uint8), 450)
    assert pixels.shape == (150, 450, 3) and scale == 0.5
    assert shrunk(pixels, 450)[0] is pixels
