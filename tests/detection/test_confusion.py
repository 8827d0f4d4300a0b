import numpy as np
import pytest

from cvtool.detection.confusion import confusion_matrix
from tiny_predictions import NOTHING, dataset, example, prediction, random_task

CAT, DOG = [0, 0, 10, 10], [60, 60, 80, 80]


def test_each_kind_of_cell():
    data = dataset(example([CAT, DOG], [0, 1]), example([CAT], [2]))
    found = [
        prediction((0.9, 0, CAT), (0.8, 0, DOG), (0.7, 1, DOG), (0.6, 2, [30, 30, 40, 40])),
        NOTHING,
    ]
    #            cat dog owl background
    expected = [[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 0]]
    assert confusion_matrix(data, found, 0.5).tolist() == expected


def test_only_boxes_that_reach_the_score():
    data = dataset(example([CAT], [0]))
    found = [prediction((0.9, 1, CAT), (0.5, 0, CAT))]
    assert confusion_matrix(data, found, 0.5)[0].tolist() == [0, 1, 0, 0]
    assert confusion_matrix(data, found, 0.5)[3].tolist() == [1, 0, 0, 0]
    assert confusion_matrix(data, found, 0.95)[0].tolist() == [0, 0, 0, 1]


def test_a_box_takes_the_object_that_it_covers_best():
    data = dataset(example([[0, 0, 10, 10], [0, 0, 10, 8]], [0, 1]))
    found = [prediction((0.9, 2, [0, 0, 10, 8]), (0.8, 2, [0, 0, 10, 8]))]
    assert confusion_matrix(data, found, 0)[:, 2].tolist() == [1, 1, 0, 0]


def test_badly_placed_is_missed_and_background():
    data = dataset(example([CAT], [0]))
    matrix = confusion_matrix(data, [prediction((0.9, 0, [0, 0, 10, 4]))], 0)
    assert matrix[0, 3] == matrix[3, 0] == matrix.sum() - 1 == 1


def test_crowds_do_not_count():
    data = dataset(example([[0, 0, 50, 50], DOG], [0, 1], [True, False]))
    found = [prediction((0.9, 0, [10, 10, 20, 20]), (0.8, 2, [30, 30, 40, 40]))]
    matrix = confusion_matrix(data, found, 0)
    assert matrix[1, 3] == matrix.sum() == 1


@pytest.mark.parametrize("seed", range(3))
def test_rows_are_truths_and_columns_boxes(seed):
    data, found = random_task(seed, crowds=0)
    matrix = confusion_matrix(data, found, 0.3)
    truths = np.bincount(np.concatenate([e.class_ids for e in data.examples]), minlength=3)
    boxes = np.bincount(np.concatenate([c[s >= 0.3] for _, s, c in found]), minlength=3)
    assert matrix[:-1].sum(axis=1).tolist() == truths.tolist()
    assert matrix[:, :-1].sum(axis=0).tolist() == boxes.tolist()
    assert matrix[-1, -1] == 0 and matrix.dtype == np.int64
