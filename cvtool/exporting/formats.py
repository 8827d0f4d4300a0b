"""The formats a model can be exported to; nothing here loads a network library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from cvtool.errors import ModelError, OptionError, OutputError

FormatName = Literal["litert", "onnx", "saved_model", "openvino"]
Precision = Literal["float32", "float16", "int8"]


@dataclass(frozen=True, slots=True)
class Format:
    """A format of files.

    Attributes:
        title: its name for people.
        ending: of the file, or of the folder that a SavedModel is.
        precisions: the kinds of numbers that weights can be stored as.
        packages: what converting to it and running it takes, beyond what cvtool always has.
        companions: endings of further files that belong to it.
    """

    title: str
    ending: str
    precisions: tuple[Precision, ...]
    packages: tuple[str, ...] = ()
    companions: tuple[str, ...] = ()

    @property
    def is_folder(self) -> bool:
        return self.ending == ".saved_model"


FORMATS: dict[str, Format] = {
    "litert": Format("LiteRT", ".tflite", ("float32", "float16", "int8")),
    "onnx": Format("ONNX", ".onnx", ("float32", "float16"), ("onnx", "tf2onnx", "onnxruntime")),
    "saved_model": Format("SavedModel", ".saved_model", ("float32",)),
    "openvino": Format("OpenVINO", ".xml", ("float32", "float16"), ("openvino",), (".bin",)),
}


def check_format(name: str, precision: str) -> Format:
    """The format of that name, seen to hold such numbers and to have its packages installed.

    Raises:
        OptionError: unknown, or without that precision.
        ModelError: a package is missing.
    """
    if name not in FORMATS:
        raise OptionError(f'unknown format "{name}"; choose from {", ".join(FORMATS)}')
    chosen = FORMATS[name]
    if precision not in chosen.precisions:
        able = [key for key, other in FORMATS.items() if precision in other.precisions]
        remedy = f"choose {' or '.join(chosen.precisions)}"
        if able:
            remedy += f", or --format {' or '.join(able)}"
        raise OptionError(f"{chosen.title} files are not written in {precision}; {remedy}")
    require(chosen.packages, f"{chosen.title} files")
    return chosen


def require(packages: Sequence[str], what: str) -> None:
    """Refuse what needs packages that are not installed.

    Raises:
        ModelError: naming the packages that are missing.
    """
    missing = missing_packages(packages)
    if missing:
        needed = "is" if len(missing) == 1 else "are"
        raise ModelError(
            f"{what} need {', '.join(missing)}, which {needed} not installed: "
            'pip install "cvtool[export]"'
        )


def missing_packages(packages: Sequence[str]) -> list[str]:
    """Those of the packages that are not installed; none is imported."""
    return [package for package in packages if find_spec(package) is None]


def output_path(out: Path | None, name: str, chosen: Format) -> Path:
    """Where an export goes.

    Args:
        out: a folder, there or to be made; the file itself (for a SavedModel, the folder it is)
            if it has the format's ending; None for the current folder.
        name: of the model.
        chosen: the format.
    Raises:
        OutputError: `out` has another ending.
    """
    # A model.json may have been written by anybody: its name leads nowhere else.
    name = Path(name).name or "model"
    if out is None:
        return Path(name + chosen.ending)
    if out.suffix == chosen.ending:
        return out
    if out.suffix and not out.is_dir():
        raise OutputError(
            f"{out}: {chosen.title} files end in {chosen.ending}; name one, or a folder"
        )
    return out / (name + chosen.ending)


def description_path(path: Path) -> Path:
    """The JSON beside an exported file: its whole name with .json after it."""
    return path.with_name(path.name + ".json")
