import numpy as np
import pytest

from cvtool.pictures.drawing import class_colour
from cvtool.segmentation.augmentation import AUGMENTATIONS
from cvtool.segmentation.batches import SegmentationBatches
from cvtool.segmentation.sheet import side_by_side, training_sheet
from tiny_masks import CLASSES, write_mask_set


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    data = write_mask_set(tmp_path_factory.mktemp("sets") / "shapes", 5)
    return SegmentationBatches(data, 64, 4, augmentation=AUGMENTATIONS["light"], steps=9)


def shown(pixels, name):
    """How many pixels are of the colour of a class, which its edge is wholly."""
    return (pixels == class_colour(name)).all(axis=-1).sum()


def test_nine_pictures_with_their_masks(batches):
    order = batches.order.copy()
    sheet = training_sheet(batches, CLASSES, side=200)
    assert sheet.shape == (3 * 206 + 6, 3 * 206 + 6, 3) and sheet.dtype == np.uint8
    cells = [sheet[y : y + 200, x : x + 200] for y in (6, 212, 418) for x in (6, 212, 418)]
    assert sum(shown(c, "disc") + shown(c, "square") > 50 for c in cells) >= 7
    assert all((cell[:, 0] != 255).any() for cell in cells)
    assert (sheet[:6] == 255).all() and (sheet[:, 206:212] == 255).all()
    assert (batches.order == order).all()
    assert (training_sheet(batches, CLASSES, side=200) == sheet).all()


@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 1, 1), (2, 1, 2), (12, 3, 4)])
def test_any_number(batches, count, rows, columns):
    sheet = training_sheet(batches, CLASSES, count, side=64)
    assert sheet.shape == (rows * 70 + 6, columns * 70 + 6, 3)


@pytest.mark.parametrize(("shape", "size"), [((100, 400), (60, 240)), ((30, 20), (240, 160))])
def test_the_same_picture_under_two_masks(shape, size):
    pixels = np.full((*shape, 3), 90, np.uint8)
    disc, square = np.zeros((2, *shape), np.uint8)
    disc[5:15, 5:15], square[5:15, 5:15] = 1, 2
    found = side_by_side(pixels, [disc, square], CLASSES, 240)
    assert found.shape == (size[0], 2 * size[1] + 6, 3)
    left, right = found[:, : size[1]], found[:, size[1] + 6 :]
    assert shown(left, "disc") > 10 and shown(right, "square") > 10
    assert shown(left, "square") == shown(right, "disc") == 0
    assert (found[:, size[1] : size[1] + 6] == 255).all()
