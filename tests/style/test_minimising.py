"""L-BFGS and Adam on functions whose minimum is known."""

import numpy as np
import pytest
from scipy.optimize import minimize

from cvtool.style.minimising import PATIENCE, NotANumber, adam, lbfgs

SHAPE = (6, 7, 3)
AIM = np.random.default_rng(0).uniform(40, 200, SHAPE)
STIFFNESS = np.random.default_rng(1).uniform(0.1, 3, SHAPE)


def bowl(pixels):
    """A quadratic with its minimum at AIM, its loss in two terms."""
    difference = pixels - AIM
    losses = (STIFFNESS * difference**2).sum() * np.array([0.25, 0.75])
    return losses, (2 * STIFFNESS * difference).astype(np.float32)


def run(minimise, function=bowl, iterations=200, start=0.0):
    """The last picture and the totals of all iterations."""
    seen, totals = [], []

    def on_iteration(pixels, losses):
        assert pixels.min() >= 0 and pixels.max() <= 255
        seen.append(pixels.copy())
        totals.append(losses.sum())

    minimise(function, np.full(SHAPE, start), iterations, on_iteration)
    return seen[-1], totals


@pytest.mark.parametrize(("minimise", "tolerance"), [(lbfgs, 0.1), (adam, 2.0)])
def test_the_minimum_is_found(minimise, tolerance):
    pixels, totals = run(minimise)
    assert np.abs(pixels - AIM).max() < tolerance
    assert totals[-1] < 1e-3 * totals[0]


def valley(pixels):
    """Rosenbrock's curved valley over all pixels, in hundreds of levels; some end at a bound."""
    x = pixels.ravel().astype(np.float64) / 100
    ahead = x[1:] - x[:-1] ** 2
    gradient = np.zeros_like(x)
    gradient[1:] += 20 * ahead
    gradient[:-1] += -40 * x[:-1] * ahead - 2 * (1.6 - x[:-1])
    losses = np.array([10 * (ahead**2).sum(), ((1.6 - x[:-1]) ** 2).sum()])
    return losses, (gradient / 100).reshape(pixels.shape).astype(np.float32)


def test_lbfgs_agrees_with_that_of_scipy():
    def flat(values):
        losses, gradient = valley(values.reshape(SHAPE))
        return losses.sum(), gradient.ravel().astype(np.float64)

    start = np.full(SHAPE, 30.0)
    theirs = minimize(flat, start.ravel(), jac=True, method="L-BFGS-B", bounds=[(0, 255)] * 126)
    pixels, totals = run(lbfgs, valley, iterations=600, start=30.0)
    assert (theirs.x == 255).any()
    np.testing.assert_allclose(totals[-1], theirs.fun, rtol=1e-3)
    np.testing.assert_allclose(pixels.ravel(), theirs.x, atol=1)


def test_the_loss_falls_with_every_iteration_of_lbfgs():
    _, totals = run(lbfgs, iterations=30)
    assert len(totals) > 5 and (np.diff(totals) <= 0).all()


def test_lbfgs_makes_no_more_iterations_than_asked_for():
    assert len(run(lbfgs, iterations=3)[1]) == 3
    assert len(run(adam, iterations=3)[1]) == 3


@pytest.mark.parametrize("minimise", [lbfgs, adam])
def test_pixels_stay_levels(minimise):
    def outside(pixels):
        return bowl(pixels + 300)

    pixels, _ = run(minimise, outside, start=100.0)
    assert (pixels == 0).all()


@pytest.mark.parametrize("minimise", [lbfgs, adam])
def test_a_loss_that_is_no_number_lowers_the_step(minimise):
    calls = []

    def holed(pixels):
        calls.append(1)
        losses, gradient = bowl(pixels)
        if len(calls) in (3, 4):
            return np.full(2, np.nan), gradient
        return losses, gradient

    _, totals = run(minimise, holed)
    assert np.isfinite(totals).all() and totals[-1] < 0.25 * totals[0]


@pytest.mark.parametrize("minimise", [lbfgs, adam])
def test_a_loss_that_stays_no_number_ends_it(minimise):
    calls, good = [], []

    def broken(pixels):
        calls.append(1)
        losses, gradient = bowl(pixels)
        return (losses if len(calls) < 3 else losses * np.nan), gradient

    with pytest.raises(NotANumber):
        minimise(broken, np.full(SHAPE, 9.0), 100, lambda pixels, losses: good.append(losses))
    assert len(calls) <= PATIENCE + 4 and all(np.isfinite(losses).all() for losses in good)
    calls.extend([1] * 3)
    with pytest.raises(NotANumber):
        minimise(broken, np.full(SHAPE, 9.0), 100, lambda pixels, losses: None)
