import numpy as np
import pytest

from cvtool.detection.batches import Augmentation, DetectionBatches
from cvtool.detection.sheet import training_sheet
from cvtool.pictures.drawing import class_colour
from tiny_yolo import ANCHORS, SIDE, draw_shapes


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    shapes = draw_shapes(tmp_path_factory.mktemp("shapes"), 5)
    return DetectionBatches(shapes, ANCHORS, SIDE, 4, augmentation=Augmentation(mosaic=1.0))


def test_nine_mosaics_with_their_boxes(batches):
    order = batches.order.copy()
    sheet = training_sheet(batches, ("disc", "square"), side=200)
    assert sheet.shape == (3 * 206 + 6, 3 * 206 + 6, 3) and sheet.dtype == np.uint8
    for top in (6, 212, 418):
        for left in (6, 212, 418):
            cell = sheet[top : top + 200, left : left + 200]
            drawn = [(cell == class_colour(name)).all(axis=-1) for name in ("disc", "square")]
            assert np.logical_or(*drawn).sum() > 100
            assert (cell[:, 0] != 255).any()
    assert (sheet[:6] == 255).all() and (sheet[:, 206:212] == 255).all()
    assert (batches.order == order).all()
    assert (training_sheet(batches, ("disc", "square"), side=200) == sheet).all()


@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 1, 1), (2, 1, 2), (12, 3, 4)])
def test_any_number(batches, count, rows, columns):
    sheet = training_sheet(batches, ("disc", "square"), count, side=64)
    assert sheet.shape == (rows * 70 + 6, columns * 70 + 6, 3)
