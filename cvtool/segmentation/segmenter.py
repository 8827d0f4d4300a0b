"""Say which class every pixel of a picture shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from cvtool.engines import LiteRTEngine, TensorFlowEngine, choose_engine
from cvtool.errors import ModelError, OptionError
from cvtool.models.near_names import unknown_name
from cvtool.models.presets import find_model, preset_file
from cvtool.pictures.tiling import row_bands
from cvtool.segmentation.augmentation import FILL
from cvtool.segmentation.blending import blend_tiles

SMALLEST_SIZE = 32


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """The classes of a picture's pixels.

    Attributes:
        mask: uint8 (H, W), the class id of each pixel of the picture; 0 is the background.
        classes: labels in the order of the class ids.
        soft: uint8 (H, W), how probable it is that a pixel is no background (or of a class
            that was asked for), 255 for certain; None where it was not asked for.
    """

    mask: np.ndarray
    classes: tuple[str, ...]
    soft: np.ndarray | None = None

    @property
    def class_ids(self) -> list[int]:
        """Ids of the classes in the mask, largest area first, without the background."""
        areas = self.areas()
        present = [number for number in range(1, len(self.classes)) if areas[number]]
        return sorted(present, key=lambda number: -areas[number])

    def areas(self) -> np.ndarray:
        """Pixels of each class, int (C,)."""
        total = np.zeros(256, int)
        # In bands, for `bincount` makes eight bytes of every pixel.
        for rows in row_bands(len(self.mask), 8 * self.mask.shape[1]):
            total += np.bincount(self.mask[rows].ravel(), minlength=256)
        return total[: len(self.classes)]

    def to_dict(self) -> dict[str, Any]:
        """The segmentation as the documented JSON object, without the pixels."""
        height, width = self.mask.shape
        areas = self.areas()
        classes = []
        for number in self.class_ids:
            area = int(areas[number])
            classes.append(
                {
                    "id": number,
                    "label": self.classes[number],
                    "area": area,
                    "share": round(area / (height * width), 6),
                    "box": list(bounding_box(self.mask == number)),
                }
            )
        return {"width": width, "height": height, "classes": classes}


def bounding_box(where: np.ndarray) -> tuple[int, int, int, int]:
    """The smallest x1, y1, x2, y2 round the set pixels of a bool (H, W) that has some."""
    x, y, width, height = cv2.boundingRect(where.view(np.uint8))
    return x, y, x + width, y + height


class Segmenter:
    """A trained U-Net with its engine. `Segmenter.load` makes one.

    Attributes:
        model_name: the preset's or the training's name.
        engine_name: "litert" or "tensorflow".
        classes: labels in the order of the class ids; the first is the background.
        size: longer side of what the network sees, in pixels.
    """

    def __init__(self, preset, engine, size=None):
        self.preset = preset
        self.engine = engine
        self.model_name = preset.name
        self.engine_name = engine.name
        self.classes = preset.classes
        self.size = size or preset.size

    @classmethod
    def load(cls, model="everyday-unet", *, device="auto", size=None):
        """Load a segmenter.

        Args:
            model: a preset's name, or the folder of a trained model.
            device: "auto", "cpu" or "gpu", see `cvtool.engines.choose_engine`.
            size: longer side of what the network sees in pixels, at least 32; None for the
                model's own. Larger sees finer detail and takes longer.
        Raises:
            ModelError: unknown, damaged, not for segmentation, or of one size only where
                another is asked for.
            DeviceError: "gpu" and there is none.
            OptionError: a size under 32.
        """
        if size is not None and size < SMALLEST_SIZE:
            raise OptionError(f"size {size} is under {SMALLEST_SIZE} pixels; try 320 or 512")
        preset = find_model(model)
        if preset.task != "segment":
            raise ModelError(f'model "{preset.name}" is for {preset.task}, not for segment')
        if size not in (None, preset.size) and preset.architecture.get("fixed_size"):
            raise ModelError(
                f'model "{preset.name}" takes pictures of {preset.size} pixels only; leave out '
                "the size"
            )
        if choose_engine(device) == "litert":
            engine = LiteRTEngine(preset_file(preset, "litert"))
        else:
            engine = TensorFlowEngine(lambda: build(preset), preset_file(preset, "weights"))
        return cls(preset, engine, size)

    def __call__(
        self, pixels, *, tile=None, classes: Sequence[str] | None = None, soft=False
    ) -> Segmentation:
        """Segment a picture.

        The network sees the picture with its longer side scaled to `size`; what it says is
        enlarged to the picture. Beyond the picture itself and the mask, this takes little
        memory, however large the picture is.

        Args:
            pixels: uint8 RGB array (H, W, 3).
            tile: look at overlapping squares of this side in pixels instead, for fine
                detail in large pictures; None for the whole picture at once.
            classes: keep these labels only, and make the others background; None for all.
            soft: fill in `Segmentation.soft`, for a cut-out.
        Raises:
            OptionError: an unknown class.
            ModelError: the network is not the one that the model's description is of.
        """
        wanted = self.class_ids(classes)
        kept = np.zeros(256, np.uint8)
        kept[wanted] = wanted
        height, width = pixels.shape[:2]
        mask = np.empty((height, width), np.uint8)
        alpha = np.empty((height, width), np.uint8) if soft else None
        count = len(self.classes)
        for rows, maps in self._bands(pixels, tile, wanted if soft else None):
            mask[rows] = kept[maps[:count].argmax(axis=0)]
            if soft:
                alpha[rows] = np.rint(255 * maps[count])
        return Segmentation(mask, self.classes, alpha)

    def mask(self, pixels, tile=None) -> np.ndarray:
        """The class id of each pixel, uint8 (H, W); arguments as for a call."""
        return self(pixels, tile=tile).mask

    def class_ids(self, classes: Sequence[str] | None) -> list[int]:
        """Class ids of labels; None stands for all but the background.

        Raises:
            OptionError: an unknown class.
        """
        if classes is None:
            return list(range(1, len(self.classes)))
        for label in classes:
            if label not in self.classes[1:]:
                raise OptionError(unknown_name("class", label, self.classes[1:]))
        return [self.classes.index(label) for label in classes]

    def _bands(self, pixels, tile, foreground) -> Iterator[tuple[slice, np.ndarray]]:
        """Bands of rows with a map of scores a class, and one of `foreground` if not None."""
        height, width = pixels.shape[:2]
        tiled = tile is not None and max(height, width) > tile

        def look(box):
            x1, y1, x2, y2 = box
            logits = self.logits(pixels[y1:y2, x1:x2])
            maps = [logits]
            if tiled or foreground is not None:
                probabilities = softmax(logits)
                # What tiles say is averaged, so none may shout. Of a single one, the logits
                # are enlarged, which keep more of what the network knows of the edges.
                maps = [probabilities] if tiled else maps
                if foreground is not None:
                    maps.append(probabilities[..., foreground].sum(axis=-1, keepdims=True))
            return fitted(np.concatenate(maps, axis=-1), y2 - y1, x2 - x1)

        return blend_tiles(look, height, width, tile if tiled else max(height, width))

    def logits(self, pixels) -> np.ndarray:
        """What the network says of a picture, at its own scale.

        Args:
            pixels: uint8 RGB array (H, W, 3).
        Returns:
            float32 (h, w, C); the longer of h and w is `size`.
        Raises:
            ModelError: the network is not the one that the model's description is of.
        """
        view = scaled(pixels, self.size)
        height, width = view.shape[:2]
        view = extended(view, alignment(self.preset.architecture))
        logits = self.engine(view[None])
        expected = (1, *view.shape[:2], len(self.classes))
        if logits.shape != expected:
            raise ModelError(
                f'model "{self.model_name}": its network gives {logits.shape} where its '
                f"description says {expected}; the two do not belong together, give another "
                "model"
            )
        return logits[0, :height, :width]


def scaled(pixels: np.ndarray, size: int) -> np.ndarray:
    """The picture with its longer side scaled to `size` pixels, uint8 (h, w, 3)."""
    height, width = pixels.shape[:2]
    scale = size / max(height, width)
    sides = max(1, round(width * scale)), max(1, round(height * scale))
    if sides == (width, height):
        return pixels
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(pixels, sides, interpolation=way)


def alignment(architecture: dict) -> int:
    """What a network's sides are multiples of where it need not cut anything.

    Args:
        architecture: as `unet.build` takes it, or of a network of the user's own.
    """
    if "step" in architecture:
        return architecture["step"]
    return 32 if architecture["network"] == "csp" else 2 ** architecture.get("depth", 4)


def extended(pixels: np.ndarray, step: int) -> np.ndarray:
    """The picture at the top left of grey, uint8 (h, w, 3), its sides multiples of `step`."""
    height, width = pixels.shape[:2]
    below, beside = -height % step, -width % step
    if not below and not beside:
        return pixels
    return cv2.copyMakeBorder(pixels, 0, below, 0, beside, cv2.BORDER_CONSTANT, value=(FILL,) * 3)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def fitted(maps: np.ndarray, height: int, width: int) -> np.ndarray:
    """Maps (h, w, P) as (P, h, w), shrunk where they are larger than height and width."""
    sides = min(width, maps.shape[1]), min(height, maps.shape[0])
    if sides != (maps.shape[1], maps.shape[0]):
        planes = (maps[..., plane] for plane in range(maps.shape[-1]))
        return np.stack([cv2.resize(p, sides, interpolation=cv2.INTER_AREA) for p in planes])
    return np.ascontiguousarray(np.moveaxis(maps, -1, 0))


def build(preset):
    """The Keras network of a segmenter's preset, with untrained weights."""
    from cvtool.models import own_network
    from cvtool.segmentation import unet

    if "own" in preset.architecture:
        return own_network.build(preset)
    return unet.build(len(preset.classes), preset.architecture)
