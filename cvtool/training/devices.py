"""On which devices a training runs."""

from __future__ import annotations

import contextlib

import keras

from cvtool.errors import DeviceError
from cvtool.gpus import visible_gpus


def training_strategy(gpus="one"):
    """How to spread a training over devices.

    Args:
        gpus: "one" for a single device, whatever it is; "all" to split each batch among
            all GPUs of this machine, which takes the TensorFlow backend.
    Returns:
        None for one device, or a `tf.distribute.MirroredStrategy`; for `scope_of`.
    Raises:
        DeviceError: "all" and there are not two GPUs or more.
    """
    if gpus == "one":
        return None
    names, absence = visible_gpus()
    if len(names) < 2:
        reason = absence or f"there is one GPU, {names[0]}"
        raise DeviceError(f"--gpus all: {reason}; leave it out to train on one device")
    if keras.backend.backend() != "tensorflow":
        raise DeviceError("--gpus all takes the TensorFlow backend; set KERAS_BACKEND=tensorflow")
    return mirrored_strategy()


def scope_of(strategy):
    """The context in which to build, compile and fit a network."""
    return contextlib.nullcontext() if strategy is None else strategy.scope()


def mirrored_strategy(devices=None):
    """Synchronous training on several devices of one machine, gradients summed over them.

    Args:
        devices: TensorFlow device names; None for all GPUs.
    """
    from cvtool.tensorflow_import import import_tensorflow

    return import_tensorflow().distribute.MirroredStrategy(devices)
