"""What is chosen from the size of a data set, and what is refused."""

import json
import math

import pytest

from cvtool.errors import CvtoolError
from cvtool.segmentation.settings import Settings, base_for, chosen_for, settings_from, size_for


def chosen(pictures, *, detail=0.1, longest=2000, **settings):
    return chosen_for(Settings(**settings), pictures=pictures, detail=detail, longest=longest)


def shown(found):
    return found["epochs"] * found["steps"] * found["batch"]


@pytest.mark.parametrize("pictures", [1, 4, 9])
def test_few_pictures_leave_the_backbone_as_it_came(pictures):
    found = chosen(pictures)
    assert found["frozen_epochs"] == found["epochs"]


@pytest.mark.parametrize("pictures", [10, 300, 10**5])
def test_more_pictures_release_it_after_a_while(pictures):
    found = chosen(pictures)
    assert 1 <= found["frozen_epochs"] < 0.2 * found["epochs"]
    assert found["released_rate"] == found["learning_rate"] / 2


@pytest.mark.parametrize("pictures", [1, 18, 30, 100, 240, 400])
@pytest.mark.parametrize("detail", [0.1, 0.02, 0.005])
def test_small_sets_take_minutes_whatever_is_in_them(pictures, detail):
    """The network sees 4,000 to 8,000 squares of 256 to 384 pixels."""
    found = chosen(pictures, detail=detail)
    assert 4000 <= shown(found) <= 10_000
    assert (found["patch"] or found["size"]) <= 384 and found["steps"] >= 20


@pytest.mark.parametrize(
    ("pictures", "steps", "epochs"),
    [(1, 20, 25), (160, 20, 25), (400, 50, 20), (1000, 125, 12), (10**5, 12500, 12)],
)
def test_more_pictures_take_fewer_and_longer_epochs(pictures, steps, epochs):
    found = chosen(pictures)
    assert (found["steps"], found["epochs"]) == (steps, epochs)
    assert chosen(pictures, from_scratch="unet")["epochs"] == 2 * epochs


def test_an_epoch_of_patches_has_more_of_them_but_not_for_many_pictures():
    few, more, many = (chosen(n, detail=0.01) for n in (18, 30, 800))
    assert few["size"] == 1024 and few["patch"] == 256
    assert (few["steps"], more["steps"], many["steps"]) == (36, 50, 100)


def test_few_pictures_are_changed_strongly():
    assert chosen(99)["augment"] == "strong" and chosen(100)["augment"] == "light"
    assert chosen(5, augment="none")["augment"] == "none"


def test_freeze_is_obeyed_whatever_the_number_of_pictures():
    assert chosen(5, freeze="none")["frozen_epochs"] == 0
    found = chosen(5000, freeze="backbone")
    assert found["frozen_epochs"] == found["epochs"]
    # One epoch has no room for two phases.
    assert chosen(5000, epochs=1)["frozen_epochs"] == 1


def test_from_scratch_all_is_trained_at_one_rate():
    found = chosen(5, from_scratch="unet", learning_rate=0.01)
    assert found["frozen_epochs"] == 0
    assert found["learning_rate"] == found["released_rate"] == 0.01


def test_what_is_said_comes_before_what_would_be_chosen():
    found = chosen(500, size=64, epochs=10, batch=4, learning_rate=0.1, augment="strong")
    assert found == {
        "size": 64,
        "patch": None,
        "epochs": 10,
        "steps": 125,
        "frozen_epochs": 2,
        "batch": 4,
        "augment": "strong",
        "learning_rate": 0.1,
        "released_rate": 0.05,
    }


@pytest.mark.parametrize(
    ("detail", "longest", "size"),
    [
        (1.0, 4000, 256),
        (0.032, 4000, 256),
        (0.03, 4000, 320),
        (0.022, 4000, 384),
        (0.015, 4000, 640),
        (0.001, 4000, 1024),
        # No larger than the pictures are, but for tiny ones.
        (0.001, 480, 480),
        (1.0, 200, 200),
        (1.0, 64, 128),
    ],
)
def test_thin_objects_ask_for_a_larger_input(detail, longest, size):
    assert size_for(detail, longest) == size
    found = chosen(50, detail=detail, longest=longest)
    assert found["size"] == size and found["patch"] == (256 if size > 384 else None)


def test_a_size_that_was_asked_for_is_learnt_in_patches_too():
    assert chosen(50, size=700)["patch"] == 256 and chosen(50, size=384)["patch"] is None


def test_more_pictures_carry_a_wider_network():
    assert [base_for(n) for n in (1, 999, 1000, 9999, 10**4)] == [16, 16, 32, 32, 64]


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"augment": "wild"}, "--augment"),
        ({"loss": "hinge"}, "--loss"),
        ({"optimizer": "lion"}, "--optimizer"),
        ({"schedule": "onecycle"}, "--schedule"),
        ({"precision": "float8"}, "--precision"),
        ({"gpus": "some"}, "--gpus"),
        ({"freeze": "head"}, "--freeze"),
        ({"from_scratch": "yolo"}, "--from-scratch"),
        ({"size": 0}, "--size"),
        ({"epochs": 0}, "--epochs"),
        ({"batch": -1}, "--batch"),
        ({"boundary": -1.0}, "--boundary"),
        ({"boundary": math.nan}, "--boundary"),
        ({"learning_rate": math.nan}, "--learning-rate"),
        ({"warmup": 1.0}, "--warmup"),
        ({"weight_decay": math.nan}, "--weight-decay"),
        ({"patience": -1}, "--patience"),
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
        Settings(from_scratch="unet", freeze="backbone")


def test_settings_survive_json_and_a_newer_key():
    settings = Settings(size=64, augment="strong", balance=False, loss="tversky", boundary=10.0)
    values = json.loads(json.dumps(settings.to_dict()))
    assert settings_from(values) == settings
    assert settings_from(values | {"of_the_future": 1}) == settings
    assert settings_from({}) == Settings()
