"""cvtool: computer vision at the command line, and from Python.

    from cvtool import Detector, read_picture

    detector = Detector.load("everyday")
    for detection in detector(read_picture("street.jpg")):
        print(detection.label, detection.score, detection.box)

The names below are imported when they are first used, so that `import cvtool`
itself loads neither NumPy nor a network library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from cvtool.errors import CvtoolError

if TYPE_CHECKING:
    from cvtool.classification.classifier import Classification, Classifier
    from cvtool.detection.detector import Detection, Detector
    from cvtool.faces.verifier import Verification, Verifier
    from cvtool.networks import load_network
    from cvtool.pictures.reading import read_picture
    from cvtool.pictures.sources import read_pictures
    from cvtool.segmentation.segmenter import Segmentation, Segmenter
    from cvtool.visualising.search import visualise

__version__ = "0.1.0"

_HOMES = {
    "Classification": "cvtool.classification.classifier",
    "Classifier": "cvtool.classification.classifier",
    "Detection": "cvtool.detection.detector",
    "Detector": "cvtool.detection.detector",
    "Segmentation": "cvtool.segmentation.segmenter",
    "Segmenter": "cvtool.segmentation.segmenter",
    "Verification": "cvtool.faces.verifier",
    "Verifier": "cvtool.faces.verifier",
    "load_network": "cvtool.networks",
    "read_picture": "cvtool.pictures.reading",
    "read_pictures": "cvtool.pictures.sources",
    "visualise": "cvtool.visualising.search",
}

__all__ = [
    "Classification",
    "Classifier",
    "CvtoolError",
    "Detection",
    "Detector",
    "Segmentation",
    "Segmenter",
    "Verification",
    "Verifier",
    "__version__",
    "load_network",
    "read_picture",
    "read_pictures",
    "visualise",
]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'cvtool' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value  # the next use finds it without coming here
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
