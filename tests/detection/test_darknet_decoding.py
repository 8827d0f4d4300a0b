"""Heads of Darknet decode to the boxes that OpenCV gives."""

import numpy as np
import pytest

from cvtool.detection.decoding import decode, probabilities, sigmoid
from cvtool.detection.detector import Detector
from cvtool.detection.grid import OWN_DECODING, Decoding, boxes_from_raw, prediction_grid
from cvtool.detection.grid_view import draw_grid, read_scales
from cvtool.models.presets import Preset
from tiny_darknet import (
    CLASSES,
    SIDE,
    THRESH,
    OpenCV,
    conv,
    net,
    noise,
    region,
    section,
    write_darknet,
)
from tiny_darknet import yolo as yolo_head

STEM = conv(8, stride=8)
HEADS = {
    "YOLOv3": STEM + yolo_head(),
    "YOLOv4": STEM + yolo_head(more="scale_x_y=1.2"),
    "Scaled-YOLOv4": STEM + yolo_head(activation="logistic", more="new_coords=1\nscale_x_y=2.0"),
    "YOLOv2": STEM + region(),
    "several": STEM
    + yolo_head("10,12, 20,16, 30,40", "0,1", more="scale_x_y=1.2")
    + section("route", layers=0)
    + conv(8, stride=2)
    + yolo_head("10,12, 20,16, 30,40", "2", more="scale_x_y=1.05"),
}


@pytest.mark.parametrize("name", HEADS)
def test_boxes_and_scores_are_those_of_opencv(name, tmp_path):
    darknet = write_darknet(tmp_path, net() + HEADS[name])
    opencv, heads = OpenCV(darknet), darknet.plan.heads
    rows = np.concatenate(opencv.boxes(noise()))
    # Every class of every row, for no score is below 0.
    boxes, scores, class_ids = decode(
        opencv.raw(noise()),
        SIDE,
        [head.anchors for head in heads],
        [head.stride for head in heads],
        decodings=[Decoding(**head.decoding) for head in heads],
    )
    assert class_ids.tolist() == list(range(len(CLASSES))) * len(rows)
    scores = scores.reshape(len(rows), -1)
    given = rows[:, 5:] > 0
    # OpenCV suppresses boxes of a region by itself; of others it drops scores below its thresh.
    assert given.sum() > 50
    assert name == "YOLOv2" or (given == (scores >= THRESH)).all()
    assert np.abs(scores - rows[:, 5:])[given].max() < 1e-5
    centres, sizes = rows[:, :2], rows[:, 2:4]
    expected = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1) * SIDE
    assert np.abs(boxes[:: len(CLASSES)] - expected).max() < 1e-3


def test_our_own_decoding_is_that_of_scaled_yolov4():
    """One form of the maths: what new_coords=1 with scale_x_y=2 means."""
    assert Decoding(2.0, "square", "sigmoid") == OWN_DECODING


def test_probabilities_are_those_asked_for_and_do_not_overflow():
    logits = np.array([[1.0, 2.0, 3.0], [-1e4, 0.0, 1e4]])
    assert probabilities(logits) == pytest.approx(sigmoid(logits))
    shares = probabilities(logits, Decoding(1.0, "exp", "softmax"))
    powers = np.exp([1.0, 2.0, 3.0])
    assert shares == pytest.approx(np.array([powers / powers.sum(), [0, 0, 1]]))


def test_sizes_do_not_overflow():
    grid = prediction_grid(32, [[(10, 20)]], [32])
    with np.errstate(all="raise"):
        raw = np.full((1, 2), 1e4, np.float32)
        _, sizes = boxes_from_raw(raw, raw, grid, sigmoid, Decoding(1.0, "exp", "sigmoid"))
    assert np.isfinite(sizes).all() and (sizes > 1e9).all()


def preset(**changes):
    """A Darknet-like detector of one scale with two anchors."""
    return Preset(
        **{
            "name": "tiny",
            "task": "detect",
            "description": "",
            "files": {},
            "size": SIDE,
            "classes": CLASSES,
            "architecture": {"darknet": ""},
            "anchors": (((16.0, 8.0), (32.0, 32.0)),),
            "strides": (16,),
            "decoding": ({"centre_scale": 1.0, "size": "exp", "classes": "softmax"},),
            "fit": "stretch",
        }
        | changes
    )


class Fixed:
    """An engine that finds one "dog" of the first anchor in the cell of column 1, row 2."""

    name = "fixed"

    def __init__(self):
        self.raw = np.full((1, 4 * 4 * 2, 8), -20.0, np.float32)
        self.raw[0, (2 * 4 + 1) * 2] = [0, 0, 0, 0, 20, 0, 20, 0]

    def __call__(self, pixels):
        self.seen = pixels
        return self.raw


def test_a_stretched_picture_gets_its_boxes_back_in_its_own_pixels():
    engine = Fixed()
    pixels = np.zeros((32, 128, 3), np.uint8)
    pixels[:, 64:] = 200
    (found,) = Detector(preset(), engine)(pixels)
    # The centre is at 24, 40 of 64 x 64; a picture of 128 x 32 is twice as wide, half as tall.
    assert found.label == "dog" and found.score == pytest.approx(1, abs=1e-4)
    assert found.box == pytest.approx([2 * 16, 36 / 2, 2 * 32, 44 / 2])
    # No padding: all that the network sees is the picture.
    (seen,) = engine.seen
    assert (seen[:, 40:] == 200).all() and (seen[:, :24] == 0).all()


def test_a_letterboxed_one_keeps_its_shape():
    pixels = np.zeros((32, 128, 3), np.uint8)
    (found,) = Detector(preset(fit="letterbox"), Fixed())(pixels)
    # The picture is 64 x 16 of the square, 24 rows below its top.
    assert found.box == pytest.approx([32, 24, 64, 32])


def test_the_grid_of_a_stretched_picture_lies_on_it():
    (cells,) = read_scales(
        Fixed().raw[0], SIDE, preset().anchors, (16,), [Decoding(**preset().decoding[0])]
    )
    assert cells.scores[2, 1] == pytest.approx(1, abs=1e-4) and cells.class_ids[2, 1] == 1
    drawn = draw_grid(Detector(preset(), Fixed()), np.zeros((160, 640, 3), np.uint8))
    coloured = np.ptp(drawn[: 160 + 42, : 640 + 16].astype(int), axis=2) > 30
    rows, columns = np.nonzero(coloured[42:, 16:])
    # Column 1 and row 2 of 4 x 4 cells over a panel of 640 x 160.
    assert (columns.min(), columns.max()) == pytest.approx((160, 319), abs=3)
    assert (rows.min(), rows.max()) == pytest.approx((80, 119), abs=3)
