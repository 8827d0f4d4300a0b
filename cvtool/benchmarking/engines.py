"""The engines that are measured; nothing here loads one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from cvtool.errors import OptionError
from cvtool.exporting.formats import FORMATS, missing_packages, require
from cvtool.models.near_names import unknown_name


@dataclass(frozen=True, slots=True)
class Engine:
    """A program that runs networks.

    Attributes:
        title: its name for people.
        format: of the file that it is given, a key of `exporting.formats.FORMATS`.
        packages: what it takes, the making of the file included, beyond what cvtool always has.
        distributions: whose version is shown: the first that is installed.
    """

    title: str
    format: str
    packages: tuple[str, ...] = ()
    distributions: tuple[str, ...] = ()


_ONNX = ("onnx", "tf2onnx")
ENGINES: dict[str, Engine] = {
    "litert": Engine("LiteRT", "litert", (), ("ai-edge-litert", "tensorflow")),
    "tensorflow": Engine("TensorFlow", "saved_model", (), ("tensorflow", "tensorflow-cpu")),
    "onnxruntime": Engine(
        "ONNX Runtime", "onnx", (*_ONNX, "onnxruntime"), ("onnxruntime", "onnxruntime-gpu")
    ),
    "openvino": Engine("OpenVINO", "onnx", (*_ONNX, "openvino"), ("openvino",)),
    "opencv": Engine(
        "OpenCV DNN", "onnx", (*_ONNX, "cv2"), ("opencv-python", "opencv-python-headless")
    ),
}


def choose_engines(wanted: Sequence[str] | None) -> list[str]:
    """The engines to measure: those asked for, or all that are installed.

    Raises:
        OptionError: an unknown name.
        ModelError: one that was asked for is not installed.
    """
    if wanted is None:
        return [name for name, engine in ENGINES.items() if not missing_packages(engine.packages)]
    for name in wanted:
        if name not in ENGINES:
            raise OptionError(f"--engines: {unknown_name('engine', name, tuple(ENGINES))}")
        require(ENGINES[name].packages, f"measurements of {ENGINES[name].title}")
    return list(dict.fromkeys(wanted))


def left_out() -> dict[str, list[str]]:
    """Engines that are not installed, with what they lack."""
    lacking = {name: missing_packages(engine.packages) for name, engine in ENGINES.items()}
    return {name: packages for name, packages in lacking.items() if packages}


def engine_version(name: str) -> str:
    """The version of an engine's package, "" where it is not known."""
    for distribution in ENGINES[name].distributions:
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return ""


def formats_of(engines: Sequence[str]) -> list[str]:
    """The formats that engines need, each once, in the order of FORMATS."""
    needed = {ENGINES[name].format for name in engines}
    return [name for name in FORMATS if name in needed]
