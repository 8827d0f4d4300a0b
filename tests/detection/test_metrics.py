import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from cvtool.datasets.boxed import DetectionDataset, Example
from cvtool.detection.metrics import (
    PictureErrors,
    evaluate_detections,
    evaluate_with_curves,
    worst_pictures,
)
from cvtool.errors import DatasetError

NOTHING = (np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))


def example(index, boxes, class_ids, crowd=None):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    crowd = np.zeros(len(boxes), bool) if crowd is None else np.array(crowd, bool)
    return Example(
        Path(f"{index}.jpg"), boxes, np.array(class_ids, np.int64), 100, 100, index, crowd
    )


def dataset(*examples, classes=("cat", "dog", "owl")):
    return DetectionDataset(tuple(classes), tuple(examples), tuple(range(5, 5 + len(classes))))


def prediction(*rows):
    """Rows of score, class id, box."""
    scores, class_ids, boxes = zip(*rows, strict=True)
    return np.array(boxes, np.float64), np.array(scores), np.array(class_ids)


def random_task(seed, pictures=25):
    """Truths with crowds, and predictions near some of them or anywhere."""
    rng = np.random.default_rng(seed)

    def boxes(count):
        return np.sort(rng.uniform(0, 100, (count, 2, 2)), axis=1).reshape(count, 4)

    examples, predictions = [], []
    for index in range(pictures):
        count = int(rng.integers(0, 6))
        truths, class_ids = boxes(count), rng.integers(3, size=count)
        examples.append(example(index, truths, class_ids, rng.random(count) < 0.15))
        near = np.repeat(truths, 2, axis=0) + rng.normal(0, 3, (2 * count, 4))
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        guesses = np.concatenate([near, boxes(4)])
        guessed = np.concatenate([np.repeat(class_ids, 2), rng.integers(3, size=4)])
        predictions.append((guesses, rng.random(len(guesses)), guessed))
    return dataset(*examples), predictions


def test_perfect_predictions():
    data = dataset(
        example(0, [[0, 0, 10, 10], [20, 20, 50, 60]], [0, 1]),
        example(1, [], []),
        example(2, [[5, 5, 90, 90]], [0]),
    )
    found = [(one.boxes, np.full(len(one.boxes), 0.9), one.class_ids) for one in data.examples]
    scores = evaluate_detections(data, found)
    assert scores["mAP50"] == pytest.approx(1)
    assert scores["mAP50_95"] == pytest.approx(1)
    assert scores["precision"] == scores["recall"] == 1
    assert scores["best_score"] == 0.9
    assert scores["pictures"] == 3
    assert scores["per_class"] == {
        "cat": {"ap50": pytest.approx(1), "ap50_95": pytest.approx(1), "truths": 2},
        "dog": {"ap50": pytest.approx(1), "ap50_95": pytest.approx(1), "truths": 1},
        "owl": {"ap50": None, "ap50_95": None, "truths": 0},
    }
    assert worst_pictures(data, found) == []


def test_no_predictions():
    data = dataset(
        example(0, [[0, 0, 10, 10]], [1]), example(1, [[0, 0, 9, 9], [9, 9, 20, 20]], [0, 0])
    )
    scores = evaluate_detections(data, [NOTHING, NOTHING])
    for key in ("mAP50", "mAP50_95", "precision", "recall"):
        assert scores[key] == 0
    assert worst_pictures(data, [NOTHING, NOTHING]) == [
        PictureErrors(1, missed=2, false_alarms=0),
        PictureErrors(0, missed=1, false_alarms=0),
    ]


def test_average_precision_by_hand():
    data = dataset(example(0, [[0, 0, 10, 10], [50, 50, 60, 60]], [0, 0]), classes=["cat"])
    found = prediction(
        (0.9, 0, [0, 0, 10, 10]),  # right
        (0.8, 0, [80, 0, 90, 10]),  # wrong
        (0.7, 0, [50, 50, 60, 58]),  # right at an IoU up to 0.8: 7 of the 10 limits
    )
    scores, curves = evaluate_with_curves(data, [found])
    # Of 101 recalls, 0 to 0.5 are reached at precision 1, the rest at 2 / 3.
    ap50 = (51 + 50 * 2 / 3) / 101
    assert scores["mAP50"] == pytest.approx(ap50)
    assert scores["mAP50_95"] == pytest.approx((7 * ap50 + 3 * 51 / 101) / 10)
    # F1 is 2/3 at 0.9, 1/2 at 0.8 and 4/5 at 0.7.
    assert scores["best_score"] == 0.7
    assert scores["precision"] == pytest.approx(2 / 3)
    assert scores["recall"] == 1
    curve = curves["cat"]
    assert np.allclose(curve.precision[:51], 1)
    assert np.allclose(curve.precision[51:], 2 / 3)
    assert np.allclose(curve.scores[[0, 50, 51, 100]], [0.9, 0.9, 0.7, 0.7])
    assert np.allclose(curve.f1_at[[950, 850, 750, 650]], [0, 2 / 3, 1 / 2, 4 / 5])
    assert np.allclose(curve.precision_at[[950, 850, 750, 650]], [0, 1, 1 / 2, 2 / 3])


def test_best_score_weighs_classes_alike():
    # Lowering the score to 0.2 wins the only dog and costs four false cats.
    cats = [[20 * n, 0, 20 * n + 10, 10] for n in range(4)]
    data = dataset(example(0, [*cats, [50, 50, 90, 90]], [0, 0, 0, 0, 1]))
    found = prediction(
        *((0.9, 0, box) for box in cats),
        (0.2, 1, [50, 50, 90, 90]),
        *((0.2, 0, [20 * n, 30, 20 * n + 10, 45]) for n in range(4)),
    )
    scores = evaluate_detections(data, [found])
    # Mean F1: (1 + 0) / 2 at 0.9, (2/3 + 1) / 2 at 0.2.
    assert scores["best_score"] == 0.2
    assert scores["precision"] == pytest.approx((0.5 + 1) / 2)
    assert scores["recall"] == 1


def test_crowds_are_ignored():
    crowd = example(0, [[0, 0, 10, 10], [40, 40, 90, 90]], [0, 0], [False, True])
    alone = example(0, [[0, 0, 10, 10]], [0])
    found = prediction(
        (0.9, 0, [45, 45, 55, 55]), (0.85, 0, [60, 60, 80, 80]), (0.8, 0, [0, 0, 10, 10])
    )
    assert evaluate_detections(dataset(crowd), [found])["mAP50"] == pytest.approx(1)
    assert evaluate_detections(dataset(crowd), [found])["per_class"]["cat"]["truths"] == 1
    assert evaluate_detections(dataset(alone), [found])["mAP50"] == pytest.approx(1 / 3)
    assert worst_pictures(dataset(crowd), [found]) == []
    assert worst_pictures(dataset(crowd), [NOTHING], min_score=0.5) == [PictureErrors(0, 1, 0)]
    assert worst_pictures(dataset(alone), [found], min_score=0.5) == [PictureErrors(0, 0, 2)]


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_pycocotools_on_files(seed, tmp_path, capsys):
    data, predictions = random_task(seed)
    truths, found = [], []
    for one, (boxes, scores, class_ids) in zip(data.examples, predictions, strict=True):
        for (x1, y1, x2, y2), number, crowd in zip(
            one.boxes.tolist(), one.class_ids.tolist(), one.crowd.tolist(), strict=True
        ):
            truths.append(
                {
                    "id": len(truths) + 1,
                    "image_id": one.picture_id,
                    "category_id": data.category_ids[number],
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1),
                    "iscrowd": int(crowd),
                }
            )
        for (x1, y1, x2, y2), score, number in zip(
            boxes.tolist(), scores.tolist(), class_ids.tolist(), strict=True
        ):
            found.append(
                {
                    "image_id": one.picture_id,
                    "category_id": data.category_ids[number],
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "score": score,
                }
            )
    images = [{"id": one.picture_id, "width": 100, "height": 100} for one in data.examples]
    categories = [{"id": number} for number in data.category_ids]
    (tmp_path / "truths.json").write_text(
        json.dumps({"images": images, "categories": categories, "annotations": truths})
    )
    (tmp_path / "found.json").write_text(json.dumps(found))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(tmp_path / "truths.json"))
        theirs = COCOeval(coco, coco.loadRes(str(tmp_path / "found.json")), "bbox")
        theirs.evaluate()
        theirs.accumulate()
        theirs.summarize()
    ours = evaluate_detections(data, predictions)
    assert 0.1 < ours["mAP50"] < 0.95
    assert ours["mAP50_95"] == pytest.approx(theirs.stats[0])
    assert ours["mAP50"] == pytest.approx(theirs.stats[1])
    assert capsys.readouterr().out == ""


def test_curves_fit_the_scores():
    data, predictions = random_task(9)
    scores, curves = evaluate_with_curves(data, predictions)
    assert list(curves) == ["cat", "dog", "owl"]
    at = round(scores["best_score"] * 1000)
    mean_f1 = np.mean([curve.f1_at for curve in curves.values()], axis=0)
    assert mean_f1[at] == mean_f1.max()
    assert scores["precision"] == pytest.approx(
        np.mean([curve.precision_at[at] for curve in curves.values()])
    )
    for name, curve in curves.items():
        assert curve.precision.mean() == pytest.approx(scores["per_class"][name]["ap50"])
        assert (np.diff(curve.precision) <= 1e-9).all()
        assert (np.diff(curve.recall_at) <= 0).all()
    json.dumps(scores)


def test_worst_pictures_first():
    data = dataset(
        example(0, [[0, 0, 10, 10]], [0]),
        example(1, [[0, 0, 10, 10], [30, 30, 60, 60]], [0, 1]),
        example(2, [[0, 0, 10, 10]], [0]),
        example(3, [[0, 0, 10, 10]], [0]),
    )
    right = (0.9, 0, [0, 0, 10, 10])
    found = [
        prediction(right, (0.8, 0, [0, 0, 10, 9]), (0.3, 2, [0, 0, 5, 5])),  # a double
        prediction((0.9, 1, [0, 0, 10, 10])),  # the wrong class: one false, two missed
        prediction(right),
        prediction((0.4, 0, [0, 0, 10, 10])),  # right, but not sure enough
    ]
    expected = [PictureErrors(1, 2, 1), PictureErrors(3, 1, 0), PictureErrors(0, 0, 1)]
    assert worst_pictures(data, found, min_score=0.5) == expected
    assert worst_pictures(data, found, 2, min_score=0.5) == expected[:2]
    assert worst_pictures(data, found, min_score=0.2) == [
        PictureErrors(1, 2, 1),
        PictureErrors(0, 0, 2),
    ]
    best = evaluate_detections(data, found)["best_score"]
    assert worst_pictures(data, found) == worst_pictures(data, found, min_score=best)


def test_misfits_are_refused():
    data = dataset(example(0, [[0, 0, 10, 10]], [0]))
    with pytest.raises(ValueError, match="2 predictions for 1 pictures"):
        evaluate_detections(data, [NOTHING, NOTHING])
    with pytest.raises(ValueError, match="outside 0-2"):
        evaluate_detections(data, [prediction((0.9, 3, [0, 0, 1, 1]))])
    with pytest.raises(ValueError, match="differ in number"):
        evaluate_detections(data, [(np.zeros((2, 4)), np.zeros(1), np.zeros(2, int))])
    with pytest.raises(DatasetError, match="no true boxes"):
        evaluate_detections(dataset(example(0, [], [])), [NOTHING])
