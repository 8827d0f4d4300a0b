"""Say which class a picture shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cvtool.classification.views import centre_view, ten_crops
from cvtool.engines import LiteRTEngine, TensorFlowEngine, choose_engine
from cvtool.errors import ModelError, OptionError
from cvtool.models.presets import find_model, preset_file

SMALLEST_SIZE = 16


@dataclass(frozen=True, slots=True)
class Classification:
    """One class of a picture.

    Attributes:
        label: the class.
        score: its probability, in [0, 1].
    """

    label: str
    score: float

    def to_dict(self):
        """The classification as the documented JSON object, rounded for reading."""
        return {"label": self.label, "score": round(self.score, 4)}


class Classifier:
    """One trained network with its engine, or several whose probabilities are averaged.

    `Classifier.load` makes one.

    Attributes:
        model_name: the preset's or the training's name; several are joined by "+".
        engine_name: "litert" or "tensorflow".
        classes: labels in the order of the class ids.
        size: side of the square that the (first) network sees, in pixels.
        several: whether a picture may have several labels: then each probability
            stands for itself, and they do not sum to 1.
    """

    def __init__(self, members):
        """
        Args:
            members: list of (preset, engine, size).
        """
        self.members = members
        self.model_name = "+".join(preset.name for preset, _, _ in members)
        first, engine, self.size = members[0]
        self.engine_name = engine.name
        self.classes, self.several = first.classes, first.several
        for other, _, _ in members[1:]:
            if set(other.classes) != set(self.classes) or other.several != self.several:
                raise ModelError(
                    f'models "{first.name}" and "{other.name}" have different classes, so their '
                    "probabilities cannot be averaged; give models of the same classes"
                )
        # Where a member's classes stand in the order of the first.
        self.orders = [
            np.array([preset.classes.index(label) for label in self.classes])
            for preset, _, _ in members
        ]

    @classmethod
    def load(cls, model="tiny200", *, device="auto", size=None):
        """Load a classifier.

        Args:
            model: a preset's name, the folder of a trained model, or a name of
                `cvtool.models.applications.APPLICATIONS`; or a list of these, whose
                probabilities are averaged (an ensemble).
            device: "auto", "cpu" or "gpu", see `cvtool.engines.choose_engine`.
            size: side of the network's square input in pixels; None for the model's own.
        Raises:
            ModelError: unknown, damaged, not a classifier, of another set of classes, or
                a network that takes one size only.
            DeviceError: "gpu" and there is none.
            OptionError: a size under 16.
        """
        names = [model] if not isinstance(model, list | tuple) else list(model)
        if not names:
            raise ModelError("no model is named; give a name such as tiny200")
        return cls([_load_one(name, device, size) for name in names])

    def __call__(self, pixels, *, top=5, tta=False):
        """Classify a picture.

        Args:
            pixels: uint8 RGB array (H, W, 3).
            top: how many classes at most.
            tta: average over five crops and their mirror images, see `views.ten_crops`.
        Returns:
            list of Classification, most probable first.
        """
        probabilities = self.probabilities(pixels, tta=tta)
        best = np.argsort(-probabilities, kind="stable")[:top]
        return [Classification(self.classes[i], float(probabilities[i])) for i in best]

    def probabilities(self, pixels, *, tta=False):
        """The probability of each class.

        Args:
            pixels: uint8 RGB array (H, W, 3).
            tta: as in a call.
        Returns:
            float32 array (C,).
        """
        total = np.zeros(len(self.classes), np.float32)
        for (preset, engine, size), order in zip(self.members, self.orders, strict=True):
            views = ten_crops(pixels, size) if tta else centre_view(pixels, size)[None]
            outputs = engine(views)
            expected = (len(views), len(preset.classes))
            if outputs.shape != expected:
                raise ModelError(
                    f'model "{preset.name}": its network gives {outputs.shape} where its '
                    f"description says {expected}; the two do not belong together, give "
                    "another model"
                )
            total += outputs.mean(axis=0)[order]
        return total / len(self.members)


def _load_one(model, device, size):
    preset = find_model(model)
    if preset.task != "classify":
        raise ModelError(f'model "{preset.name}" is for {preset.task}, not for classify')
    if size is not None and size < SMALLEST_SIZE:
        raise OptionError(f"size {size} is under {SMALLEST_SIZE} pixels; try {preset.size}")
    if size not in (None, preset.size) and preset.architecture.get("fixed_size"):
        raise ModelError(
            f'model "{preset.name}" takes pictures of {preset.size} pixels only; leave out the size'
        )
    if choose_engine(device) == "litert":
        engine = LiteRTEngine(preset_file(preset, "litert"))
    else:
        from cvtool.classification.networks import build

        engine = TensorFlowEngine(lambda: build(preset), preset_file(preset, "weights"))
    return preset, engine, size or preset.size
