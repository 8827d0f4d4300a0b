"""Write a network in each format."""

from __future__ import annotations

import errno
import logging
import warnings
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import numpy as np

from cvtool.engines import first_line
from cvtool.errors import CvtoolError, ModelError, OutputError
from cvtool.exporting.formats import FORMATS
from cvtool.exporting.source import Source, batches_of
from cvtool.tensorflow_import import import_tensorflow, quiet_stderr

# Task -> what stays float32 in an int8 file. A style is in means and deviations, and int8 makes
# zeros of small deviations, which are then divided by.
FLOAT_OPERATIONS = {
    "stylize": ("MEAN", "SQUARED_DIFFERENCE", "SQRT", "DIV", "MUL", "ADD", "SUB"),
}
# Smaller tensors stay float32 in a float16 ONNX file: they weigh nothing.
FEWEST_HALVED = 32


def convert(
    source: Source,
    path: Path,
    format: str,
    *,
    precision: str = "float32",
    calibration: tuple[np.ndarray, ...] = (),
) -> None:
    """Write a network as a file, or as the folder that a SavedModel is.

    Args:
        source: the network.
        path: what to write, with the format's ending; not there yet. OpenVINO writes another
            file beside it.
        format: a key of `formats.FORMATS`.
        precision: of the stored weights; int8 computes in int8 too.
        calibration: for int8: one uint8 (N, H, W, 3) an input, pictures as the network sees them.
    Raises:
        ModelError: the network cannot be converted.
        OutputError: there is no space for it.
    """
    try:
        with _quiet():
            _WRITERS[format](source, path, precision, calibration)
    except CvtoolError:
        raise
    # The converters raise whatever they like.
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise OutputError(
                f"{gettempdir()}: no space left for what is converted; make room or set TMPDIR"
            ) from error
        raise ModelError(
            f'model "{source.preset.name}" cannot be converted to {FORMATS[format].title} '
            f"({first_line(error)}); try another --format or --size"
        ) from error


def write_saved_model(source: Source, path: Path, precision="float32", calibration=()) -> None:
    """Write a SavedModel, whose inputs and output have their names in the source."""
    tensorflow = import_tensorflow()
    # Not Keras's export, which stores every weight twice.
    module = tensorflow.Module()
    module.weights = [variable.value for variable in source.original.variables]
    tensorflow.saved_model.save(module, str(path), {"serving_default": _function(source)})


def write_litert(source: Source, path: Path, precision="float32", calibration=()) -> None:
    """Write a LiteRT file whose inputs and output are float32 whatever the precision."""
    lite = import_tensorflow().lite
    with TemporaryDirectory() as folder:
        saved = Path(folder) / "model"
        write_saved_model(source, saved)
        converter = lite.TFLiteConverter.from_saved_model(str(saved))
        if precision != "float32":
            converter.optimizations = [lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [import_tensorflow().float16]
        if precision == "int8":
            converter.representative_dataset = lambda: _examples(source, calibration)
        kept = FLOAT_OPERATIONS.get(source.preset.task)
        if precision == "int8" and kept:
            content = _partly_int8(converter, kept)
        else:
            content = converter.convert()
    path.write_bytes(content)


def write_onnx(source: Source, path: Path, precision="float32", calibration=()) -> None:
    """Write an ONNX file; in float16, its weights are widened again when it is loaded."""
    import onnx
    import tf2onnx

    # What Keras mends in tf2onnx for NumPy 2; gone from Keras, it is no longer needed.
    with suppress(ImportError):
        from keras.src.export.tf2onnx_lib import patch_tf2onnx

        patch_tf2onnx()
    model, _ = tf2onnx.convert.from_function(_function(source), input_signature=_signature(source))
    _rename_output(model.graph, source.output)
    _name_free_sides(model.graph)
    if precision == "float16":
        _halve(model.graph)
    model.producer_name = "cvtool"
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def write_openvino(source: Source, path: Path, precision="float32", calibration=()) -> None:
    """Write OpenVINO's .xml and .bin."""
    import openvino

    with TemporaryDirectory() as folder:
        saved = Path(folder) / "model"
        write_saved_model(source, saved)
        # Not `convert_model`, which takes a hundred times as long for the same.
        model = openvino.Core().read_model(str(saved))
        openvino.save_model(model, str(path), compress_to_fp16=precision == "float16")


_WRITERS: dict[str, Callable] = {
    "litert": write_litert,
    "onnx": write_onnx,
    "saved_model": write_saved_model,
    "openvino": write_openvino,
}


def _function(source: Source):
    """The network as a TensorFlow function of its inputs by name that gives its output by name."""

    def one(pixels):
        return {source.output: source.network(pixels, training=False)}

    def two(content, style):
        return {source.output: source.network([content, style], training=False)}

    return import_tensorflow().function(
        one if len(source.inputs) == 1 else two, input_signature=_signature(source), autograph=False
    )


def _signature(source: Source):
    tensorflow = import_tensorflow()
    return [tensorflow.TensorSpec(source.shape, "float32", name=name) for name in source.inputs]


def _partly_int8(converter, kept: Sequence[str]) -> bytes:
    """The int8 file with some kinds of operation left in float32."""
    lite = import_tensorflow().lite
    options = lite.experimental.QuantizationDebugOptions(denylisted_ops=list(kept))
    debugger = lite.experimental.QuantizationDebugger(
        converter=converter,
        debug_dataset=converter.representative_dataset,
        debug_options=options,
    )
    return debugger.get_nondebug_quantized_model()


def _examples(source: Source, calibration: tuple[np.ndarray, ...]):
    """The calibration pictures as the LiteRT converter wants them, so many at a time."""
    for rows in batches_of(len(calibration[0]), source.batch or 1):
        yield {
            name: views[rows].astype(np.float32)
            for name, views in zip(source.inputs, calibration, strict=True)
        }


def _rename_output(graph, name: str) -> None:
    """Give the graph's one output a name of ours."""
    old = graph.output[0].name
    for node in graph.node:
        for values in (node.input, node.output):
            for index, value in enumerate(values):
                if value == old:
                    values[index] = name
    graph.output[0].name = name


def _name_free_sides(graph) -> None:
    """Call free sizes what they are instead of unk__12."""
    for value in (*graph.input, *graph.output):
        sides = value.type.tensor_type.shape.dim
        for side, name in zip(sides, ("batch", "height", "width", "channels"), strict=False):
            if not side.HasField("dim_value"):
                # Only inputs' sides mean this; an output's are computed from them.
                known = value in graph.input or name == "batch"
                side.dim_param = name if known else f"{value.name}_{name}"


def _halve(graph) -> None:
    """Store weights as float16, each with a cast back to float32 that is done once, at loading."""
    import onnx

    casts = []
    for tensor in graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < FEWEST_HALVED:
            continue
        wide, half = tensor.name, f"{tensor.name}_float16"
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(onnx.helper.make_node("Cast", [half], [wide], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


@contextmanager
def _quiet():
    """Without what the converters say on stderr and by warnings and loggers."""
    logger = logging.getLogger("tf2onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), quiet_stderr():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
