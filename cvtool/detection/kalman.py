"""A Kalman filter of constant velocity for boxes, all boxes of a frame at once.

The state of a box is its midpoint x, midpoint y, width and height, and how fast each of them
changes. Noise grows with the box, as in DeepSORT (Wojke et al. 2017, section 2.1) and with the
values of BoT-SORT (Aharon et al. 2022, section 3.1). As no noise couples the four, they are four
filters of two numbers (value, velocity) each.

Time is counted in thirtieths of a second, the frames that those values were chosen for.

Shapes, for T boxes: means float64 (T, 4, 2) in pixels and pixels a thirtieth of a second;
covariances float64 (T, 4, 2, 2).
"""

from __future__ import annotations

import numpy as np

from cvtool.detection.boxes import cxcywh_to_xyxy, xyxy_to_cxcywh

# Standard deviations as shares of the box's width (for x, width) or height (for y, height).
POSITION = 1 / 20
VELOCITY = 1 / 160
# Of a box seen once: its place is about as sure as the detector, its velocity unknown.
FIRST_POSITION, FIRST_VELOCITY = 2 * POSITION, 10 * VELOCITY


def first_state(boxes) -> tuple[np.ndarray, np.ndarray]:
    """Means and covariances of boxes seen for the first time, at rest as far as is known.

    Args:
        boxes: float array (T, 4) xyxy, pixels.
    """
    values = xyxy_to_cxcywh(np.asarray(boxes, np.float64))
    means = np.stack([values, np.zeros_like(values)], axis=-1)
    variances = np.diag([FIRST_POSITION**2, FIRST_VELOCITY**2])
    return means, _squared_sizes(means) * variances


def predict(means, covariances, duration: float) -> tuple[np.ndarray, np.ndarray]:
    """The state some time later, with no new measurement.

    The velocity wanders as white noise of acceleration would make it, the value itself a little
    besides (Bar-Shalom et al. 2001, "Estimation with Applications to Tracking and Navigation",
    section 6.2.2), so that two steps give what one step of their sum gives.

    Args:
        means, covariances: as in the module's description.
        duration: thirtieths of a second, positive.
    """
    t = duration
    motion = np.array([[1.0, t], [0.0, 1.0]])
    wander = VELOCITY**2 * np.array([[t**3 / 3, t**2 / 2], [t**2 / 2, t]])
    wander[0, 0] += POSITION**2 * t
    noise = _squared_sizes(means) * wander
    return means @ motion.T, motion @ covariances @ motion.T + noise


def correct(means, covariances, boxes) -> tuple[np.ndarray, np.ndarray]:
    """The state after a measurement of every box.

    Args:
        means, covariances: as in the module's description.
        boxes: float array (T, 4) xyxy in pixels, the boxes that were measured.
    """
    # The measurement is the first number of each filter, so its row of the covariance is all
    # that the gain needs, and the matrix to invert is a number.
    measured_row = covariances[..., 0, :]
    measurement_noise = POSITION**2 * _squared_sizes(means)[..., 0]
    gain = measured_row / (measured_row[..., :1] + measurement_noise)
    surprise = xyxy_to_cxcywh(np.asarray(boxes, np.float64)) - means[..., 0]
    means = means + gain * surprise[..., None]
    return means, covariances - gain[..., :, None] * measured_row[..., None, :]


def boxes_of(means) -> np.ndarray:
    """Boxes (T, 4) xyxy in pixels of the states; their sides are never negative."""
    values = means[..., 0].copy()
    values[:, 2:] = np.maximum(values[:, 2:], 0)
    return cxcywh_to_xyxy(values)


def _squared_sizes(means) -> np.ndarray:
    """(T, 4, 1, 1): squared width for x and width, squared height for y and height.

    A box thinner than a pixel is measured no better than one of a pixel.
    """
    sizes = np.maximum(means[:, [2, 3, 2, 3], 0], 1.0)
    return (sizes**2)[..., None, None]
