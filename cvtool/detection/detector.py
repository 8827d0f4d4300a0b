"""Find objects in a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cvtool.detection.decoding import decode, select
from cvtool.detection.grid import Decoding, prediction_grid
from cvtool.detection.letterbox import FITS, unletterbox_boxes
from cvtool.engines import LiteRTEngine, TensorFlowEngine, choose_engine
from cvtool.errors import ModelError, OptionError
from cvtool.models.near_names import unknown_name
from cvtool.models.presets import find_model, preset_file
from cvtool.pictures.tiling import tile_boxes

# The least score of a box that is kept, where a model's description names none of its own.
USUAL_SCORE = 0.25


@dataclass(frozen=True, slots=True)
class Detection:
    """One object.

    Attributes:
        label: its class.
        score: p_c x class probability, in [0, 1].
        box: x1, y1, x2, y2 in pixels of the picture, inside it.
        id: number of the object in a video that is tracked, from 1; None otherwise.
    """

    label: str
    score: float
    box: tuple[float, float, float, float]
    id: int | None = None

    def to_dict(self):
        """The detection as the documented JSON object, numbers rounded for reading."""
        known = {
            "label": self.label,
            "score": round(self.score, 4),
            "box": [round(edge, 1) for edge in self.box],
        }
        return known if self.id is None else known | {"id": self.id}


class Detector:
    """A trained YOLO with its engine. `Detector.load` makes one.

    Attributes:
        model_name: the preset's or the training's name.
        engine_name: "litert" or "tensorflow".
        classes: labels in the order of the class ids.
        size: side of the square that the network sees, in pixels.
        score: boxes that score at least this are kept where nothing else is asked for.
    """

    def __init__(self, preset, engine, size=None):
        self.preset = preset
        self.engine = engine
        self.model_name = preset.name
        self.engine_name = engine.name
        self.classes = preset.classes
        self.size = size or preset.size
        self.score = USUAL_SCORE if preset.score is None else preset.score
        # In input pixels whatever the size: the network is convolutional, so an object of
        # so many pixels looks the same to it in a small input and in a large one.
        self.anchors = preset.anchors
        self.decodings = [Decoding(**scale) for scale in preset.decoding]

    @classmethod
    def load(cls, model="everyday", *, device="auto", size=None):
        """Load a detector.

        Args:
            model: a preset's name, or the folder of a trained model.
            device: "auto", "cpu" or "gpu", see `cvtool.engines.choose_engine`.
            size: side of the network's square input in pixels, a multiple of
                32; None for the model's own. Larger finds smaller objects and
                takes longer.
        Raises:
            ModelError: unknown, damaged, or not a detector.
            DeviceError: "gpu" and there is none.
            OptionError: a size that is not a positive multiple of 32, or of the
                largest stride of a model that has a larger one.
        """
        if size is not None and (size < 32 or size % 32):
            raise OptionError(f"size {size} is not a multiple of 32; try 320 or 416")
        preset = find_model(model)
        if preset.task != "detect":
            raise ModelError(f'model "{preset.name}" is for {preset.task}, not for detect')
        if size is not None and size % max(preset.strides):
            raise OptionError(
                f"size {size} is not a multiple of {max(preset.strides)}, the largest stride of "
                f'model "{preset.name}"'
            )
        if choose_engine(device) == "litert":
            engine = LiteRTEngine(preset_file(preset, "litert"))
        else:
            engine = TensorFlowEngine(lambda: build(preset), preset_file(preset, "weights"))
        return cls(preset, engine, size)

    def __call__(
        self,
        pixels,
        *,
        min_score=None,
        max_iou=0.45,
        max_boxes=300,
        classes: Sequence[str] | None = None,
        tile=None,
    ):
        """Detect the objects in a picture.

        Args:
            pixels: uint8 RGB array (H, W, 3).
            min_score: keep boxes at least this sure, in [0, 1]; None for the model's own
                `score`.
            max_iou: of boxes of one class that overlap more, only the best stays.
            max_boxes: at most so many.
            classes: keep these labels only; None for all.
            tile: look also at overlapping squares of this side in pixels, for
                small objects in large pictures; None for the whole picture only.
        Returns:
            list of Detection, best first.
        Raises:
            OptionError: an unknown class.
        """
        boxes, scores, class_ids = self.detect_arrays(
            pixels,
            min_score=min_score,
            max_iou=max_iou,
            max_boxes=max_boxes,
            classes=classes,
            tile=tile,
        )
        return [
            Detection(self.classes[c], float(score), tuple(float(edge) for edge in box))
            for box, score, c in zip(boxes, scores, class_ids, strict=True)
        ]

    def detect_arrays(
        self, pixels, *, min_score=None, max_iou=0.45, max_boxes=300, classes=None, tile=None
    ):
        """As `__call__`, with arrays as the result.

        Returns:
            boxes float32 (N, 4) in picture pixels, scores float32 (N,), class
            ids int (N,), best first.
        """
        min_score = self.score if min_score is None else min_score
        wanted = self.class_ids(classes)
        views = [(0, 0, pixels.shape[1], pixels.shape[0])]
        if tile is not None and max(pixels.shape[:2]) > tile:
            views += [tuple(int(edge) for edge in t) for t in tile_boxes(*pixels.shape[:2], tile)]
        found = [self.look(pixels, view, min_score) for view in views]
        boxes, scores, class_ids = (np.concatenate(parts) for parts in zip(*found, strict=True))
        if wanted is not None:
            keep = np.isin(class_ids, wanted)
            boxes, scores, class_ids = boxes[keep], scores[keep], class_ids[keep]
        return select(boxes, scores, class_ids, max_iou=max_iou, max_boxes=max_boxes)

    def look(self, pixels, view, min_score):
        """Boxes in one part of the picture before suppression, in picture pixels."""
        x1, y1, x2, y2 = view
        part = pixels[y1:y2, x1:x2]
        square, scale, padding = self.fit(part)
        boxes, scores, class_ids = self.decode(self.predict(square), min_score)
        boxes = unletterbox_boxes(boxes, scale, padding, *part.shape[:2])
        boxes += np.array([x1, y1, x1, y1], np.float32)
        # Clipping can leave a box of the padding without area.
        keep = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        keep &= ~cut_by_view(boxes, view, pixels.shape[:2])
        return boxes[keep], scores[keep], class_ids[keep]

    def fit(self, pixels):
        """A picture as the network sees it, with scale and padding, see `letterbox.FITS`."""
        return FITS[self.preset.fit](pixels, self.size)

    def decode(self, raw, min_score):
        """Boxes, scores and class ids of what `predict` gave, in pixels of the square."""
        return decode(
            raw,
            self.size,
            self.anchors,
            self.preset.strides,
            decodings=self.decodings,
            min_score=min_score,
        )

    def predict(self, square):
        """The network's raw output for its input square, float (P, 5 + classes).

        Raises:
            ModelError: the network is not the one that the model's description is of.
        """
        raw = self.engine(square[None])
        grid = prediction_grid(self.size, self.anchors, self.preset.strides)
        expected = (1, len(grid), 5 + len(self.classes))
        if raw.shape != expected:
            raise ModelError(
                f'model "{self.model_name}": its network gives {raw.shape} where its description '
                f"says {expected}; the two do not belong together, give another model"
            )
        return raw[0]

    def class_ids(self, classes):
        """Class ids of labels; None stays None."""
        if classes is None:
            return None
        for label in classes:
            if label not in self.classes:
                raise OptionError(unknown_name("class", label, self.classes))
        return [self.classes.index(label) for label in classes]


def cut_by_view(boxes, view, size, margin=2):
    """Which boxes end at an edge of the view that is not an edge of the picture.

    Such a box shows a part of its object. The whole object is in the next tile,
    with which this one overlaps, or, if it is large, in the view of the whole
    picture; NMS could not tell that the two are one.

    Args:
        boxes: float array (N, 4) in picture pixels.
        view: x1, y1, x2, y2 of the view in picture pixels.
        size: height and width of the picture.
        margin: how near the edge counts, in pixels.
    Returns:
        bool array (N,).
    """
    (x1, y1, x2, y2), (height, width) = view, size
    cut = np.zeros(len(boxes), bool)
    if x1 > 0:
        cut |= boxes[:, 0] <= x1 + margin
    if y1 > 0:
        cut |= boxes[:, 1] <= y1 + margin
    if x2 < width:
        cut |= boxes[:, 2] >= x2 - margin
    if y2 < height:
        cut |= boxes[:, 3] >= y2 - margin
    return cut


def build(preset):
    """The Keras network of a detector's preset, with untrained weights.

    Raises:
        ModelError: a Darknet configuration in model.json that cannot be used.
    """
    if "darknet" in preset.architecture:
        from cvtool.models.darknet.network import network_of

        return network_of(preset.architecture, f'the configuration of model "{preset.name}"')
    from cvtool.detection.yolo import yolo

    return yolo(
        len(preset.classes), num_anchors=len(preset.anchors[0]), **dict(preset.architecture)
    )
