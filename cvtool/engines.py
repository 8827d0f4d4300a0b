"""Run a network: LiteRT on a CPU, TensorFlow on a GPU; NumPy in, NumPy out.

An engine is a callable from pixels, uint8 or float (N, H, W, 3), to the
network's output as float32 NumPy array, with a `name`: "litert" or "tensorflow".
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np

from cvtool.errors import DeviceError, ModelError
from cvtool.gpus import visible_gpus
from cvtool.tensorflow_import import import_tensorflow, quiet_stderr

DEVICES = ("auto", "cpu", "gpu")


def choose_engine(device="auto"):
    """Name the engine for a device.

    Args:
        device: "auto" (a GPU when TensorFlow can see one, else the CPU), "cpu"
            or "gpu".
    Returns:
        "litert" or "tensorflow".
    Raises:
        DeviceError: "gpu" and there is none, or another name.
    """
    if device not in DEVICES:
        raise DeviceError(f'unknown device "{device}"; choose from {", ".join(DEVICES)}')
    if device == "cpu":
        return "litert"
    gpus, absence = visible_gpus()
    if gpus:
        return "tensorflow"
    if device == "gpu":
        raise DeviceError(f"no GPU to run on: {absence}; use --device cpu or auto")
    return "litert"


class LiteRTEngine:
    """A .tflite file in the LiteRT interpreter.

    Args:
        path: the file. Its input takes any batch and any picture size that the
            network allows.
        threads: CPU threads; None for as many as this process may use, up to 4.
    Raises:
        ModelError: the file is missing or is not a LiteRT model.
    """

    name = "litert"

    def __init__(self, path, threads=None):
        path = Path(path)
        threads = threads or min(4, usable_cores())
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
        try:
            self.interpreter = new_interpreter(content, threads)
        except (ValueError, RuntimeError) as error:
            raise ModelError(
                f"{path}: not a LiteRT model ({first_line(error)}); give another model"
            ) from error
        self.path = path
        self.input = self.interpreter.get_input_details()[0]
        self.output = self.interpreter.get_output_details()[0]["index"]
        self.shape = None

    def __call__(self, pixels):
        try:
            return self.run(pixels)
        except (ValueError, RuntimeError) as error:
            raise ModelError(
                f"{self.path}: does not run on input of shape {pixels.shape} "
                f"({first_line(error)}); try another --size or model"
            ) from error

    def run(self, pixels):
        """As a call; what the interpreter raises comes as it is."""
        if pixels.shape != self.shape:
            self.interpreter.resize_tensor_input(self.input["index"], pixels.shape)
            # It announces its CPU delegate on file descriptor 2, past Python.
            with quiet_stderr():
                self.interpreter.allocate_tensors()
            self.shape = pixels.shape
        self.interpreter.set_tensor(self.input["index"], pixels.astype(self.input["dtype"]))
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.output)


class TensorFlowEngine:
    """A Keras network as one compiled TensorFlow function.

    Args:
        build: function without arguments that returns the keras.Model.
        weights: its .weights.h5 file.
    Raises:
        ModelError: the file is missing, damaged or of another network.
    """

    name = "tensorflow"

    def __init__(self, build, weights):
        tensorflow = import_tensorflow()
        model = build()
        load_weights(model, weights)
        # One function for all shapes: a folder of odd batches must not trace anew each time.
        self.function = tensorflow.function(
            lambda pixels: model(pixels, training=False), reduce_retracing=True
        )

    def __call__(self, pixels):
        return self.function(np.asarray(pixels, np.float32)).numpy()


def load_weights(model, path):
    """Read a .weights.h5 file into a Keras network.

    Raises:
        ModelError: the file is missing, damaged or of another network.
    """
    try:
        with warnings.catch_warnings():
            # Keras warns of each part that a foreign file lacks, before it raises.
            warnings.simplefilter("ignore")
            model.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path}: not the weights of this network ({first_line(error)}); give another model"
        ) from error


def new_interpreter(content, threads):
    """A LiteRT interpreter of a model's bytes; TensorFlow's own where LiteRT has no wheel."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        Interpreter = import_tensorflow().lite.Interpreter
    with quiet_stderr():
        return Interpreter(model_content=content, num_threads=threads)


def usable_cores():
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def first_line(error):
    """The first line of an error's message, short enough to quote."""
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
