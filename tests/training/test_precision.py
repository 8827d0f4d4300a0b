"""Which number format a training gets."""

import keras
import pytest

from cvtool.training.precision import set_precision


@pytest.fixture(autouse=True)
def policy_as_before():
    before = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(before)


def no_gpu(_):
    return []


def no_gpu_under_jax(_):
    raise RuntimeError("Unknown backend: 'gpu' requested")


def one_gpu(_):
    return ["gpu:0"]


@pytest.mark.parametrize(
    ("devices", "policy"),
    [(no_gpu, "float32"), (no_gpu_under_jax, "float32"), (one_gpu, "mixed_bfloat16")],
)
def test_auto_is_bfloat16_on_a_gpu_alone(devices, policy, monkeypatch):
    monkeypatch.setattr(keras.distribution, "list_devices", devices)
    assert set_precision() == policy == keras.config.dtype_policy().name


def test_a_precision_can_be_named_and_others_are_refused():
    assert set_precision("bfloat16") == "mixed_bfloat16"
    assert set_precision("float32") == "float32"
    with pytest.raises(ValueError, match="float16"):
        set_precision("float16")
