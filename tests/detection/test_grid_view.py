"""The picture of grid cells and boxes: every colour where the network's answer says."""

from types import SimpleNamespace

import numpy as np
import pytest

from cvtool.detection import grid_view
from cvtool.detection.detector import Detector
from cvtool.detection.grid_view import LINE, MARGIN, PANEL, draw_grid, read_scales
from cvtool.pictures.drawing import class_colour
from red_finder import PRESET, RedFinder, picture
from tiny_yolo import ANCHORS, GRID, SIDE, STRIDES


def panels(drawn, height, width):
    """The four panels, cut out of a drawn grid of a picture of this size."""
    tall, wide = (max(1, round(side * PANEL / max(height, width))) for side in (height, width))
    column = max(wide, PANEL // 2)
    lefts = (MARGIN, 2 * MARGIN + column)
    tops = (MARGIN + LINE, 2 * MARGIN + 2 * LINE + tall)
    return [drawn[top : top + tall, left : left + wide] for top in tops for left in lefts]


def coloured(panel):
    """Where a panel is not grey."""
    return np.ptp(panel.astype(int), axis=2) > 3


def test_each_cell_has_its_best_class_over_all_anchors():
    raw = np.random.default_rng(0).normal(size=(len(GRID), 9))
    scores = 1 / (1 + np.exp(-raw[:, 4:5])) / (1 + np.exp(-raw[:, 5:]))
    scales = read_scales(raw, SIDE, ANCHORS, STRIDES)
    assert [s.stride for s in scales] == list(STRIDES)
    for scale in scales:
        assert scale.scores.shape == (SIDE // scale.stride,) * 2
        for row, column in np.ndindex(scale.scores.shape):
            here = (GRID[:, 0] == column) & (GRID[:, 1] == row) & (GRID[:, 2] == scale.stride)
            assert here.sum() == 3
            assert scale.scores[row, column] == pytest.approx(scores[here].max())
            assert scale.class_ids[row, column] == scores[here].max(axis=0).argmax()


@pytest.mark.parametrize("size", [(128, 128), (300, 500), (700, 260), (60, 90)])
def test_colour_is_where_the_object_is(size):
    height, width = size
    box = np.array([width * 0.5, height * 0.3, width * 0.8, height * 0.7]).astype(int)
    drawn = draw_grid(Detector(PRESET, RedFinder()), picture(height, width, box))
    enlarged = PANEL / max(size)
    *scales, boxes = panels(drawn, *size)
    assert any(coloured(panel).any() for panel in scales)
    centre = (box[:2] + box[2:]) / 2 * enlarged
    for panel, stride in zip(scales, STRIDES, strict=True):
        ys, xs = np.nonzero(coloured(panel))
        if len(xs):
            # The cell of the midpoint, and those beside it that are trained to answer as well.
            side = stride * PANEL / SIDE
            assert np.abs([xs.mean(), ys.mean()] - centre).max() <= side
            assert max(np.ptp(xs), np.ptp(ys)) <= 3 * side
            colour = panel[coloured(panel)].mean(0)
            assert np.corrcoef(colour, class_colour("dog"))[0, 1] > 0.99
    ys, xs = np.nonzero(coloured(boxes))
    found = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
    assert np.abs(found - box * enlarged).max() < 0.05 * PANEL


class Fixed:
    """An engine that always answers the same."""

    name = "fixed"

    def __init__(self, raw):
        self.raw = raw.astype(np.float32)

    def __call__(self, batch):
        return self.raw[None]


def answer(score, class_id=0):
    """A detector that scores a single box, in a middle cell of stride 16."""
    raw = np.full((len(GRID), 8), -20.0)
    row = 3 * (16 * 16 + 8 * 4 + 4)
    raw[row, :4], raw[row, 4], raw[row, 5 + class_id] = 0, np.log(score / (1 - score)), 20
    return Detector(PRESET, Fixed(raw))


def test_a_higher_score_is_more_opaque_and_its_box_wider():
    grey = np.full((128, 128, 3), 128, np.uint8)
    cells, lines = [], []
    for score in (0.1, 0.4, 0.95):
        _, middle, _, boxes = panels(draw_grid(answer(score), grey), 128, 128)
        assert coloured(middle).sum() == pytest.approx((16 * PANEL / SIDE) ** 2, rel=0.1)
        cells.append(np.ptp(middle.astype(int), axis=2).max())
        lines.append(coloured(boxes).sum())
    assert cells[0] < cells[1] < cells[2] and lines[0] < lines[1] < lines[2]


def test_below_the_floor_nothing_is_coloured():
    grey = np.full((128, 128, 3), 128, np.uint8)
    detector = answer(0.3)
    assert coloured(draw_grid(detector, grey, floor=0.25)).any()
    assert not coloured(draw_grid(detector, grey, floor=0.35)).any()


def test_the_legend_shows_the_colours_of_the_classes_that_are_there():
    grey = np.full((128, 128, 3), 128, np.uint8)
    drawn = draw_grid(answer(0.5, class_id=2), grey)
    below = drawn[-MARGIN - 2 * LINE :].reshape(-1, 3)
    assert (below == class_colour("cow")).all(1).sum() > 100
    for absent in ("cat", "dog"):
        assert not (below == class_colour(absent)).all(1).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (2000, 3), (33, 7)])
def test_odd_pictures_are_drawn(shape):
    drawn = draw_grid(answer(0.5), np.zeros((*shape, 3), np.uint8))
    assert drawn.dtype == np.uint8 and drawn.ndim == 3 and max(drawn.shape) < 3 * PANEL


def test_hundreds_of_classes_and_long_names_stay_in_the_picture():
    labels = tuple(f"a class with quite a long name, number {n}" for n in range(200))
    preset = SimpleNamespace(**vars(PRESET) | {"classes": labels})
    raw = np.random.default_rng(0).normal(0, 2, (len(GRID), 205))
    drawn = draw_grid(Detector(preset, Fixed(raw)), np.zeros((128, 128, 3), np.uint8))
    assert drawn.shape[1] == 2 * PANEL + 3 * MARGIN
    legend_lines = (drawn.shape[0] - 2 * (PANEL + LINE + MARGIN) - 2 * MARGIN) / LINE
    assert 2 <= legend_lines <= 1 + grid_view.MOST_CLASSES + 1
    assert (drawn[:, -MARGIN:] == 255).all()
