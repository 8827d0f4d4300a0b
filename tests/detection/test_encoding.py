"""Each box finds the cell of its midpoint and the anchor that fits it best."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvtool.detection.anchors import shape_iou
from cvtool.detection.encoding import CENTRE, CLASS, POSITIVE, SIZE, encode
from tiny_yolo import ANCHORS, GRID, SIDE, STRIDES


def boxes_strategy(most=12):
    edge = st.floats(0, SIDE - 4, width=32)
    length = st.floats(3, SIDE, width=32)
    box = st.tuples(edge, edge, length, length).map(
        lambda b: (b[0], b[1], min(SIDE, b[0] + b[2]), min(SIDE, b[1] + b[3]))
    )
    return st.lists(box, min_size=1, max_size=most)


def test_one_box_lies_in_the_cell_of_its_midpoint_with_the_anchor_of_its_shape():
    # Centre (70, 38), 22 x 46: anchor 24 x 44 of stride 16, cell column 4, row 2.
    targets = encode([[59, 15, 81, 61]], [7], SIDE, ANCHORS, STRIDES, neighbours=False)
    (row,) = np.flatnonzero(targets[:, POSITIVE])
    assert GRID[row].tolist() == [4, 2, 16, 24, 44]
    assert targets[row].tolist() == [70, 38, 22, 46, 1, 7]


@given(boxes_strategy())
@settings(max_examples=60, deadline=None)
def test_every_box_has_a_place_in_its_own_cell_when_anchors_suffice(boxes):
    boxes = np.array(boxes, np.float32)[:9]  # nine anchors see each point
    ids = np.arange(len(boxes))
    targets = encode(boxes, ids, SIDE, ANCHORS, STRIDES, neighbours=False)
    rows = np.flatnonzero(targets[:, POSITIVE])
    assert sorted(targets[rows, CLASS]) == ids.tolist()
    cells = np.floor(targets[rows, CENTRE] / GRID[rows, 2:3])
    np.testing.assert_array_equal(cells, GRID[rows, 0:2])
    order = targets[rows, CLASS].astype(int)
    np.testing.assert_allclose(targets[rows, SIZE], (boxes[:, 2:] - boxes[:, :2])[order])


def test_the_better_fitting_of_two_rivals_keeps_the_anchor_and_the_other_takes_its_next():
    exact, similar = [52, 38, 76, 82], [53, 40, 75, 80]  # 24 x 44 and 22 x 40, one midpoint
    targets = encode([similar, exact], [0, 1], SIDE, ANCHORS, STRIDES, neighbours=False)
    rows = np.flatnonzero(targets[:, POSITIVE])
    anchors = {int(targets[r, CLASS]): GRID[r, 3:5].tolist() for r in rows}
    assert anchors[1] == [24, 44]
    fit = shape_iou([[22, 40]], ANCHORS.reshape(-1, 2))[0]
    assert anchors[0] == ANCHORS.reshape(-1, 2)[np.argsort(-fit)[1]].tolist()


@given(boxes_strategy())
@settings(max_examples=60, deadline=None)
def test_neighbours_add_answers_and_never_displace_a_box_from_its_place(boxes):
    ids = np.arange(len(boxes))
    own = encode(boxes, ids, SIDE, ANCHORS, STRIDES, neighbours=False)
    more = encode(boxes, ids, SIDE, ANCHORS, STRIDES, neighbours=True)
    rows = np.flatnonzero(own[:, POSITIVE])
    np.testing.assert_array_equal(more[rows], own[rows])
    rows = np.flatnonzero(more[:, POSITIVE])
    # No answer is further from its box than the network can reach.
    offset = more[rows, CENTRE] / GRID[rows, 2:3] - GRID[rows, 0:2]
    assert offset.min() >= -0.5 and offset.max() <= 1.5


def test_a_lone_box_gets_two_neighbouring_cells_as_well():
    targets = encode([[59, 15, 81, 61]], [0], SIDE, ANCHORS, STRIDES)
    rows = np.flatnonzero(targets[:, POSITIVE] * (GRID[:, 3] == 24))
    # Midpoint (4.375, 2.375) cells: left and upper neighbours are the nearest.
    assert {tuple(GRID[r, :2].astype(int)) for r in rows} == {(4, 2), (3, 2), (4, 1)}


@pytest.mark.parametrize("boxes", [np.zeros((0, 4)), [[5, 5, 5, 9]], [[-30, 2, -10, 9]]])
def test_boxes_without_area_or_outside_give_no_target(boxes):
    assert not encode(boxes, [0] * len(boxes), SIDE, ANCHORS, STRIDES).any()


def test_the_grid_covers_the_picture_at_every_scale():
    for stride in STRIDES:
        part = GRID[GRID[:, 2] == stride]
        assert len(part) == 3 * (SIDE // stride) ** 2
        assert len(np.unique(part, axis=0)) == len(part)
        assert part[:, :2].max() == SIDE // stride - 1
