"""What is chosen from the size of a data set, and what is refused."""

import json
import math

import pytest

from cvtool.classification.settings import Settings, chosen_for, settings_from
from cvtool.errors import CvtoolError


def chosen(pictures, *, short_side=64, native_size=64, **settings):
    return chosen_for(
        Settings(**settings), pictures=pictures, short_side=short_side, native_size=native_size
    )


@pytest.mark.parametrize(
    ("pictures", "unfreeze"),
    [(2, "head"), (499, "head"), (500, "last"), (1999, "last"), (2000, "all"), (10**6, "all")],
)
def test_more_pictures_release_more(pictures, unfreeze):
    found = chosen(pictures)
    assert found["unfreeze"] == unfreeze
    assert (found["epochs"] == 0) == (unfreeze == "head")


@pytest.mark.parametrize(
    ("pictures", "epochs", "from_scratch"),
    [(500, 30, 90), (4000, 30, 45), (7500, 16, 24), (15_000, 8, 24), (10**6, 8, 24)],
)
def test_more_pictures_take_fewer_epochs(pictures, epochs, from_scratch):
    assert chosen(pictures)["epochs"] == epochs
    assert chosen(pictures, from_scratch="lenet5")["epochs"] == from_scratch


def test_the_head_takes_some_three_hundred_steps():
    for pictures in (60, 300, 1000):
        found = chosen(pictures)
        steps = found["head_epochs"] * math.ceil(pictures / found["batch"])
        assert 30 <= found["head_epochs"] <= 100 and steps >= 100
    assert chosen(60)["head_epochs"] == 100
    assert chosen(10_000)["head_epochs"] == 30
    assert chosen(9_000, head_epochs=4)["head_epochs"] == 4


def test_the_batch_grows_with_the_set_but_not_beyond_it():
    assert [chosen(n)["batch"] for n in (5, 32, 999, 1000)] == [5, 32, 32, 64]
    assert chosen(40, batch=128)["batch"] == 40
    assert chosen(4000, batch=16)["batch"] == 16


@pytest.mark.parametrize(
    ("short_side", "native", "size"),
    [(20, 64, 64), (64, 64, 64), (127, 64, 96), (128, 64, 128), (900, 64, 128), (900, 224, 224)],
)
def test_the_size_follows_the_pictures_up_to_a_bound(short_side, native, size):
    assert chosen(100, short_side=short_side, native_size=native)["size"] == size
    assert chosen(100, short_side=short_side, native_size=native, size=80)["size"] == 80


def test_where_all_is_trained_the_size_is_larger_and_the_crops_are_smaller():
    def sizes(**settings):
        found = chosen(5000, short_side=900, **settings)
        return found["size"], found["train_size"]

    assert sizes() == (160, 128)
    assert sizes(native_size=224) == (224, 176)
    assert sizes(size=300, augment="strong") == (300, 240)
    assert sizes(size=90) == (90, 80) and sizes(size=64) == (64, 64)
    assert sizes(augment="none") == (160, 160)  # nothing is cropped
    assert sizes(unfreeze="last") == sizes(unfreeze="head") == (128, 128)
    assert sizes(from_scratch="lenet5", native_size=32) == (32, 32)


def test_a_network_from_scratch_keeps_its_size_and_trains_whole():
    found = chosen(100, short_side=500, native_size=32, from_scratch="lenet5")
    assert found["size"] == 32 and found["unfreeze"] == "all"
    assert found["learning_rate"] > chosen(100)["learning_rate"]


def test_what_is_said_comes_before_what_would_be_chosen():
    said = {"size": 48, "unfreeze": "all", "epochs": 3, "head_epochs": 2, "learning_rate": 0.1}
    follows = {"batch": 32, "train_size": 48, "train_norms": True}
    assert chosen(50, **said) == said | follows


def test_batch_norm_is_trained_with_all_layers_and_batches_that_are_large_enough():
    def norms(**settings):
        return chosen(5000, **settings)["train_norms"]

    assert norms() and norms(batch=8) and not norms(batch=7)
    assert not norms(unfreeze="last") and not norms(from_scratch="lenet5")


def test_head_alone_has_no_epochs_after_it():
    assert chosen(5000, unfreeze="head")["epochs"] == 0
    assert chosen(50)["unfreeze"] == "head" and chosen(50)["epochs"] == 0


def test_what_is_asked_for_on_few_pictures_is_done():
    assert chosen(50, unfreeze="last")["epochs"] == 30
    found = chosen(50, epochs=4)
    assert found["unfreeze"] == "last" and found["epochs"] == 4


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"augment": "wild"}, "--augment"),
        ({"optimizer": "lion"}, "--optimizer"),
        ({"schedule": "onecycle"}, "--schedule"),
        ({"dropout": 1.0}, "--dropout"),
        ({"dropout": -0.1}, "--dropout"),
        ({"dropout": math.nan}, "--dropout"),
        ({"weight_decay": 2}, "--weight-decay"),
        ({"label_smoothing": 1}, "--label-smoothing"),
        ({"warmup": 1.5}, "--warmup"),
        ({"size": 0}, "--size"),
        ({"epochs": 0}, "--epochs"),
        ({"head_epochs": -1}, "--head-epochs"),
        ({"batch": 0}, "--batch"),
        ({"learning_rate": 0.0}, "--learning-rate"),
        ({"learning_rate": math.nan}, "--learning-rate"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_option(changes, option):
    with pytest.raises(CvtoolError) as error:
        Settings(**changes)
    assert str(error.value).startswith(f"{option} ") and "\n" not in str(error.value)
    assert str(next(iter(changes.values()))) in str(error.value)


def test_a_choice_that_is_not_there_lists_those_that_are():
    with pytest.raises(CvtoolError, match='--optimizer "lion" is not one of adamw, adam, sgd, rms'):
        Settings(optimizer="lion")


def test_settings_survive_json_and_a_newer_key():
    settings = Settings(size=48, augment="strong", balance=True, human_error=0.05)
    values = json.loads(json.dumps(settings.to_dict()))
    assert settings_from(values) == settings
    assert settings_from(values | {"of_the_future": 1}) == settings
    assert settings_from({}) == Settings()
