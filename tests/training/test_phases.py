"""The phases of a training, and what each is compiled with."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from cvtool.training.phases import Phase, compile_phase, keep_average, phases_of

SETTINGS = SimpleNamespace(optimizer="adamw", schedule="cosine", warmup=0.1, weight_decay=0.01)


def phases(frozen, epochs):
    chosen = {"frozen_epochs": frozen, "epochs": epochs}
    return phases_of(chosen | {"learning_rate": 0.2, "released_rate": 0.1})


def test_frozen_first_and_then_at_the_lower_rate():
    assert phases(2, 9) == [Phase(0, 2, True, 0.2), Phase(2, 9, False, 0.1)]
    assert phases(9, 9) == [Phase(0, 9, True, 0.2)]
    assert phases(0, 9) == [Phase(0, 9, False, 0.1)]


def compiled(epochs, steps):
    network = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
    compile_phase(network, Phase(0, epochs, True, 0.5), SETTINGS, steps, "mse")
    return network


@pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (1, 8), (2, 20), (4, 20), (20, 400)])
def test_the_average_forgets_how_the_phase_began(epochs, steps):
    momentum = compiled(epochs, steps).optimizer.ema_momentum
    assert 0 < momentum < 1
    if epochs * steps >= 8:
        assert momentum ** (epochs * steps) < 0.05


@pytest.mark.parametrize(
    ("epochs", "steps", "reach"), [(50, 20, 50), (50, 100, 200), (50, 1000, 500), (2, 20, 10)]
)
def test_how_far_the_average_reaches(epochs, steps, reach):
    assert compiled(epochs, steps).optimizer.ema_momentum == pytest.approx(1 - 1 / reach)


def test_the_warm_up_takes_three_epochs_at_most():
    rate = compiled(100, 10).optimizer._learning_rate
    assert float(rate(30)) == pytest.approx(0.5) and float(rate(20)) < 0.4
    rate = compiled(10, 10).optimizer._learning_rate
    assert float(rate(10)) == pytest.approx(0.5)


def test_the_average_takes_the_place_of_the_weights():
    network = compiled(4, 4)
    x = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    for _ in range(3):
        network.train_on_batch(x, x[:, :2])
    raw = network.get_weights()
    averages = network.optimizer._model_variables_moving_average
    average = [keras.ops.convert_to_numpy(v) for v in averages]
    keep_average(network)
    for now, before, mean in zip(network.get_weights(), raw, average, strict=True):
        np.testing.assert_array_equal(now, mean)
        assert (now != before).any()
