"""Run an exported file in the program that it is made for; NumPy in, NumPy out.

Each function opens a file and returns a function from float32 arrays (N, H, W, 3), one an input,
to the output, a float32 array. What goes wrong raises whatever the program raises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cvtool.tensorflow_import import import_tensorflow, quiet_stderr

Runner = Callable[..., np.ndarray]


def run_litert(path: Path, inputs: Sequence[str], threads: int) -> Runner:
    """A .tflite file in LiteRT's interpreter, with its inputs resized to what it is given."""
    from cvtool.engines import new_interpreter

    interpreter = new_interpreter(path.read_bytes(), threads)
    details = interpreter.get_input_details()
    if len(inputs) > 1:
        # The interpreter has its own order of inputs; the names are in the signature.
        named = interpreter.get_signature_runner().get_input_details()
        details = [named[name] for name in inputs]
    output = interpreter.get_output_details()[0]["index"]
    shapes: list[tuple[int, ...]] = []

    def run(*arrays):
        if [array.shape for array in arrays] != shapes:
            for detail, array in zip(details, arrays, strict=True):
                # Where nothing is free, resizing would undo the planned memory for nothing.
                if tuple(detail["shape"]) != array.shape:
                    interpreter.resize_tensor_input(detail["index"], array.shape)
            with quiet_stderr():
                interpreter.allocate_tensors()
            shapes[:] = [array.shape for array in arrays]
        for detail, array in zip(details, arrays, strict=True):
            interpreter.set_tensor(detail["index"], array.astype(detail["dtype"], copy=False))
        interpreter.invoke()
        return interpreter.get_tensor(output)

    return run


def run_onnxruntime(path: Path, inputs: Sequence[str], threads: int) -> Runner:
    """An ONNX file in ONNX Runtime, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors only
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(*arrays):
        return session.run(None, dict(zip(inputs, arrays, strict=True)))[0]

    return run


def run_openvino(path: Path, inputs: Sequence[str], threads: int) -> Runner:
    """An OpenVINO or ONNX file in OpenVINO, on the CPU and in float32, compiled for each shape."""
    import openvino

    core = openvino.Core()
    # Left to itself, it computes in bfloat16 where the CPU can.
    options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    options["INFERENCE_NUM_THREADS"] = str(threads)
    compiled: dict[tuple[int, ...], Any] = {}

    def run(*arrays):
        shape = arrays[0].shape
        if shape not in compiled:
            # Read anew, for to reshape a model is to change it.
            model = core.read_model(str(path))
            if model.input(0).partial_shape.is_dynamic:
                model.reshape({name: list(shape) for name in inputs})
            compiled.clear()
            compiled[shape] = core.compile_model(model, "CPU", options)
        return compiled[shape](dict(zip(inputs, arrays, strict=True)))[0]

    return run


def run_opencv(path: Path, inputs: Sequence[str], threads: int) -> Runner:
    """An ONNX file of a fixed size in OpenCV's DNN module."""
    import cv2

    cv2.setNumThreads(threads)
    with quiet_stderr():
        network = cv2.dnn.readNetFromONNX(str(path))

    def run(*arrays):
        for name, array in zip(inputs, arrays, strict=True):
            network.setInput(array, name)
        return network.forward()

    return run


def run_tensorflow(path: Path, inputs: Sequence[str], threads: int) -> Runner:
    """A SavedModel in TensorFlow, on a GPU if it sees one."""
    tensorflow = import_tensorflow()
    if threads:
        _set_threads(tensorflow, threads)
    loaded = tensorflow.saved_model.load(str(path))
    function = loaded.signatures["serving_default"]

    def run(*arrays):
        named = {n: tensorflow.constant(a) for n, a in zip(inputs, arrays, strict=True)}
        return next(iter(function(**named).values())).numpy()

    run.model = loaded  # its variables live as long as it does
    return run


# Format -> how a file of it is run.
RUNNERS: dict[str, Callable[[Path, Sequence[str], int], Runner]] = {
    "litert": run_litert,
    "onnx": run_onnxruntime,
    "openvino": run_openvino,
    "saved_model": run_tensorflow,
}


def _set_threads(tensorflow, threads: int) -> None:
    # Possible only before its first operation; in a process that has used it, it stays as it is.
    try:
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return
