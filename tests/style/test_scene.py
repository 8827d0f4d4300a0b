"""What stays of a film from frame to frame."""

import cv2
import numpy as np
import pytest

from cvtool.errors import OptionError
from cvtool.style.channel_statistics import Statistics, channel_statistics
from cvtool.style.scene import Scene, movement


def difference(one, other):
    return np.abs(one.astype(float) - other.astype(float)).mean()


def test_channel_statistics_are_numpys():
    features = np.random.default_rng(0).normal(100, 3, (40, 30, 4)).astype(np.float32)
    found = channel_statistics(features)
    np.testing.assert_allclose(found.mean, features.mean((0, 1), dtype=float), rtol=1e-5)
    np.testing.assert_allclose(found.deviation, features.std((0, 1), dtype=float), rtol=1e-3)


def test_a_scene_smooths_and_a_cut_begins_anew():
    def at(mean):
        return Statistics(np.full(3, mean), np.ones(3))

    scene = Scene(smoothing=0.75, cut=0.5)
    frames = [np.full((2, 2, 3), n, np.uint8) for n in range(3)]
    assert scene.update(frames[0], at(1.0)).mean[0] == 1
    assert scene.update(frames[1], at(1.4)).mean[0] == pytest.approx(1.1)
    assert scene.first is frames[0]
    assert scene.update(frames[2], at(5.0)).mean[0] == 5
    assert scene.first is frames[2]


def test_a_scene_averages_noise_but_nothing_that_moves():
    scene = Scene(smoothing=0.8)
    rng = np.random.default_rng(0)
    frames = []
    for number in range(8):
        frame = np.full((40, 60, 3), 100.0)
        frame[10:20, 5 * number : 5 * number + 10] = 220
        frames.append(np.clip(frame + rng.normal(0, 2, frame.shape), 0, 255).astype(np.uint8))
    made = [scene.steady(frame).astype(float) for frame in frames]
    still = np.s_[30:]
    change = difference(made[-1][still], made[-2][still])
    assert change < 0.5 * difference(frames[-1][still], frames[-2][still])
    # No trace of the past beside the object, none of the grey in it.
    assert np.abs(made[-1] - frames[-1])[8:22].max() < 12
    other = Scene(smoothing=0)
    for frame in frames:
        np.testing.assert_array_equal(other.steady(frame), frame)


@pytest.mark.parametrize("smoothing", [-0.1, 1])
def test_a_smoothing_that_makes_no_sense(smoothing):
    with pytest.raises(OptionError, match="smoothing"):
        Scene(smoothing)


def texture(height=96, width=160, seed=0):
    """Soft spots that can be followed, uint8 (H, W, 3)."""
    spots = np.random.default_rng(seed).integers(0, 256, (height // 6, width // 6, 3), np.uint8)
    return cv2.resize(spots, (width, height), interpolation=cv2.INTER_CUBIC)


def test_movement_finds_a_shift():
    photo = texture()
    maps = movement(photo[:, 5:133], photo[:, 2:130])
    rows, columns = np.indices((96, 128))
    inner = np.s_[12:-12, 12:-12]
    assert np.median(np.abs(maps[inner][..., 0] - (columns + 3)[inner])) < 0.3
    assert np.median(np.abs(maps[inner][..., 1] - rows[inner])) < 0.3


def test_strokes_move_with_what_they_are_on():
    """The networks' strokes flicker at random; along a pan, they are averaged."""
    photo, rng = texture(), np.random.default_rng(1)
    scene, step, made = Scene(smoothing=0.8), 3, []
    for number in range(10):
        frame = photo[:, step * number : step * number + 128]
        strokes = np.clip(frame + rng.normal(0, 20, frame.shape), 0, 255).astype(np.uint8)
        made.append((frame, strokes, scene.follow(frame, strokes)))
    (_, raw_before, before), (frame, raw, after) = made[-2:]
    inner = np.s_[10:-10, 10:-20]

    def change(now, then):
        return difference(now[:, :-step][inner], then[:, step:][inner])

    assert change(after, before) < 0.4 * change(raw, raw_before)
    # Averaged, not replaced: nearer to what it stands for.
    assert difference(after[inner], frame[inner]) < 0.7 * difference(raw[inner], frame[inner])


def test_nothing_is_followed_that_came_into_sight_or_into_a_new_scene():
    one, other = texture(seed=1), texture(seed=2)
    scene = Scene(smoothing=0.8)
    scene.follow(one, one)
    assert difference(scene.follow(other, other), other) < 3
    cut = Scene(smoothing=0.8)
    cut.first = one
    cut.follow(one, np.zeros_like(one))
    cut.first = other  # as `update` does it
    np.testing.assert_array_equal(cut.follow(one, one), one)
    small = one[:40]
    np.testing.assert_array_equal(cut.follow(small, small), small)


@pytest.mark.parametrize("shape", [(20, 300), (100, 16), (31, 100), (60, 960)])
def test_movement_in_long_and_narrow_frames(shape):
    photo = texture(*shape)
    maps = movement(photo, photo)
    rows, columns = np.indices(shape)
    assert maps.shape == (*shape, 2) and np.abs(maps - np.stack([columns, rows], -1)).max() < 1
