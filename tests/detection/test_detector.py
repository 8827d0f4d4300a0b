"""The detector around its engine: letterbox undone, tiles merged, arguments checked."""

import numpy as np
import pytest

from cvtool.detection.boxes import iou
from cvtool.detection.detector import Detection, Detector, cut_by_view
from cvtool.errors import CvtoolError
from red_finder import PRESET, RedFinder, picture


@pytest.fixture
def detector():
    return Detector(PRESET, RedFinder())


@pytest.mark.parametrize(("height", "width"), [(128, 128), (300, 500), (700, 260), (60, 90)])
def test_boxes_come_back_in_pixels_of_the_original_picture(detector, height, width):
    box = (width // 4, height // 4, width * 3 // 4, height * 3 // 4)
    (found,) = detector(picture(height, width, box))
    assert found.label == "dog" and found.score > 0.99
    assert iou([found.box], [box])[0, 0] > 0.93


@pytest.mark.parametrize("size", [64, 256])
def test_another_input_size_gives_the_same_boxes(size):
    """The ideal network answers in input pixels, with the anchors it was trained with."""
    box = (50, 60, 200, 150)
    (found,) = Detector(PRESET, RedFinder(), size)(picture(250, 250, box))
    assert iou([found.box], [box])[0, 0] > 0.9


def test_tiles_find_what_is_too_small_for_the_whole_picture(detector):
    small = [(30, 40, 44, 54), (900, 700, 916, 714), (500, 390, 514, 404)]
    pixels = picture(800, 1000, *small)
    assert len(detector(pixels)) < 3
    found = detector(pixels, tile=128)
    assert len(found) == 3
    assert (iou([d.box for d in found], small).max(1) > 0.8).all()


def test_an_object_larger_than_a_tile_is_found_once(detector):
    box = (100, 120, 700, 640)
    (found,) = detector(picture(800, 1000, box), tile=256)
    assert iou([found.box], [box])[0, 0] > 0.9


def test_boxes_that_end_at_a_tile_are_cut_but_not_those_at_the_picture():
    boxes = np.array([[10, 10, 50, 50], [0, 5, 20, 20], [60, 60, 100, 90], [20, 30, 40, 100]])
    inner = cut_by_view(boxes, (0, 0, 100, 100), (300, 300))
    assert inner.tolist() == [False, False, True, True]
    assert not cut_by_view(boxes, (0, 0, 100, 100), (100, 100)).any()


def test_only_wanted_classes_are_kept_and_unknown_ones_refused(detector):
    pixels = picture(200, 200, (40, 40, 120, 120))
    assert detector(pixels, classes=["cat", "cow"]) == []
    assert [d.label for d in detector(pixels, classes=["dog"])] == ["dog"]
    with pytest.raises(CvtoolError, match="did you mean dog"):
        detector(pixels, classes=["dgo"])


def test_max_boxes_keeps_the_best(detector):
    pixels = picture(128, 128, (10, 10, 30, 30), (60, 60, 90, 90), (100, 10, 120, 30))
    assert len(detector(pixels)) == 3
    assert len(detector(pixels, max_boxes=2)) == 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (2000, 3)])
def test_odd_pictures_give_an_empty_list(detector, shape):
    assert detector(np.zeros((*shape, 3), np.uint8)) == []


def test_a_detection_as_json_is_rounded_for_reading():
    found = Detection("dog", 0.123456, (1.23456, 2.0, 3.0, 4.987))
    assert found.to_dict() == {"label": "dog", "score": 0.1235, "box": [1.2, 2.0, 3.0, 5.0]}


@pytest.mark.parametrize("size", [0, 31, 100, -32])
def test_a_size_the_network_cannot_take_is_refused(size):
    with pytest.raises(CvtoolError, match="multiple of 32"):
        Detector.load(size=size)
