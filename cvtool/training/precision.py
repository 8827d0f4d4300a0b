"""Number format of a training."""

from __future__ import annotations

import keras

PRECISIONS = ("auto", "float32", "bfloat16")


def set_precision(precision="auto"):
    """Choose the number format for networks built from now on.

    `auto` is mixed bfloat16 on a GPU and float32 elsewhere: on most CPUs
    bfloat16 is emulated and several times slower. On a CPU with bfloat16
    instructions ask for it by name.

    Args:
        precision: "auto", "float32" or "bfloat16".
    Returns:
        the name of the Keras dtype policy now in force.
    Raises:
        ValueError: another name.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r} is not auto, float32 or bfloat16")
    if precision == "auto":
        precision = "bfloat16" if gpu_present() else "float32"
    policy = "mixed_bfloat16" if precision == "bfloat16" else "float32"
    keras.config.set_dtype_policy(policy)
    return policy


def gpu_present():
    """Whether the Keras backend sees a GPU."""
    if keras.backend.backend() == "torch":
        # Keras lists no devices there.
        return keras.ops.convert_to_tensor(0.0).device.type != "cpu"
    try:
        return bool(keras.distribution.list_devices("gpu"))
    # Without one, JAX raises.
    except RuntimeError:
        return False
