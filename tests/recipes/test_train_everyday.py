"""What the training of the detector shows its network."""

import pytest

from recipe_runs import recipe_module


@pytest.fixture(scope="module")
def recipe():
    return recipe_module("train_everyday")


def test_a_smaller_square_shows_parts_of_pictures_of_the_last_stage(recipe):
    last, early = (recipe.augmentation(0.5, 0.0, 256 / side) for side in (256, 128))
    assert last == recipe.Augmentation(mosaic=0.5)
    for name in ("scale", "zoom"):
        pixels = [
            side * factor
            for side, given in ((256, last), (128, early))
            for factor in getattr(given, name)
        ]
        assert pixels[:2] == pixels[2:]
