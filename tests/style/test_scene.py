"""What stays of a film from frame to frame."""

import numpy as np
import pytest

from cvtool.errors import OptionError
from cvtool.style.channel_statistics import Statistics, channel_statistics
from cvtool.style.scene import Scene


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
