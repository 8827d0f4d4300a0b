"""Style transfer as a whole, with a small untrained network."""

import numpy as np
import pytest

from cvtool.errors import CvtoolError, OptionError
from cvtool.style.settings import StyleSettings
from cvtool.style.transfer import transfer
from tiny_features import eager_functions, small_network, smooth

CONTENT = smooth((60, 96), 1)
STYLE = smooth((70, 80), 2, blur=2)
# One scale of 96 pixels, a second or less.
QUICK = {"size": 96, "iterations": 6}


@pytest.fixture(autouse=True)
def eager(request):
    if "compiled" in request.node.name:
        yield
        return
    with eager_functions():
        yield


@pytest.fixture(scope="module")
def network():
    return small_network()


def run(network, content=CONTENT, styles=(STYLE,), **chosen):
    arguments = {k: chosen.pop(k) for k in ("mask", "start", "on_step") if k in chosen}
    return transfer(
        content, styles, StyleSettings(**(QUICK | chosen)), network=network, **arguments
    )


def test_compiled_the_style_loss_falls_and_the_picture_changes(network):
    found = run(network, iterations=40, content_weight=0.01, tv_weight=0.01)
    assert found.pixels.shape == CONTENT.shape and found.pixels.dtype == np.uint8
    assert found.stopped == "" and len(found.steps) <= 40
    before, after = found.style_losses
    assert after < 0.2 * before
    assert found.steps[-1]["style"] == pytest.approx(after, rel=1e-3)
    assert set(found.steps[0]) == {
        *("scale", "iteration", "content", "style", "total_variation", "total")
    }


def test_compiled_the_total_falls_with_every_iteration_at_each_scale(network):
    found = run(network, size=256, iterations=16)
    for scale in (1, 2):
        totals = [step["total"] for step in found.steps if step["scale"] == scale]
        assert len(totals) > 3 and (np.diff(totals) <= 0).all()
    assert found.pixels.shape == (160, 256, 3)


def test_more_content_weight_keeps_the_picture_closer(network):
    near, far = (
        np.abs(run(network, content_weight=w, tv_weight=0).pixels - CONTENT.astype(int)).mean()
        for w in (1000, 0)
    )
    assert near < 0.7 * far


def test_a_blend_lies_between_its_styles(network):
    """All of one style is that style."""
    other = smooth((64, 64), 5)
    alone = run(network, iterations=3).pixels
    blended = run(network, styles=(STYLE, other), style_blend=(1.0, 0.0), iterations=3).pixels
    np.testing.assert_array_equal(alone, blended)
    half = run(network, styles=(STYLE, other), iterations=3).pixels
    assert np.abs(half.astype(int) - alone).mean() > 0.1


def test_the_same_seed_gives_the_same_picture(network):
    first, again, other = (
        run(network, init="noise", seed=seed, iterations=4).pixels for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_start_is_where_it_begins(network):
    start = np.full((30, 48, 3), 77, np.uint8)
    found = run(network, start=start, iterations=1, optimizer="adam")
    np.testing.assert_array_equal(found.pixels, np.full(CONTENT.shape, 77))


def test_black_parts_of_a_mask_stay_the_photograph(network):
    mask = np.zeros((30, 48))
    mask[:, 24:] = 1
    pixels = run(network, mask=mask).pixels
    np.testing.assert_array_equal(pixels[:, :44], CONTENT[:, :44])
    assert (pixels[:, 52:] != CONTENT[:, 52:]).any()


def test_colours_are_kept(network):
    grey = np.repeat(CONTENT.mean(-1, keepdims=True).astype(np.uint8), 3, axis=-1)
    pixels = run(network, content=grey, keep_colours="luminance").pixels
    assert np.ptp(pixels.astype(int), axis=-1).max() <= 2
    matched = run(network, keep_colours="histogram", content_weight=0).pixels
    taken = run(network, content_weight=0).pixels
    aim = CONTENT.mean((0, 1))
    assert np.abs(matched.mean((0, 1)) - aim).sum() < np.abs(taken.mean((0, 1)) - aim).sum()


def test_ctrl_c_and_a_caller_who_has_enough_keep_the_picture_so_far(network):
    def interrupt(step):
        if step.iteration == 3:
            raise KeyboardInterrupt

    found = run(network, on_step=interrupt)
    assert found.stopped == "interrupted" and len(found.steps) == 3
    assert (found.pixels != CONTENT).any()
    shown = []
    found = run(network, on_step=lambda step: shown.append(step.pixels()) or len(shown) == 2)
    assert found.stopped == "asked" and len(found.steps) == 2
    np.testing.assert_array_equal(found.pixels, shown[-1])


def test_a_loss_that_is_no_number_is_said(network, monkeypatch):
    from cvtool.style.objective import Objective

    calls = []
    real = Objective.__call__

    def broken(self, pixels):
        calls.append(1)
        losses, gradient = real(self, pixels)
        return (losses if len(calls) < 4 else losses * np.nan), gradient

    monkeypatch.setattr(Objective, "__call__", broken)
    found = run(network)
    assert found.stopped == "nan" and found.steps and found.pixels.shape == CONTENT.shape
    calls.extend([1] * 4)
    with pytest.raises(CvtoolError, match="no number at the first step"):
        run(network)


def test_tiles_give_the_same_picture(network):
    content = smooth((280, 300), 3)
    chosen = {"size": 300, "iterations": 2, "optimizer": "adam"}
    whole = run(network, content=content, **chosen).pixels.astype(int)
    tiled = run(network, content=content, tile=256, **chosen).pixels.astype(int)
    assert np.abs(whole - tiled).mean() < 0.05


def test_unknown_layers_and_strips_are_refused(network):
    with pytest.raises(OptionError, match='unknown layer "conv9"'):
        run(network, layers=("conv9",))
    with pytest.raises(OptionError, match="short side must be"):
        run(network, content=np.zeros((10, 900, 3), np.uint8))


@pytest.mark.parametrize("level", [0, 255])
def test_plain_pictures_and_thin_styles_work(network, level):
    plain = np.full((50, 60, 3), level, np.uint8)
    found = run(network, content=plain, styles=(smooth((4, 300), 1),), iterations=3)
    assert found.stopped == ""
