"""Scoring a detector on a data set that labels only some of its classes."""

import numpy as np

from cvtool.datasets.boxed import DetectionDataset, Example
from cvtool.detection.detector import Detector
from cvtool.detection.evaluation import MAX_BOXES, evaluate_detector
from cvtool.models.presets import Preset
from cvtool.pictures.writing import write_picture

SIDE, STRIDE = 128, 8
PRESET = Preset(
    name="busy",
    task="detect",
    description="",
    files={},
    size=SIDE,
    classes=("cat", "dog"),
    anchors=(((STRIDE, STRIDE),),),
    strides=(STRIDE,),
)


class Busy:
    """An engine that sees a cat in every cell, surely, and a dog in one, hardly."""

    name = "busy"

    def __call__(self, batch):
        cells = (SIDE // STRIDE) ** 2
        raw = np.zeros((1, cells, 7), np.float32)
        raw[..., 4:] = [5, 5, -20]
        raw[0, 0, 4:] = [5, -20, -2]
        return raw


def test_boxes_of_classes_without_labels_do_not_take_the_place_of_others(tmp_path):
    path = tmp_path / "dog.png"
    write_picture(path, np.zeros((SIDE, SIDE, 3), np.uint8))
    box = np.array([[0, 0, STRIDE, STRIDE]], np.float32)
    example = Example(path, box, np.array([0]), SIDE, SIDE, 1)
    detector = Detector(PRESET, Busy())
    assert len(detector(np.zeros((SIDE, SIDE, 3), np.uint8), max_boxes=999)) > MAX_BOXES
    result = evaluate_detector(detector, DetectionDataset(("dog",), (example,), (1,)))
    assert result.summary["mAP50"] > 0.99
    strict = evaluate_detector(
        detector, DetectionDataset(("dog",), (example,), (1,)), min_score=0.5
    )
    assert strict.summary["mAP50"] == 0
