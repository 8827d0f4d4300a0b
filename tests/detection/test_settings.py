"""What is chosen from the size of a data set, and what is refused."""

import json
import math

import numpy as np
import pytest

from cvtool.detection.settings import Settings, chosen_for, settings_from, size_for, small_object
from cvtool.errors import CvtoolError
from tiny_predictions import dataset, example


def chosen(pictures, *, small=0.1, native_size=256, **settings):
    return chosen_for(
        Settings(**settings), pictures=pictures, small_object=small, native_size=native_size
    )


@pytest.mark.parametrize("pictures", [1, 12, 29])
def test_few_pictures_leave_the_backbone_as_it_came(pictures):
    found = chosen(pictures)
    assert found["frozen_epochs"] == found["epochs"] == 60


@pytest.mark.parametrize("pictures", [30, 300, 10**6])
def test_more_pictures_release_it_after_a_while(pictures):
    found = chosen(pictures)
    assert 1 <= found["frozen_epochs"] < 0.2 * found["epochs"]
    assert found["released_rate"] == found["learning_rate"] / 2


@pytest.mark.parametrize(
    ("pictures", "epochs"), [(1, 60), (166, 60), (200, 50), (500, 20), (833, 12), (10**6, 12)]
)
def test_more_pictures_take_fewer_epochs(pictures, epochs):
    assert chosen(pictures)["epochs"] == epochs
    assert chosen(pictures, from_scratch="yolo")["epochs"] == 3 * epochs


def test_the_last_fifth_of_the_epochs_is_plain():
    assert chosen(200)["plain_epochs"] == 10
    assert chosen(5, epochs=1)["plain_epochs"] == 0
    for pictures in (5, 50, 500, 5000):
        found = chosen(pictures)
        assert 0 < found["plain_epochs"] <= found["epochs"] / 4


def test_freeze_is_obeyed_whatever_the_number_of_pictures():
    assert chosen(5, freeze="none")["frozen_epochs"] == 0
    found = chosen(5000, freeze="backbone")
    assert found["frozen_epochs"] == found["epochs"]
    # One epoch has no room for two phases.
    assert chosen(5000, epochs=1)["frozen_epochs"] == 1


def test_from_scratch_all_is_trained_at_one_rate():
    found = chosen(5, from_scratch="yolo", learning_rate=0.01)
    assert found["frozen_epochs"] == 0
    assert found["learning_rate"] == found["released_rate"] == 0.01


def test_the_batch_is_never_larger_than_the_set():
    assert [chosen(n)["batch"] for n in (1, 7, 8, 5000)] == [1, 7, 8, 8]
    assert chosen(40, batch=128)["batch"] == 40 and chosen(400, batch=3)["batch"] == 3


def test_what_is_said_comes_before_what_would_be_chosen():
    found = chosen(500, size=64, epochs=10, batch=4, learning_rate=0.1)
    assert found == {
        "size": 64,
        "epochs": 10,
        "frozen_epochs": 2,
        "plain_epochs": 2,
        "batch": 4,
        "learning_rate": 0.1,
        "released_rate": 0.05,
    }


@pytest.mark.parametrize(
    ("small", "native", "size"),
    [
        (0.5, 256, 256),
        (0.079, 256, 256),
        (0.07, 256, 320),
        (0.05, 256, 416),
        (0.001, 256, 416),
        (None, 256, 256),
        (0.5, 320, 320),
        (0.5, 64, 256),
        (0.001, 640, 640),
    ],
)
def test_small_objects_ask_for_a_larger_input(small, native, size):
    assert size_for(small, native) == size
    assert chosen(50, small=small, native_size=native)["size"] == size


def test_the_small_objects_are_those_of_the_class_with_the_smallest():
    """In shares of the longer side; the tenth percentile is no outlier."""
    squares = [[0, 0, side, side] for side in (20,) * 9 + (1,)]
    found = small_object(
        dataset(
            example(squares, [0] * 10, size=200),
            example([[0, 0, 50, 50]] * 10, [1] * 10, size=100),
            example([[0, 0, 1, 1]] * 4, [2] * 4, size=100),
        )
    )
    assert found == pytest.approx(np.quantile([0.1] * 9 + [0.005], 0.1), rel=1e-5)


def test_few_boxes_are_judged_together_and_none_not_at_all():
    assert small_object(dataset(example([[0, 0, 10, 40]], [0]))) == pytest.approx(0.2)
    assert small_object(dataset(example([], []))) is None


def test_boxes_round_groups_are_no_objects():
    crowd = example([[0, 0, 50, 50]] + [[0, 0, 2, 2]] * 9, [0] * 10, [False] + [True] * 9)
    assert small_object(dataset(crowd)) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"augment": "wild"}, "--augment"),
        ({"optimizer": "lion"}, "--optimizer"),
        ({"schedule": "onecycle"}, "--schedule"),
        ({"precision": "float8"}, "--precision"),
        ({"gpus": "some"}, "--gpus"),
        ({"freeze": "head"}, "--freeze"),
        ({"from_scratch": "lenet5"}, "--from-scratch"),
        ({"size": 0}, "--size"),
        ({"size": -32}, "--size"),
        ({"size": 100}, "--size"),
        ({"epochs": 0}, "--epochs"),
        ({"batch": -1}, "--batch"),
        ({"learning_rate": 0.0}, "--learning-rate"),
        ({"learning_rate": math.nan}, "--learning-rate"),
        ({"learning_rate": math.inf}, "--learning-rate"),
        ({"warmup": 1.0}, "--warmup"),
        ({"warmup": -0.1}, "--warmup"),
        ({"weight_decay": math.nan}, "--weight-decay"),
        ({"patience": -1}, "--patience"),
        ({"seed": -1}, "--seed"),
        ({"seed": 2**32}, "--seed"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_option(changes, option):
    with pytest.raises(CvtoolError) as error:
        Settings(**changes)
    assert str(error.value).startswith(f"{option} ") and "\n" not in str(error.value)
    assert str(next(iter(changes.values()))) in str(error.value)


def test_freeze_has_no_meaning_from_scratch():
    with pytest.raises(CvtoolError, match="--freeze has no meaning with --from-scratch"):
        Settings(from_scratch="yolo", freeze="backbone")


def test_settings_survive_json_and_a_newer_key():
    settings = Settings(size=64, augment="strong", balance=False, freeze="none", seed=2**32 - 1)
    values = json.loads(json.dumps(settings.to_dict()))
    assert settings_from(values) == settings
    assert settings_from(values | {"of_the_future": 1}) == settings
    assert settings_from({}) == Settings()
