"""Minimise a function of a picture: L-BFGS or Adam.

Both take `function(pixels) -> (losses, gradient)` of a float picture (H, W, 3) and report each
iteration by `on_iteration(pixels, losses)`; pixels stay within [0, 255].
"""

from __future__ import annotations

import keras
import numpy as np
from scipy.optimize import Bounds, minimize

# Pairs of steps and gradients that L-BFGS remembers; of large pictures fewer, for each pair takes
# 32 bytes a number: at 2,048 px, 270 MB.
MEMORY, MEMORY_OF_LARGE = 10, 3
LARGE = 3 * 1024**2
# Levels that Adam moves a pixel in its first iterations.
ADAM_RATE = 4.0
# How often the step is lowered after a loss that is no number.
PATIENCE = 6


class NotANumber(Exception):
    """The loss is no number however small the step."""


def lbfgs(function, pixels, iterations, on_iteration):
    """L-BFGS with bounds (Zhu et al. 1997, SciPy's): the loss falls with each iteration.

    Args:
        function, on_iteration: see above.
        pixels: float (H, W, 3) to begin with.
        iterations: at most; fewer where no step makes the loss fall any more.
    Raises:
        NotANumber: the loss is not finite.
    """
    shape = pixels.shape
    # SciPy's first step has length 1. In these units that is a level for each pixel; in levels
    # it would be lost in the rounding of the loss.
    unit = np.sqrt(pixels.size)
    seen = {}
    bad = 0

    def flat(values):
        nonlocal bad
        losses, gradient = function(unit * values.reshape(shape))
        total = losses.sum()
        if not (np.isfinite(total) and np.isfinite(gradient).all()):
            bad += 1
            if "total" not in seen or bad > PATIENCE:
                raise NotANumber
            # A steep wall: the line search comes back with a smaller step.
            return 10 * abs(seen["total"]) + 1, -seen["gradient"]
        bad = 0
        seen.update(losses=losses, total=total, gradient=unit * gradient.ravel().astype(np.float64))
        return total, seen["gradient"]

    def callback(intermediate_result):
        on_iteration(unit * intermediate_result.x.reshape(shape), seen["losses"])

    minimize(
        flat,
        np.clip(pixels, 0, 255).ravel().astype(np.float64) / unit,
        jac=True,
        method="L-BFGS-B",
        bounds=Bounds(0, 255 / unit),
        callback=callback,
        options={
            "maxiter": iterations,
            "maxfun": 2 * iterations + 20,
            "maxcor": MEMORY if pixels.size <= LARGE else MEMORY_OF_LARGE,
            "ftol": 0,
            "gtol": 0,
        },
    )
    if bad:
        # The line search gave up at a wall.
        raise NotANumber


def adam(function, pixels, iterations, on_iteration):
    """Adam (Kingma and Ba 2015), its rate falling to a tenth along half a cosine.

    Args, raises: as `lbfgs`; after a loss that is no number it goes on from the last good
        picture with half the rate.
    """
    variable = keras.Variable(np.clip(pixels, 0, 255).astype(np.float32))
    optimizer, factor, bad, good = new_adam(variable), 1.0, 0, None
    for iteration in range(iterations):
        now = keras.ops.convert_to_numpy(variable)
        losses, gradient = function(now)
        if not (np.isfinite(losses).all() and np.isfinite(gradient).all()):
            factor, bad = factor / 2, bad + 1
            if good is None or bad > PATIENCE:
                raise NotANumber
            variable.assign(good)
            optimizer = new_adam(variable)
            continue
        good = now
        on_iteration(now, losses)
        cosine = (1 + np.cos(np.pi * iteration / iterations)) / 2
        optimizer.learning_rate = factor * ADAM_RATE * (0.1 + 0.9 * cosine)
        optimizer.apply([gradient], [variable])
        variable.assign(keras.ops.clip(variable, 0, 255))


def new_adam(variable):
    """An optimizer that has seen no gradient yet."""
    optimizer = keras.optimizers.Adam(ADAM_RATE, beta_1=0.9, beta_2=0.99)
    optimizer.build([variable])
    return optimizer
