"""Whether a model's description is one that its task's commands can use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cvtool.models.presets import Preset


def check_files(files: Mapping[str, Any], source: Mapping[str, Any]) -> None:
    """Raise ValueError where a description names files elsewhere: paths are made of these.

    Args:
        files, source: as presets.json and model.json have them.
    """
    for file in files.values():
        if file["file"] != PurePath(file["file"]).name or "\\" in file["file"]:
            raise ValueError(f"file {file['file']!r} is no plain name")
    for file in (*files.values(), *source.get("files", {}).values()):
        if not re.fullmatch("[0-9a-f]{64}", str(file["sha256"])):
            raise ValueError(f"sha256 {file['sha256']!r} is not 64 hexadecimal digits")


def check_preset(preset: Preset, *, whole: bool = True) -> None:
    """Raise ValueError where a description contradicts itself or lacks something.

    Args:
        preset: as read from presets.json or model.json.
        whole: False for one whose files are still to come, and with them a part of this.
    """
    if preset.task == "detect" and whole:
        _check_detector(preset)
    if not isinstance(preset.architecture, Mapping):
        raise ValueError("its architecture is no object")
    if preset.task == "verify":
        _check_calibration(preset.calibration)
    if not all(isinstance(label, str) for label in preset.classes):
        raise ValueError("its classes are not all names")
    # A mask has room for 255 ids, and one more for pixels of no class.
    if preset.task == "segment" and not (2 <= len(preset.classes) <= 255 and preset.size >= 1):
        raise ValueError("a segmenter needs the background, 1 to 254 classes and a size")
    fewest = 1 if preset.several else 2
    if preset.task == "classify" and (len(preset.classes) < fewest or preset.size < 1):
        raise ValueError("a classifier needs two classes or more and a size")


def _check_calibration(calibration: Any) -> None:
    """Raise ValueError where a face model's calibration is not what `Verifier` reads."""
    if not isinstance(calibration, Mapping):
        raise ValueError("its calibration is no object")
    rates = calibration.get("rates", [])
    numbers = [rate[key] for rate in rates for key in ("far", "threshold", "tar")]
    numbers += [calibration["threshold"]] if rates else []
    if any(isinstance(n, bool) or not isinstance(n, int | float) for n in numbers):
        raise ValueError("its calibration holds what is no number")
    if sorted(rates, key=lambda rate: rate["far"]) != list(rates):
        raise ValueError("the rates of its calibration do not rise")


def _check_decoding(preset: Preset) -> None:
    """Raise ValueError where a detector's decoding or fit is not what `Detector` knows."""
    if preset.fit not in ("letterbox", "stretch"):
        raise ValueError(f"fit {preset.fit!r} is neither letterbox nor stretch")
    if preset.decoding and len(preset.decoding) != len(preset.strides):
        raise ValueError("as many decodings are needed as strides")
    for scale in preset.decoding:
        centre_scale = scale["centre_scale"]
        if isinstance(centre_scale, bool) or not isinstance(centre_scale, int | float):
            raise ValueError(f"centre_scale {centre_scale!r} of its decoding is no number")
        if scale["size"] not in ("exp", "square") or scale["classes"] not in ("sigmoid", "softmax"):
            raise ValueError(f"its decoding {scale} is not known")
        if set(scale) != {"centre_scale", "size", "classes"}:
            raise ValueError(f"its decoding {scale} is not known")


def _check_detector(preset: Preset) -> None:
    """Raise ValueError where the numbers that boxes are decoded with contradict each other."""
    if not preset.classes or not preset.strides:
        raise ValueError("a detector needs classes and strides")
    if len(preset.anchors) != len(preset.strides):
        raise ValueError("as many lists of anchors are needed as strides")
    if not all(preset.anchors):
        raise ValueError("every stride needs anchors")
    if "darknet" not in preset.architecture and len({len(s) for s in preset.anchors}) > 1:
        raise ValueError("every stride needs the same number of anchors")
    _check_decoding(preset)
    if preset.size < 1 or preset.size % max(preset.strides):
        raise ValueError(f"size {preset.size} is not a multiple of {max(preset.strides)}")
    score = preset.score
    if score is not None and (
        isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1
    ):
        raise ValueError(f"score {score!r} is no number from 0 to 1")
