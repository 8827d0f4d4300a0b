"""What one needs to know to run an exported file elsewhere, as the JSON beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from cvtool import __version__
from cvtool.detection.grid import OWN_DECODING, Decoding
from cvtool.exporting.agreement import Agreement
from cvtool.exporting.source import Source
from cvtool.models.presets import Preset

# The grey that completes a picture to a square.
_GREY = 114

MEANINGS = {
    "detect": "a row for each anchor of each cell, see decoding",
    "classify": "the probability of each class, in the order of classes",
    "segment": "for each pixel a logit for each class; the largest is its class",
    "verify": "of length 1; small squared distances are one person's",
    "features": "activations of the last block",
    "stylize": "the content in the style, RGB in [0, 255]",
}

PREPROCESSING = {
    "letterbox": "resize to fit the square, keep the shape, centre on grey 114",
    "stretch": "resize to the square, whatever the shape",
    "centre": "cut to the largest square in the middle, resize",
    "longer side": "resize the longer side to the size; complete below and at the right with "
    "grey 114; cut the answer likewise",
    "aligned face": "find the face and turn, scale and shift it so that eyes, nose and mouth are "
    "where the model expects them (cvtool.faces.alignment)",
}


def describe(
    source: Source,
    files: Sequence[Mapping[str, Any]],
    format: str,
    precision: str,
    agreement: Agreement,
) -> dict[str, Any]:
    """The JSON beside an exported file.

    Args:
        source: the network.
        files: name, sha256 and bytes of each file of it.
        format, precision: of the file.
        agreement: what the check found.
    """
    preset = source.preset
    output = [None if side is None else int(side) for side in source.network.output.shape]
    description: dict[str, Any] = {
        "model": preset.name,
        "task": preset.task,
        "description": preset.description,
        "cvtool": __version__,
        "format": format,
        "precision": precision,
        "files": list(files),
        "inputs": [
            {
                "name": name,
                "shape": list(source.shape),
                "dtype": "float32",
                "axes": "batch, height, width, colour",
                "colours": "RGB",
                "range": [0, 255],
            }
            for name in source.inputs
        ],
        "output": {
            "name": source.output,
            "shape": output,
            "dtype": "float32",
            "meaning": MEANINGS[preset.task],
        },
        "size": source.size,
        "multiple_of": source.step,
        "preprocessing": preprocessing(preset),
        "classes": list(preset.classes),
    }
    description |= task_details(preset)
    description |= {"licence": preset.licence, "data": preset.data, "check": agreement.to_dict()}
    return description


def preprocessing(preset: Preset) -> dict[str, Any]:
    """How a picture becomes the network's input: "fit", the way, and "words" for it."""
    ways = {"detect": preset.fit, "segment": "longer side", "verify": "aligned face"}
    way = ways.get(preset.task, "centre")
    result: dict[str, Any] = {"fit": way, "words": PREPROCESSING[way]}
    if way in ("letterbox", "longer side"):
        result["fill"] = _GREY
    return result


def task_details(preset: Preset) -> dict[str, Any]:
    """What a task needs to make sense of its network's output."""
    if preset.task == "detect":
        return {
            "anchors": [[list(shape) for shape in scale] for scale in preset.anchors],
            "strides": list(preset.strides),
            "score": preset.score,
            "decoding": box_decoding(preset),
        }
    if preset.task == "classify":
        return {"several": preset.several}
    if preset.task == "verify":
        return {"calibration": dict(preset.calibration)}
    return {}


def box_decoding(preset: Preset) -> dict[str, Any]:
    """How the rows of a detector's output become boxes, see `cvtool.detection.grid.Decoding`."""
    scales = [Decoding(**scale) for scale in preset.decoding]
    return {
        "row": ["x", "y", "width", "height", "objectness", "then one a class"],
        "order": "stride by stride, row by row, column by column, anchor by anchor",
        "scales": [asdict(scale) for scale in scales or [OWN_DECODING] * len(preset.strides)],
        "centre": "(sigmoid(x or y) s - (s - 1) / 2 + column or row) stride, with s = centre_scale",
        "size": "anchor exp(width or height) where size is exp, "
        "anchor (2 sigmoid(width or height))^2 where it is square",
        "score": "sigmoid(objectness) times the sigmoid of a class, or the softmax of all classes",
        "after": "keep the scores over a threshold, then non-maximum suppression class by class",
        "unit": "pixels of the input",
    }
