"""What the pre-training of the backbone shows its network."""

import numpy as np
import pytest

from recipe_runs import recipe_module


@pytest.fixture(scope="module")
def recipe():
    return recipe_module("pretrain_backbone")


def ramps(count):
    """Pictures whose green level is the column's number, and whose red level the row's."""
    rows, columns = np.mgrid[:64, :64].astype(np.uint8)
    return np.stack([np.stack([rows, columns, rows * 0 + 200], -1)] * count)


def test_views_are_upright_and_half_of_them_mirrored(recipe):
    views = recipe.augment(ramps(200), 48, 0.35, np.random.default_rng(0))
    assert views.shape == (200, 48, 48, 3) and views.dtype == np.float32
    rows, columns = views[..., 0], views[..., 1]
    # Rounding to whole levels is at most one, times a gain of at most 1.25 x 1.1.
    assert np.ptp(rows, axis=2).max() < 1.5 and np.ptp(columns, axis=1).max() < 1.5
    assert (rows[:, 0] < rows[:, -1]).all()
    mirrored = columns[:, 0, 0] > columns[:, 0, -1]
    assert 0.35 < mirrored.mean() < 0.65


@pytest.mark.parametrize(("side", "crop"), [(48, 0.35), (96, 0.9), (64, 1.0)])
def test_crops_lie_in_the_picture_and_keep_their_share(recipe, side, crop):
    matrices = recipe.draw_crops(500, side, crop, np.random.default_rng(1))
    # The outer edges of the view's first and last pixels.
    corners = np.array([[-0.5, side - 0.5], [-0.5, side - 0.5], [1, 1]])
    ends = matrices @ corners
    assert ends.min() > -0.5 - 1e-9 and ends.max() < 63.5 + 1e-9
    across, down = np.abs(ends[:, :, 1] - ends[:, :, 0]).T
    shares = across * down / 64**2
    # A crop that is longer than the picture loses up to a quarter of it.
    assert shares.min() > 0.74 * crop and shares.max() <= 1 + 1e-9
    fits = np.maximum(across, down) < 64 - 1e-9
    assert (shares[fits] > crop - 1e-9).all()
    assert ((across / down)[fits] > 0.74).all() and ((across / down)[fits] < 1.34).all()


def test_the_same_seed_gives_the_same_views(recipe):
    first, second = (recipe.augment(ramps(5), 32, 0.4, np.random.default_rng(3)) for _ in "ab")
    assert np.array_equal(first, second)
    assert not np.array_equal(first[0], first[1])


def test_half_of_the_batches_are_mixed_if_a_stage_says_so(recipe):
    pixels, labels = ramps(64), np.arange(64)

    def drawn(cutmix):
        batches = recipe.TrainingBatches(pixels, labels, 2, 32, 0.5, cutmix=cutmix)
        views, targets = zip(*(batches[i] for i in range(len(batches))), strict=True)
        return np.stack(views), np.stack(targets)

    (views, plain), (mixed_views, mixed) = drawn(0.0), drawn(1.0)
    assert set(np.unique(plain)) == {0, 1}
    np.testing.assert_allclose(mixed.sum(-1), 1, atol=1e-6)
    changed = (mixed_views != views).any((1, 2, 3, 4))
    assert np.array_equal(changed, (mixed.max(-1) < 1).any(-1))
    assert 0.2 < changed.mean() < 0.8
