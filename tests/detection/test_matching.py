import numpy as np
import pytest

from cvtool.detection.matching import count_truths, match, mean_average_precision
from cvtool.detection.metrics import evaluate_detections, worst_pictures
from tiny_predictions import NOTHING, dataset, example, prediction, random_task


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_the_evaluation(seed):
    data, found = random_task(seed)
    matches, truths = match(data, found), count_truths(data)
    expected = evaluate_detections(data, found)
    score = mean_average_precision(matches.class_ids, matches.right, truths.sum(axis=0))
    assert score == pytest.approx(expected["mAP50"], abs=1e-12)
    counts = {name: row["truths"] for name, row in expected["per_class"].items()}
    assert dict(zip(data.classes, truths.sum(axis=0).tolist(), strict=True)) == counts
    for errors in worst_pictures(data, found, min_score=0.4):
        own = matches.at_least(0.4).pictures == errors.index
        right = matches.at_least(0.4).right[own].sum()
        assert errors.false_alarms == own.sum() - right
        assert errors.missed == truths[errors.index].sum() - right


@pytest.mark.parametrize("seed", range(3))
def test_every_match_points_at_what_it_says(seed):
    data, found = random_task(seed)
    matches = match(data, found)
    assert (np.diff(matches.scores) <= 0).all()
    seen = set()
    for n, picture in enumerate(matches.pictures):
        boxes, scores, class_ids = found[picture]
        row = matches.rows[n]
        assert (matches.boxes[n] == boxes[row]).all()
        assert (matches.scores[n], matches.class_ids[n]) == (scores[row], class_ids[row])
        if matches.truths[n] >= 0:
            assert data.examples[picture].class_ids[matches.truths[n]] == class_ids[row]
            assert not data.examples[picture].crowd[matches.truths[n]]
            seen.add((picture, matches.truths[n]))
    assert len(seen) == matches.right.sum() > 10


@pytest.mark.parametrize("score", [0.0, 0.3, 0.99, 1.1])
def test_leaving_out_low_scores_is_as_if_they_were_never_given(score):
    data, found = random_task(7)
    kept = match(data, found).at_least(score)
    alone = match(data, [tuple(part[p[1] >= score] for part in p) for p in found])
    assert (kept.pictures == alone.pictures).all() and (kept.scores == alone.scores).all()
    assert (kept.truths == alone.truths).all()


def test_the_highest_score_finds_an_object_of_any_class():
    data = dataset(example([[0, 0, 10, 10], [40, 40, 60, 60]], [0, 1], [False, True]))
    found = [
        prediction((0.5, 0, [0, 0, 10, 10]), (0.9, 2, [0, 0, 10, 9]), (0.8, 0, [45, 45, 55, 55]))
    ]
    by_class, at_all = match(data, found), match(data, found, by_class=False)
    # The third box is of another class than the crowd that it lies in.
    assert by_class.truths.tolist() == [-1, -1, 0]
    assert at_all.truths.tolist() == [0, -1] and at_all.class_ids.tolist() == [2, 0]


def test_predictions_by_picture():
    data = dataset(*[example([], [])] * 3)
    box = [0, 0, 1, 1]
    found = [prediction((0.1, 0, box), (0.7, 0, box)), NOTHING, prediction((0.5, 1, box))]
    rows = match(data, found).by_picture(3)
    assert [row.tolist() for row in rows] == [[0, 2], [], [1]]


def test_nothing_at_all():
    matches = match(dataset(example([], [])), [NOTHING])
    assert matches.boxes.shape == (0, 4) and not len(matches.right)
    assert mean_average_precision(matches.class_ids, matches.right, np.array([2, 0])) == 0
    # Nothing to find is nothing missed.
    assert mean_average_precision(matches.class_ids, matches.right, np.zeros(2, int)) == 1


@pytest.mark.parametrize("seed", range(5))
def test_a_weight_is_as_good_as_copies(seed):
    rng = np.random.default_rng(seed)
    class_ids, right = rng.integers(2, size=40), rng.random(40) < 0.5
    weights = rng.integers(4, size=40)
    truths = np.array([(weights * right)[class_ids == c].sum() + 3 for c in (0, 1)])
    copies = np.repeat(np.arange(40), weights)
    weighed = mean_average_precision(class_ids, right, truths, weights)
    assert weighed == pytest.approx(
        mean_average_precision(class_ids[copies], right[copies], truths), abs=1e-12
    )
    assert 0 < weighed < 1
