"""Errors of known kinds; the gains are worked out by hand."""

import numpy as np
import pytest

from cvtool.detection.error_types import TYPES, error_types, judge
from cvtool.detection.matching import match
from cvtool.detection.metrics import evaluate_detections
from cvtool.errors import DatasetError
from tiny_predictions import NOTHING, dataset, example, prediction, random_task

CAT = [0, 0, 10, 10]
FAR = [60, 60, 80, 80]
# IoU 0.5 exactly, 0.4, 0.1 exactly and 0.09 with CAT.
HALF, NEAR, EDGE, OFF = [0, 0, 10, 5], [0, 0, 10, 4], [0, 0, 10, 1], [0, 0, 9, 1]


def told(data, found, min_score=0.0):
    errors = error_types(data, found, min_score)
    assert list(errors) == list(TYPES)
    return {kind: row["count"] for kind, row in errors.items() if row["count"]}, errors


@pytest.mark.parametrize(
    ("class_id", "box", "kind"),
    [
        (0, CAT, ""),
        (0, HALF, ""),
        (0, NEAR, "localisation"),
        (0, EDGE, "localisation"),
        (0, OFF, "background"),
        (0, FAR, "background"),
        (1, CAT, "classification"),
        (1, HALF, "classification"),
        (1, NEAR, "both"),
        (1, EDGE, "background"),
        (1, FAR, "background"),
    ],
)
def test_one_box_by_one_object(class_id, box, kind):
    data = dataset(example([CAT], [0]))
    matches = match(data, [prediction((0.9, class_id, box))])
    judged = judge(data, matches)
    assert judged.types.tolist() == [kind]
    assert judged.truths.tolist() == [-1 if kind == "background" else 0]
    covered = kind in ("", "classification", "localisation")
    assert judged.missed.tolist() == ([] if covered else [[0, 0]])
    if kind == "both":
        assert judged.overlaps == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("boxes", "class_ids", "box", "kind"),
    [
        # Well on a dog, a little on another cat: as the paper's program has it.
        ([CAT, [0, 0, 10, 30]], [1, 0], CAT, "localisation"),
        # On a dog; the only cat is elsewhere.
        ([CAT, FAR], [1, 0], CAT, "classification"),
        # On a dog and a cat at once; the cat was found by a higher score.
        ([CAT, CAT], [1, 0], CAT, "classification"),
        ([CAT], [0], CAT, "duplicate"),
        ([CAT, NEAR], [0, 1], CAT, "duplicate"),
    ],
)
def test_where_two_kinds_fit(boxes, class_ids, box, kind):
    data = dataset(example(boxes, class_ids))
    cats = [truth for truth, class_id in zip(boxes, class_ids, strict=True) if class_id == 0]
    found = [prediction((0.9, 0, cats[0]), (0.8, 0, box))]
    assert judge(data, match(data, found)).types.tolist() == ["", kind]


def test_classification_mended():
    # A dog is called a cat, surer than the cat is.
    data = dataset(example([CAT, FAR], [0, 1]))
    found = [prediction((0.9, 0, FAR), (0.8, 0, CAT))]
    counts, errors = told(data, found)
    assert counts == {"classification": 1}
    # AP of the cat 1/2, of the dog 0; mended both are 1.
    assert errors["classification"]["gain"] == pytest.approx(1 - 1 / 4)
    assert [errors[kind]["gain"] for kind in TYPES if kind != "classification"] == [0] * 5


def test_localisation_mended():
    data = dataset(example([CAT, FAR], [0, 0]))
    found = [prediction((0.9, 0, NEAR), (0.8, 0, FAR))]
    counts, errors = told(data, found)
    assert counts == {"localisation": 1}
    # Recall 1/2 at precision 1/2; mended all is found.
    assert errors["localisation"]["gain"] == pytest.approx(1 - 51 / 101 / 2)


@pytest.mark.parametrize("score", [0.7, 0.95])
def test_of_two_mended_boxes_of_an_object_the_higher_stays(score):
    # The cat is found at 0.8; a bad box of it lies above or below, another above both.
    data = dataset(example([CAT, FAR], [0, 0]))
    found = [
        prediction((0.8, 0, CAT), (score, 0, NEAR), (0.6, 0, NEAR), (0.9, 0, [30, 30, 40, 40]))
    ]
    counts, errors = told(data, found)
    assert counts == {"localisation": 2, "background": 1, "missed": 1}
    before = 51 / 101 * (1 / 3 if score > 0.8 else 1 / 2)
    # Mended, the cat counts at the higher of its scores, and no other box of it does.
    after = 51 / 101 * (1 if score > 0.9 else 1 / 2)
    assert errors["localisation"]["gain"] == pytest.approx(after - before)


def test_what_is_dropped():
    data = dataset(example([CAT, FAR], [0, 1]))
    background, both = (0.95, 0, [30, 30, 40, 40]), (0.9, 0, [60, 60, 80, 68])
    duplicate = (0.7, 0, CAT)
    found = [prediction(background, both, (0.8, 0, CAT), duplicate, (0.6, 1, FAR))]
    counts, errors = told(data, found)
    assert counts == {"both": 1, "duplicate": 1, "background": 1}
    # AP of the cat 1/3; 1/2 without either of the boxes above it.
    assert errors["background"]["gain"] == pytest.approx((1 / 2 - 1 / 3) / 2)
    assert errors["both"]["gain"] == pytest.approx((1 / 2 - 1 / 3) / 2)
    # Nothing is to be found after the duplicate.
    assert errors["duplicate"]["gain"] == 0


def test_missed_objects_are_asked_for_no_more():
    data = dataset(example([CAT, FAR], [0, 0]), example([CAT], [1]))
    counts, errors = told(data, [prediction((0.9, 0, CAT)), NOTHING])
    assert counts == {"missed": 2}
    # AP of the cat 51/101, of the dog 0; the dog's class is asked for no more at all.
    assert errors["missed"]["gain"] == pytest.approx(1 - 51 / 101 / 2)


def test_counts_are_of_the_threshold_and_gains_of_all_scores():
    data = dataset(example([CAT, FAR], [0, 0]))
    found = [prediction((0.9, 0, CAT), (0.2, 0, FAR), (0.1, 0, [30, 30, 40, 40]))]
    counts, errors = told(data, found, 0.5)
    assert counts == {"missed": 1} and errors["missed"]["gain"] == 0
    counts, errors = told(data, found, 0.1)
    assert counts == {"background": 1} and errors["background"]["gain"] == 0


def test_crowds_are_neither_missed_nor_taken_for_an_object():
    data = dataset(example([CAT, [40, 40, 90, 90]], [0, 0], [False, True]))
    in_crowd = (0.9, 0, [45, 45, 60, 60])
    counts, errors = told(data, [prediction(in_crowd, (0.8, 0, CAT))])
    assert counts == {} and all(row["gain"] == 0 for row in errors.values())
    counts, _ = told(data, [prediction((0.9, 1, [45, 45, 60, 60]), (0.8, 0, CAT))])
    assert counts == {"background": 1}


@pytest.mark.parametrize("seed", range(4))
def test_every_wrong_box_has_a_kind_and_dropping_agrees_with_the_evaluation(seed):
    data, found = random_task(seed)
    matches = match(data, found)
    judged = judge(data, matches)
    assert set(judged.types[~matches.right]) <= set(TYPES) - {"missed"}
    assert (judged.types[matches.right] == "").all()
    errors = error_types(data, found, 0)
    before = evaluate_detections(data, found)["mAP50"]
    for kind in ("background", "duplicate", "both"):
        keep = [np.ones(len(scores), bool) for _, scores, _ in found]
        for row in np.flatnonzero(judged.types == kind):
            keep[matches.pictures[row]][matches.rows[row]] = False
        left = [tuple(part[k] for part in p) for p, k in zip(found, keep, strict=True)]
        after = evaluate_detections(data, left)["mAP50"]
        assert errors[kind]["gain"] == pytest.approx(after - before, abs=1e-9)


def test_no_true_boxes():
    with pytest.raises(DatasetError, match="no true boxes"):
        error_types(dataset(example([], [])), [NOTHING], 0.5)
