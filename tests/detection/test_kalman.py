"""The Kalman filter against matrices written out in full, and against least squares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvtool.detection import kalman
from cvtool.detection.boxes import xyxy_to_cxcywh

P, V = kalman.POSITION, kalman.VELOCITY


def wandering(duration, steps=20_000):
    """The noise of a time as the integral that defines it, over the moments it arises at."""
    left = (np.arange(steps) + 0.5) * duration / steps
    noise = V**2 * np.array([[left**2, left], [left, np.ones(steps)]]).sum(2) * duration / steps
    return noise + np.diag([P**2 * duration, 0])


class FullFilter:
    """The same filter with the eight numbers of one box in one state: textbook matrices."""

    def __init__(self, box):
        self.x = np.r_[xyxy_to_cxcywh(np.array(box, float)), np.zeros(4)]
        first = np.repeat([kalman.FIRST_POSITION, kalman.FIRST_VELOCITY], 4)
        self.cov = np.diag((first * np.tile(self.sizes(), 2)) ** 2)

    def sizes(self):
        return np.maximum(self.x[[2, 3, 2, 3]], 1)

    def predict(self, duration):
        motion = np.eye(8) + duration * np.eye(8, k=4)
        noise = np.kron(wandering(duration), np.diag(self.sizes() ** 2))
        self.x, self.cov = motion @ self.x, motion @ self.cov @ motion.T + noise

    def correct(self, box):
        seen = np.eye(4, 8)
        spread = seen @ self.cov @ seen.T + np.diag((P * self.sizes()) ** 2)
        gain = self.cov @ seen.T @ np.linalg.inv(spread)
        self.x = self.x + gain @ (xyxy_to_cxcywh(np.array(box, float)) - seen @ self.x)
        self.cov = (np.eye(8) - gain @ seen) @ self.cov


@pytest.mark.parametrize("duration", [1, 0.5, 6])
def test_many_boxes_at_once_are_as_each_in_a_full_matrix(duration):
    rng = np.random.default_rng(0)
    boxes = rng.uniform(0, 400, (5, 2, 2)).cumsum(1).reshape(5, 4) + [0, 0, 9, 9]
    boxes[0, 2:] = boxes[0, :2] + 0.3  # thinner than a pixel
    means, covariances = kalman.first_state(boxes)
    full = [FullFilter(box) for box in boxes]
    for step in range(6):
        means, covariances = kalman.predict(means, covariances, duration)
        measured = boxes + 4 * step * duration + rng.normal(0, 3, boxes.shape)
        measured[:, 2:] = np.maximum(measured[:, 2:], measured[:, :2] + 0.2)
        if step != 3:  # once no measurement
            means, covariances = kalman.correct(means, covariances, measured)
        for n, one in enumerate(full):
            one.predict(duration)
            if step != 3:
                one.correct(measured[n])
            np.testing.assert_allclose(means[n].T.ravel(), one.x, rtol=1e-6, atol=1e-6)
            blocks = one.cov.reshape(2, 4, 2, 4)[:, range(4), :, range(4)]
            np.testing.assert_allclose(covariances[n], blocks, rtol=1e-6, atol=1e-9)


def test_the_last_state_is_that_of_weighted_least_squares_over_all_measurements():
    """Minimise over the states of all times at once; the width stays, so the noise does."""
    width, duration, n = 40.0, 2.0, 8
    places = np.random.default_rng(1).normal(np.arange(n) * 7.0, 3.0)
    roots = [
        np.diag([kalman.FIRST_POSITION, kalman.FIRST_VELOCITY]) * width,
        np.linalg.cholesky(wandering(duration)) * width,
    ]
    motion = np.array([[1, duration], [0, 1]])
    rows, values = [], []
    for k in range(n):
        before, now = np.zeros((2, 2 * n)), np.zeros((1, 2 * n))
        before[:, 2 * k : 2 * k + 2], now[0, 2 * k] = np.eye(2), 1
        if k:
            before[:, 2 * k - 2 : 2 * k] = -motion
        rows.append(np.linalg.solve(roots[min(k, 1)], before))
        values.append(np.linalg.solve(roots[min(k, 1)], [0 if k else places[0], 0]))
        if k:
            rows.append(now / (P * width))
            values.append([places[k] / (P * width)])
    states = np.linalg.lstsq(np.concatenate(rows), np.concatenate(values), rcond=None)[0]

    boxes = [[x - width / 2, 0, x + width / 2, 30] for x in places]
    means, covariances = kalman.first_state(boxes[:1])
    for box in boxes[1:]:
        means, covariances = kalman.correct(*kalman.predict(means, covariances, duration), [box])
    assert means[0, 0] == pytest.approx(states[-2:], rel=1e-6)


@given(st.floats(0.01, 20), st.floats(0.01, 20))
def test_two_steps_are_one_step_of_their_sum(first, second):
    means, covariances = kalman.first_state([[0, 0, 30, 50]])
    means[..., 1] = [[3, -2, 0, 0]]  # its size stays, and so does its noise
    twice = kalman.predict(*kalman.predict(means, covariances, first), second)
    for a, b in zip(twice, kalman.predict(means, covariances, first + second), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)


def test_a_steady_motion_is_learned():
    means, covariances = kalman.first_state([[0, 0, 20, 40]])
    for step in range(1, 40):
        means, covariances = kalman.predict(means, covariances, 1)
        box = np.array([[3, -2, 3, -2]]) * step + [[0, 0, 20, 40]]
        means, covariances = kalman.correct(means, covariances, box)
    assert means[0, :, 1] == pytest.approx([3, -2, 0, 0], abs=0.1)
    np.testing.assert_allclose(kalman.boxes_of(means), box, atol=0.5)


def test_a_box_that_shrinks_away_is_never_inside_out():
    means, covariances = kalman.first_state([[0, 0, 10, 10]])
    means[0, 2:, 1] = -1
    means, _ = kalman.predict(means, covariances, 30)
    x1, y1, x2, y2 = kalman.boxes_of(means)[0]
    assert x1 == x2 and y1 == y2
