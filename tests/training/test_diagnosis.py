"""Error tables whose reading is known, most of them from "Machine Learning Yearning"."""

import itertools
import json
import re

import pytest

from cvtool.training.diagnosis import SMALL, describe, diagnose


def from_points(**points):
    return diagnose(**{name: None if p is None else p / 100 for name, p in points.items()})


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ({"human": 1, "train": 8, "dev": 10}, ["avoidable_bias", "variance"]),
        ({"human": 7.5, "train": 8, "dev": 10}, ["variance"]),
        ({"human": 0, "train": 1, "train_dev": 9, "dev": 10}, ["variance"]),
        ({"train": 1, "train_dev": 1.5, "dev": 10}, ["data_mismatch"]),
        ({"train": 10, "train_dev": 11, "dev": 12}, ["avoidable_bias"]),
        ({"train": 10, "train_dev": 11, "dev": 20}, ["avoidable_bias", "data_mismatch"]),
        ({"human": 0, "train": 1, "dev": 1, "test": 6}, ["dev_overfitting"]),
        ({"human": 14, "train": 15, "dev": 16}, []),
        ({"human": 0, "train": 1, "dev": 11}, ["variance"]),
        ({"human": 0, "train": 15, "dev": 16}, ["avoidable_bias"]),
        ({"human": 0, "train": 15, "dev": 30}, ["avoidable_bias", "variance"]),
        ({"human": 0, "train": 10, "dev": 30}, ["variance", "avoidable_bias"]),
        ({"human": 0, "train": 0.5, "dev": 1}, []),
    ],
)
def test_known_tables(points, expected):
    diagnosis = from_points(**points)
    assert diagnosis.largest == (expected[0] if expected else None)
    places = [diagnosis.summary.find(describe(name)) for name in expected]
    assert -1 not in places and places == sorted(places)
    others = set(diagnosis.gaps) - set(expected)
    assert not any(describe(name) in diagnosis.summary for name in others)


def test_advice_follows_the_gaps_largest_first():
    bias = from_points(human=0, train=20, dev=20).advice
    variance = from_points(human=0, train=0, dev=20).advice
    mismatch = from_points(human=0, train=0, train_dev=0, dev=20).advice
    overfitting = from_points(human=0, train=0, dev=0, test=20).advice
    kinds = [bias, variance, mismatch, overfitting]
    for one, other in itertools.combinations(kinds, 2):
        assert not set(one) & set(other)
    assert "--epochs" in " ".join(bias) and "--augment strong" not in " ".join(bias)
    assert "--augment strong" in " ".join(variance) and "--epochs" not in " ".join(variance)
    assert "--target" in " ".join(mismatch)
    assert "--split" in " ".join(overfitting)
    both = from_points(train=10, train_dev=11, dev=20)
    assert both.advice == bias + mismatch


@pytest.mark.parametrize(
    ("points", "first", "left_out"),
    [
        ({"human": 0, "train": 15, "dev": 20}, "bigger network", "smaller network"),
        ({"human": 0, "train": 5, "dev": 20}, "smaller network", "bigger network"),
    ],
)
def test_advice_does_not_contradict_itself(points, first, left_out):
    words = " ".join(from_points(**points).advice)
    assert first in words and left_out not in words
    assert ("Regularise less" in words) != ("Regularise more" in words)
    assert "--epochs" in words and "--augment strong" in words


def test_rows_and_gaps():
    diagnosis = from_points(test=14, dev=12, train=8, human=5, train_dev=9)
    names = [name for name, _ in diagnosis.rows]
    assert names == ["human", "train", "train-dev", "dev", "test"]
    assert [error for _, error in diagnosis.rows] == [0.05, 0.08, 0.09, 0.12, 0.14]
    expected = {
        "avoidable_bias": 0.03,
        "variance": 0.01,
        "data_mismatch": 0.03,
        "dev_overfitting": 0.02,
    }
    assert diagnosis.gaps == pytest.approx(expected)
    # Bias and mismatch are equal; the earlier one leads.
    assert diagnosis.largest == "avoidable_bias"


def test_without_train_dev_variance_runs_to_dev():
    assert from_points(train=8, dev=12).gaps["variance"] == pytest.approx(0.04)
    assert "data_mismatch" not in from_points(train=8, dev=12).gaps


def test_an_unknown_human_error_is_said():
    assumed = from_points(train=8, dev=9)
    known = from_points(human=0, train=8, dev=9)
    assert assumed.gaps == known.gaps
    assert "taken as 0" in assumed.summary and "taken as 0" in " ".join(assumed.notes)
    assert "taken as 0" not in known.summary and known.notes == []


@pytest.mark.parametrize(
    ("points", "gap", "word"),
    [
        ({"human": 5, "train": 1, "dev": 1}, "avoidable_bias", "human"),
        ({"human": 0, "train": 9, "dev": 4}, "variance", "easier"),
        ({"human": 0, "train": 1, "train_dev": 9, "dev": 4}, "data_mismatch", "easier"),
        ({"human": 0, "train": 1, "dev": 9, "test": 4}, "dev_overfitting", "chance"),
    ],
)
def test_a_negative_gap_is_noted_and_never_chosen(points, gap, word):
    diagnosis = from_points(**points)
    assert diagnosis.gaps[gap] < 0
    assert diagnosis.largest != gap
    assert describe(gap) not in diagnosis.summary
    assert len(diagnosis.notes) == 1 and word in diagnosis.notes[0]


def test_a_gap_of_just_a_point_is_small():
    for train in range(0, 90):
        assert from_points(human=train, train=train, dev=train + 1).largest is None
        assert from_points(human=train, train=train, dev=train + 1.1).largest == "variance"
    assert SMALL == 0.01


def test_a_model_that_guesses():
    diagnosis = from_points(train=89.5, dev=90, chance=90)
    assert "guessing" in diagnosis.summary
    assert "learns at all" in diagnosis.advice[0]
    assert "guessing" not in from_points(train=70, dev=90, chance=90).summary


@pytest.mark.parametrize("errors", [{}, {"dev": 0.1}, {"train": 0.1}, {"test": 0.2}])
def test_what_was_not_measured_is_left_out(errors):
    diagnosis = diagnose(**({"train": None, "dev": None} | errors))
    assert dict(diagnosis.rows) == errors
    assert set(diagnosis.gaps) == ({"avoidable_bias"} if "train" in errors else set())
    assert diagnosis.advice and diagnosis.summary.endswith(".")


@pytest.mark.parametrize("error", [-0.1, 8, float("nan")])
def test_an_error_that_is_no_share_is_refused(error):
    with pytest.raises(ValueError, match="dev error"):
        diagnose(train=0.1, dev=error)


def test_the_dictionary_is_json():
    diagnosis = from_points(human=1, train=8, dev=10)
    again = json.loads(json.dumps(diagnosis.to_dict(), allow_nan=False))
    assert again["rows"] == {"human": 0.01, "train": 0.08, "dev": 0.10}
    assert again["largest"] == "avoidable_bias"
    assert again["advice"] == diagnosis.advice


def detection(**points):
    return diagnose(task="detect", **{name: p / 100 for name, p in points.items()})


@pytest.mark.parametrize(
    "points",
    [
        {"train": 30, "dev": 30},
        {"train": 1, "dev": 30},
        {"train": 20, "dev": 30, "test": 35},
        {"train": 5, "dev": 30, "test": 35},
        {"train": 1, "train_dev": 1, "dev": 30},
        {"train": 99.9, "dev": 99.9},
    ],
)
def test_a_detector_is_told_of_the_options_it_has(points):
    diagnosis = detection(human=0, **points)
    words = " ".join([*diagnosis.advice, *diagnosis.notes, diagnosis.summary])
    options = {"--epochs", "--size", "--augment", "--freeze", "--learning-rate"}
    assert set(re.findall(r"--[a-z-]+", words)) <= options | {"--weight-decay", "--split"}
    assert "1 - mAP50" in diagnosis.notes[0]
    # What goes against bias goes not against variance: never both.
    for pair in (("--freeze none", "--freeze backbone"), ("less:", "more:")):
        assert sum(word in words for word in pair) <= 1


def test_a_detector_has_the_same_gaps_as_a_classifier():
    points = {"human": 2, "train": 8, "dev": 20, "test": 25}
    assert detection(**points).gaps == from_points(**points).gaps
    assert detection(**points).largest == "variance"
    assert (
        detection(human=5, train=1, dev=1).notes[1:] == from_points(human=5, train=1, dev=1).notes
    )


def test_a_detector_that_finds_nothing():
    diagnosis = detection(train=99.5, dev=100)
    assert "next to nothing" in diagnosis.summary and "learns at all" in diagnosis.advice[0]
    assert "next to nothing" not in detection(train=80, dev=95).summary


def test_a_gap_within_the_intervals_is_noted_and_not_ranked():
    def with_widths(widths, counts=None):
        return diagnose(human=0, train=0, dev=0.05, half_widths=widths, counts=counts)

    for widths in ({"dev": 0.06}, {"train": 0.04, "dev": 0.04}):
        doubtful = with_widths(widths)
        assert doubtful.largest is None and "by chance" in doubtful.notes[-1]
    assert with_widths({"dev": 0.04}).largest == "variance"
    # They go before what so many pictures would tell.
    assert with_widths({"dev": 0.06}, {"dev": 10**6}).largest is None
    assert with_widths({"dev": 0.01}, {"dev": 10}).largest == "variance"
