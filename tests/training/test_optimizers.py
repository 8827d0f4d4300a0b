"""Optimisers against the formulas of their papers, schedules against closed forms."""

import math

import keras
import numpy as np
import pytest

from cvtool.training.optimizers import (
    OPTIMIZERS,
    SCHEDULES,
    fit_to,
    optimizer_named,
    schedule_named,
)

PEAK, STEPS, WARM = 0.4, 110, 10


def rates(name, steps, **options):
    schedule = schedule_named(name, PEAK, STEPS, **{"warmup_steps": WARM} | options)
    return np.array([float(schedule(step)) for step in steps])


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_warm_up_is_a_line_to_the_peak(name):
    expected = PEAK * (0.01 + 0.99 * np.arange(10) / 10)
    np.testing.assert_allclose(rates(name, range(10)), expected, rtol=1e-5)
    assert rates(name, [WARM])[0] == pytest.approx(PEAK)
    assert rates(name, [0], warmup_steps=0)[0] == pytest.approx(PEAK)


@pytest.mark.parametrize(
    ("name", "decay"),
    [
        ("cosine", lambda t: 0.01 + 0.99 * (1 + math.cos(math.pi * t)) / 2),
        ("step", lambda t: 1 if t < 0.5 else 0.1 if t < 0.75 else 0.01),
        ("inverse", lambda t: 1 / (1 + 9 * t)),
        ("constant", lambda t: 1),
    ],
)
def test_the_decay_after_the_warm_up(name, decay):
    steps = (10, 11, 35, 59, 60, 84, 85, 109, 110)
    expected = [PEAK * decay((step - WARM) / (STEPS - WARM)) for step in steps]
    np.testing.assert_allclose(rates(name, steps), expected, rtol=1e-4)


@pytest.mark.parametrize(("name", "part"), [("cosine", 0.01), ("step", 0.01), ("inverse", 0.1)])
def test_the_rate_at_the_end(name, part):
    assert rates(name, [STEPS])[0] == pytest.approx(part * PEAK, rel=1e-4)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_survive_their_config(name):
    schedule = schedule_named(name, PEAK, STEPS, WARM)
    text = keras.saving.serialize_keras_object(schedule)
    again = keras.saving.deserialize_keras_object(text)
    assert type(again) is type(schedule)
    assert [float(again(s)) for s in (3, 50, 90)] == [float(schedule(s)) for s in (3, 50, 90)]


def test_a_training_of_one_step_has_a_rate():
    for name in SCHEDULES:
        assert float(schedule_named(name, PEAK, 1, 0)(0)) == pytest.approx(PEAK)


def two_steps(name, rate=0.1, start=2.0, gradients=(0.5, -0.25), **options):
    """Where an optimiser takes one number in two steps."""
    number = keras.Variable([[start]])
    optimizer = optimizer_named(name, rate, **options)
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor([[gradient]])], [number])
    return float(keras.ops.convert_to_numpy(number)[0, 0])


def adam_formula(weight_decay, rate=0.1, x=2.0, gradients=(0.5, -0.25)):
    """Kingma and Ba 2015, algorithm 1; with the decay of Loshchilov and Hutter 2019."""
    m = v = 0.0
    for t, g in enumerate(gradients, 1):
        x -= rate * weight_decay * x
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        x -= rate * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.999**t)) + 1e-7)
    return x


def test_adam_and_adamw():
    assert two_steps("adam") == pytest.approx(adam_formula(0), rel=1e-5)
    assert two_steps("adamw") == pytest.approx(adam_formula(0), rel=1e-5)
    assert two_steps("adamw", weight_decay=0.2) == pytest.approx(adam_formula(0.2), rel=1e-5)
    assert two_steps("adam", weight_decay=0.2) == pytest.approx(adam_formula(0.2), rel=1e-5)


def test_sgd_has_nesterov_momentum():
    x, momentum = 2.0, 0.0
    for g in (0.5, -0.25):
        momentum = 0.9 * momentum - 0.1 * g
        x += 0.9 * momentum - 0.1 * g
    assert two_steps("sgd") == pytest.approx(x, rel=1e-5)


def test_rmsprop():
    x, mean = 2.0, 0.0
    for g in (0.5, -0.25):
        mean = 0.9 * mean + 0.1 * g * g
        x -= 0.1 * g / math.sqrt(mean + 1e-7)
    assert two_steps("rmsprop") == pytest.approx(x, rel=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_draws_to_zero_without_a_gradient(name):
    options = {"rate": 0.1, "start": 3.0, "gradients": (0.0,)}
    assert two_steps(name, weight_decay=0.5, **options) == pytest.approx(3 * (1 - 0.05))
    assert two_steps(name, weight_decay=0.0, **options) == 3.0


def test_large_gradients_are_clipped_together():
    numbers = [keras.Variable([[0.0]]), keras.Variable([[0.0]])]
    optimizer = optimizer_named("sgd", 1.0, clip_norm=10)
    gradients = [keras.ops.convert_to_tensor([[g]]) for g in (300.0, 400.0)]
    optimizer.apply(gradients, numbers)
    moved = [float(keras.ops.convert_to_numpy(n)[0, 0]) for n in numbers]
    assert moved == pytest.approx([-6 * 1.9, -8 * 1.9], rel=1e-4)  # the first Nesterov step


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_decay_spares_biases_and_batch_norm(name):
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2), keras.layers.BatchNormalization()]
    )
    model.set_weights([w + 1 for w in model.get_weights()])
    before = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
    optimizer = optimizer_named(name, 0.1, weight_decay=0.5)
    fit_to(optimizer, model)
    zeros = [keras.ops.zeros_like(v) for v in model.trainable_variables]
    optimizer.apply(zeros, model.trainable_variables)
    after = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
    moved = [bool((a != b).any()) for a, b in zip(after, before, strict=True)]
    assert moved == [True, False, False, False]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_no_decay_needs_no_exclusion(name):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    fit_to(optimizer_named(name, 0.1), model)


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match="'lion' is not one of adamw, adam, sgd, rmsprop"):
        optimizer_named("lion", 0.1)
    with pytest.raises(ValueError, match="'linear' is not one of cosine, step, inverse, constant"):
        schedule_named("linear", 0.1, 10)
