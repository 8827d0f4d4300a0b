import numpy as np
import pytest

from cvtool.detection.metrics import evaluate_with_curves
from cvtool.detection.summary import bootstrap_interval, class_table, summarise
from cvtool.errors import DatasetError
from tiny_predictions import NOTHING, dataset, example, prediction, random_task

CAT, DOG = [0, 0, 10, 10], [60, 60, 80, 80]


def test_the_best_threshold_of_its_own():
    data, found = random_task(1)
    scores, curves = summarise(data, found)
    expected, expected_curves = evaluate_with_curves(data, found)
    for key in ("mAP50", "mAP50_95", "pictures", "precision", "recall"):
        assert scores[key] == expected[key]
    assert scores["min_score"] == expected["best_score"]
    assert scores["objects"] == sum(np.count_nonzero(~e.crowd) for e in data.examples)
    assert scores["interval"][0] < scores["mAP50"] < scores["interval"][1]
    assert set(curves) == set(expected_curves)


def test_a_threshold_from_elsewhere():
    data = dataset(example([CAT, DOG], [0, 1]))
    found = [prediction((0.9, 0, CAT), (0.4, 1, DOG), (0.3, 1, [30, 30, 40, 40]))]
    for score, precision, recall, dog in [(0.2, 0.75, 1, 0.5), (0.35, 1, 1, 1), (0.5, 0.5, 0.5, 0)]:
        scores, _ = summarise(data, found, score)
        assert (scores["precision"], scores["recall"]) == (precision, recall)
        assert scores["per_class"]["dog"]["precision"] == dog
        assert scores["min_score"] == score and scores["mAP50"] == pytest.approx(1)
    # F1 of the cat 1, of the dog 2 / 3.
    assert summarise(data, found, 0.2)[0]["f1"] == pytest.approx((1 + 2 / 3) / 2)


def test_a_class_without_objects_has_no_figures():
    data = dataset(example([CAT], [0]))
    scores, curves = evaluate_with_curves(data, [prediction((0.9, 0, CAT))])
    table = class_table(scores["per_class"], curves, 0.5)
    figures = {"precision": 1, "recall": 1, "f1": 1, "truths": 1}
    assert table["cat"] == figures | {"ap50": pytest.approx(1), "ap50_95": pytest.approx(1)}
    assert table["owl"] == dict.fromkeys(table["cat"]) | {"truths": 0}


def test_the_interval_holds_the_score_and_narrows_with_pictures():
    data, found = random_task(3, pictures=20)
    low, high = bootstrap_interval(data, found)
    score = summarise(data, found)[0]["mAP50"]
    assert 0 <= low < score < high <= 1
    assert (low, high) == bootstrap_interval(data, found, seed=0)
    assert (low, high) != bootstrap_interval(data, found, seed=1)
    many = data.subset(list(range(20)) * 9)
    narrow = np.subtract(*bootstrap_interval(many, found * 9)[::-1])
    assert narrow == pytest.approx((high - low) / 3, rel=0.35)


def test_the_interval_is_that_of_resampled_evaluations():
    data, found = random_task(5, pictures=12)
    rng, values = np.random.default_rng(2), []
    for _ in range(40):
        drawn = rng.integers(12, size=12)
        part = data.subset(drawn)
        values.append(evaluate_with_curves(part, [found[i] for i in drawn])[0]["mAP50"])
    score = evaluate_with_curves(data, found)[0]["mAP50"]
    low, high = 2 * score - np.percentile(values, [97.5, 2.5])
    expected = pytest.approx((max(0, min(low, score)), max(high, score)), abs=1e-9)
    assert bootstrap_interval(data, found, seed=2, rounds=40) == expected


def test_one_picture_and_perfect_scores_leave_no_width():
    data = dataset(example([CAT], [0]))
    assert bootstrap_interval(data, [prediction((0.9, 0, CAT))]) == (1, 1)
    assert bootstrap_interval(data, [NOTHING]) == (0, 0)
    with pytest.raises(DatasetError, match="no true boxes"):
        bootstrap_interval(dataset(example([], [])), [NOTHING])


def test_mostly_empty_pictures():
    data = dataset(example([CAT], [0]), *[example([], [])] * 9)
    low, high = bootstrap_interval(data, [prediction((0.9, 0, CAT))] + [NOTHING] * 9)
    assert (low, high) == (1, 1)
