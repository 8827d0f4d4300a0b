"""What a training on people chooses by itself."""

import pytest

from cvtool.errors import OptionError
from cvtool.faces.settings import Settings, chosen_for, settings_from


def chosen(people, pictures, **given):
    return chosen_for(Settings(**given), people=people, pictures=pictures)


@pytest.mark.parametrize(
    ("people", "pictures", "expected"),
    [
        (90, 473, {"people": 16, "pictures": 4, "batch": 64, "epochs": 16, "steps": 10}),
        (2, 6, {"people": 2, "pictures": 4, "batch": 8, "epochs": 16, "steps": 10}),
        (900, 6400, {"people": 16, "batch": 64, "epochs": 8, "steps": 100}),
    ],
)
def test_a_batch_holds_several_pictures_of_several_people(people, pictures, expected):
    found = chosen(people, pictures)
    assert {key: found[key] for key in expected} == expected


def test_the_backbone_is_released_where_there_are_pictures_enough():
    assert chosen(20, 99)["frozen_epochs"] == 16
    assert chosen(20, 100)["frozen_epochs"] == 2
    assert chosen(20, 100, freeze="backbone")["frozen_epochs"] == 16
    assert chosen(20, 99, freeze="none")["frozen_epochs"] == 0


def test_what_is_given_is_taken_and_a_batch_has_a_triplet_at_least():
    found = chosen(90, 473, epochs=3, batch=24, learning_rate=0.01)
    assert (found["people"], found["batch"], found["epochs"]) == (6, 24, 3)
    assert (found["learning_rate"], found["released_rate"]) == (0.01, 0.005)
    tiny = chosen(90, 473, batch=1)
    assert (tiny["people"], tiny["pictures"]) == (2, 2)


@pytest.mark.parametrize(
    "wrong",
    [{"augment": "wild"}, {"freeze": "all"}, {"batch": 0}, {"weight_decay": 1.0}, {"seed": -1}],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(OptionError, match="--" + next(iter(wrong)).replace("_", "-")):
        Settings(**wrong)


def test_settings_come_back_from_json():
    settings = Settings(epochs=3, freeze="none")
    assert settings_from(settings.to_dict() | {"of a newer cvtool": 1}) == settings
