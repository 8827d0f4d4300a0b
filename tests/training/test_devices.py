"""One device by default; several where there are several."""

import contextlib

import keras
import numpy as np
import pytest

from cvtool.errors import DeviceError
from cvtool.training import devices


def test_one_device_needs_no_strategy():
    assert devices.training_strategy() is None
    assert isinstance(devices.scope_of(None), contextlib.nullcontext)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (([], "no NVIDIA driver is loaded"), "no NVIDIA driver is loaded"),
        ((["A4000 (/GPU:0)"], None), r"there is one GPU, A4000 \(/GPU:0\)"),
    ],
)
def test_all_gpus_of_less_than_two_are_refused(monkeypatch, found, words):
    monkeypatch.setattr(devices, "visible_gpus", lambda: found)
    with pytest.raises(DeviceError, match=f"--gpus all: {words}; leave it out"):
        devices.training_strategy("all")


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(devices, "visible_gpus", lambda: (["a", "b"], None))
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(DeviceError, match="KERAS_BACKEND=tensorflow"):
        devices.training_strategy("all")


def test_two_gpus_are_mirrored(monkeypatch):
    made = object()
    monkeypatch.setattr(devices, "visible_gpus", lambda: (["a", "b"], None))
    monkeypatch.setattr(devices, "mirrored_strategy", lambda: made)
    assert devices.training_strategy("all") is made


def one_step(scope):
    """Weights of a small network before and after a step, and the loss."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 3)).astype(np.float32), np.eye(2, dtype=np.float32)[[0, 1] * 4]
    with scope:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.5), loss)
        before = model.get_weights()
        history = model.fit(x, y, batch_size=8, epochs=1, shuffle=False, verbose=0)
    return before, model.get_weights(), history.history["loss"][0]


def test_a_mirrored_step_is_a_step():
    plain = one_step(contextlib.nullcontext())
    mirrored = one_step(devices.scope_of(devices.mirrored_strategy(["/cpu:0"])))
    assert np.abs(mirrored[0][0] - mirrored[1][0]).max() > 0.01
    for a, b in zip(plain[0] + plain[1], mirrored[0] + mirrored[1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert mirrored[2] == pytest.approx(plain[2], rel=1e-4)
