"""What a style transfer minimises, for whole pictures and in tiles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvtool.errors import OptionError
from cvtool.style.features import activations_of
from cvtool.style.objective import Objective
from cvtool.style.tiled import TiledObjective
from cvtool.style.tiles import STRIDE, tiles_of
from tiny_features import eager_functions, small_network, smooth

LAYERS = "block3_conv2", ["block1_conv1", "block2_conv1", "block4_conv1", "block5_conv1"]
WEIGHTS = (2.0, 30.0, 1e-3)


@pytest.fixture(autouse=True)
def eager(request):
    if "compiled" in request.node.name:
        yield
        return
    with eager_functions():
        yield


@pytest.fixture(scope="module")
def objective():
    return Objective(small_network(), *LAYERS, WEIGHTS)


def aimed(objective, mask=None, shape=(64, 80)):
    objective.aim(smooth(shape, 1), [(smooth((48, 70), 2), 0.7), (smooth((90, 50), 3), 0.3)], mask)
    return objective


def test_the_gradient_is_that_of_the_sum_of_the_losses(objective):
    aimed(objective)
    pixels = smooth((64, 80), 4).astype(np.float32)
    losses, gradient = objective(pixels)
    assert losses.shape == (3,) and (losses > 0).all() and gradient.shape == pixels.shape
    # Along the gradient, where the rounding of float32 and the kinks of ReLU matter least.
    direction = gradient / np.linalg.norm(gradient)
    above = objective(pixels + direction)[0].sum()
    below = objective(pixels - direction)[0].sum()
    assert np.linalg.norm(gradient) == pytest.approx((above - below) / 2, rel=0.02)


def test_the_content_picture_has_no_content_loss_and_the_style_no_style_loss(objective):
    content = smooth((64, 80), 1)
    objective.aim(content, [(content, 1.0)])
    losses, _ = objective(content.astype(np.float32))
    assert losses[:2] == pytest.approx([0, 0], abs=1e-9)


def test_nothing_changes_where_the_mask_is_black(objective):
    mask = np.zeros((64, 80), np.float32)
    mask[:, 40:] = 1
    aimed(objective, mask)
    _, gradient = objective(smooth((64, 80), 4).astype(np.float32))
    assert (gradient[:, :40] == 0).all() and (gradient[:, 40:] != 0).any()


def test_style_is_compared_only_under_the_mask(objective):
    """Two pictures that differ only outside the mask, far from it, have the same style loss."""
    mask = np.zeros((64, 240), np.float32)
    mask[:, :60] = 1
    first, second = (smooth((64, 240), 1) for _ in range(2))
    second[:, 200:] = smooth((64, 40), 9)
    losses = []
    for content in (first, second):
        objective.aim(content, [(smooth((48, 70), 2), 1.0)], mask)
        losses.append(objective(content.astype(np.float32))[0][1])
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    objective.aim(second, [(smooth((48, 70), 2), 1.0)])
    assert objective(second.astype(np.float32))[0][1] != pytest.approx(losses[0], rel=0.02)


@pytest.mark.parametrize(("shape", "masked"), [((300, 330), False), ((97, 403), True)])
def test_tiles_give_the_losses_and_the_gradient_of_the_whole_picture(objective, shape, masked):
    mask = smooth(shape, 7)[..., 0].astype(np.float32) / 255 if masked else None
    pixels = smooth(shape, 4).astype(np.float32)
    whole = aimed(objective, mask, shape)(pixels)
    tiled = aimed(TiledObjective(objective, 64), mask, shape)(pixels)
    np.testing.assert_allclose(tiled[0], whole[0], rtol=1e-4)
    error = np.abs(tiled[1] - whole[1]).max() / np.abs(whole[1]).max()
    assert error < 1e-3


@settings(max_examples=30, deadline=None)
@given(st.integers(16, 700), st.integers(16, 700), st.integers(4, 12).map(lambda n: n * STRIDE))
def test_tiles_cover_every_pixel_once(height, width, side):
    seen = np.zeros((height, width), int)
    for tile in tiles_of(height, width, side):
        seen[tile.within_picture(1)] += 1
        inner = np.zeros((height, width), bool)
        inner[tile.within_picture(1)] = True
        own = inner[tile.outer][tile.within_tile(1)]
        assert own.all() and own.sum() == inner.sum()
    assert (seen == 1).all()


def test_an_unknown_layer_is_refused_with_the_names():
    with pytest.raises(OptionError, match='unknown layer "block9".*block1_conv1, block1_conv2'):
        activations_of(small_network(), ["block9"])
