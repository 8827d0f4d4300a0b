"""What the shipped models must see in photographs that anybody can check."""

import pytest
import skimage.data

from cvtool.classification.classifier import Classifier
from cvtool.detection.boxes import iou
from cvtool.detection.detector import Detector


@pytest.fixture(scope="module")
def detector():
    return Detector.load("everyday", device="cpu")


@pytest.mark.parametrize(
    ("name", "label", "box"),
    [("astronaut", "person", (20, 10, 420, 512)), ("chelsea", "cat", (20, 10, 440, 290))],
)
def test_the_main_subject_is_found_where_it_is(detector, name, label, box):
    found = detector(getattr(skimage.data, name)())
    assert found and found[0].label == label
    assert iou([found[0].box], [box])[0, 0] > 0.5


@pytest.mark.parametrize("name", ["brick", "grass", "gravel"])
def test_textures_hold_no_objects(detector, name):
    import numpy as np

    pixels = np.stack([getattr(skimage.data, name)()] * 3, axis=-1)
    assert [d for d in detector(pixels) if d.score > 0.5] == []


@pytest.mark.parametrize("tta", [False, True])
def test_the_cup_is_a_cup_of_coffee(tta):
    best = Classifier.load("tiny200", device="cpu")(skimage.data.coffee(), top=1, tta=tta)[0]
    assert best.label == "espresso" and best.score > 0.2
