"""Minimise a function of a picture: L-BFGS or Adam.

Both take `function(pixels) -> (losses, gradient)` of a float picture (H, W, 3) and report each
iteration by `on_iteration(pixels, losses)`; pixels stay within [0, 255].
"""

from __future__ import annotations

from collections import deque

import keras
import numpy as np

# Pairs of steps and gradients that L-BFGS remembers; of large pictures fewer, for each pair takes
# 8 bytes a number: at 2,048 px, 100 MB.
MEMORY, MEMORY_OF_LARGE = 10, 5
LARGE = 3 * 1024**2
# The part of the decrease which the gradient promises that a step must bring (Armijo).
SUFFICIENT = 1e-4
# How often a step along one direction is shortened.
TRIALS = 20
# A pair of less curvature than this, cosine of its angle, is rounding.
LEAST_CURVATURE = 1e-6
# Levels that Adam moves a pixel in its first iterations.
ADAM_RATE = 4.0
# How often the step is lowered after a loss that is no number.
PATIENCE = 6


class NotANumber(Exception):
    """The loss is no number however small the step."""


def lbfgs(function, pixels, iterations, on_iteration):
    """L-BFGS with bounds, in float32: the loss falls with each iteration.

    The two-loop recursion of Nocedal and Wright (2006), algorithm 7.4, for the pixels that are
    free to move, and a line search along the path that is projected onto the bounds (Bertsekas
    1982, "Projected Newton methods for optimization problems with simple constraints").

    Args:
        function, on_iteration: see above.
        pixels: float (H, W, 3) to begin with.
        iterations: at most; fewer where no step makes the loss fall any more.
    Raises:
        NotANumber: the loss is not finite.
    """
    shape = pixels.shape

    def evaluate(values):
        losses, gradient = function(values.reshape(shape))
        return losses, np.asarray(gradient, np.float32).ravel()

    now = np.clip(pixels, 0, 255).astype(np.float32).ravel()
    losses, gradient = evaluate(now)
    if not is_finite(losses, gradient):
        raise NotANumber
    pairs = deque(maxlen=MEMORY if pixels.size <= LARGE else MEMORY_OF_LARGE)
    for _ in range(iterations):
        direction = descent(now, gradient, pairs)
        found = line_search(evaluate, now, losses, gradient, direction)
        if found is None and pairs:
            # What is remembered misleads; begin again with the gradient.
            pairs.clear()
            direction = descent(now, gradient, pairs)
            found = line_search(evaluate, now, losses, gradient, direction)
        if found is None:
            return
        after, losses, slope = found
        step, change = after - now, slope - gradient
        product = step @ change
        if product > LEAST_CURVATURE * np.linalg.norm(step) * np.linalg.norm(change):
            pairs.append((step, change, product))
        now, gradient = after, slope
        on_iteration(now.reshape(shape), losses)


def descent(now, gradient, pairs):
    """The direction of L-BFGS: minus the inverse Hessian that the pairs tell of, times gradient.

    Pixels that are at a bound and would leave it stay where they are.

    Args:
        now, gradient: float32 (N,).
        pairs: (step, change of the gradient, their product) of earlier iterations, oldest first.
    Returns:
        float32 (N,); without pairs the gradient, scaled to move a pixel by one level on average.
    """
    held = ((now <= 0) & (gradient > 0)) | ((now >= 255) & (gradient < 0))
    direction = np.where(held, 0, -gradient)
    if not pairs:
        norm = np.linalg.norm(direction)
        return direction * np.float32(np.sqrt(now.size) / norm) if norm else direction
    shares = []
    for step, change, product in reversed(pairs):
        shares.append((step @ direction) / product)
        direction -= shares[-1] * change
    _, change, product = pairs[-1]
    direction *= product / (change @ change)
    for (step, change, product), share in zip(pairs, reversed(shares), strict=True):
        direction += (share - (change @ direction) / product) * step
    direction[held] = 0
    return direction


def line_search(evaluate, now, losses, gradient, direction):
    """Shorten a step until the loss falls enough.

    Args:
        evaluate: values, float32 (N,), -> their losses and gradient.
        now, losses, gradient: where the step begins; direction: float32 (N,).
    Returns:
        the values after the step, their losses and gradient; None where none is lower.
    Raises:
        NotANumber: the loss is not finite however small the step.
    """
    total, length, bad = losses.sum(), np.float32(1), 0
    for _ in range(TRIALS):
        after = np.clip(now + length * direction, 0, 255)
        promised = gradient @ (after - now)
        if not promised < 0:
            return None
        new_losses, new_gradient = evaluate(after)
        if not is_finite(new_losses, new_gradient):
            bad += 1
            if bad > PATIENCE:
                raise NotANumber
            length /= 4
            continue
        rise = new_losses.sum() - total
        if rise <= SUFFICIENT * promised:
            return after, new_losses, new_gradient
        # The lowest point of the parabola through both losses and the slope.
        length *= np.float32(np.clip(promised / (2 * (promised - rise)), 0.1, 0.5))
    return None


def is_finite(losses, gradient):
    """Whether losses and gradient are numbers."""
    return bool(np.isfinite(losses).all() and np.isfinite(gradient).all())


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
        if not is_finite(losses, gradient):
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
