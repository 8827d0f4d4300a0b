"""Pictures painted at random, for the training of instant styles."""

import numpy as np
import pytest
import skimage.data

from recipe_runs import recipe_module

PHOTO = skimage.data.astronaut()


@pytest.fixture(scope="module")
def painted():
    """The module of the recipe that paints."""
    return recipe_module("painted")


@pytest.mark.parametrize("manner", ["strokes", "dots", "flat"])
def test_painted_pictures_are_new_and_repeat_with_the_seed(painted, manner):
    photo = PHOTO[:128, 100:228]

    def paint(seed):
        rng = np.random.default_rng(seed)
        if manner == "flat":
            return painted.contours(painted.flat_areas(photo, rng), photo, rng)
        return painted.strokes(photo, rng, dots=manner == "dots")

    one, again, other = paint(1), paint(1), paint(2)
    assert one.shape == photo.shape and one.dtype == np.uint8
    np.testing.assert_array_equal(one, again)
    assert (one != other).mean() > 0.1 and (one != photo).mean() > 0.5


def test_painting_gives_other_colours_each_time(painted):
    photo = PHOTO[:128, 100:228]
    means = [painted.paint(photo, np.random.default_rng(seed)).mean((0, 1)) for seed in range(8)]
    assert np.std(means, axis=0).min() > 5
