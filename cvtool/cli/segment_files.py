"""The files that `cvtool segment` writes of each picture."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtool.cli.output_files import OutputFiles, frame_path, label_in_name, write_classes

if TYPE_CHECKING:
    import numpy as np

    from cvtool.pictures.sources import Picture
    from cvtool.segmentation.cutout import Ground
    from cvtool.segmentation.segmenter import Segmentation


@dataclass(frozen=True, slots=True)
class Targets:
    """Where results of one picture go; None where none is wanted or allowed."""

    overlay: Path | None = None
    mask: Path | None = None
    cutout: Path | None = None


@dataclass(frozen=True, slots=True)
class CutOut:
    """How objects are cut out.

    Attributes:
        ground: what they are laid on; None leaves it transparent.
        tile: side of the tiles that the network saw, pixels; None where it saw the whole.
    """

    ground: Ground | None = None
    tile: int | None = None

    def __call__(self, picture: Picture, segmentation: Segmentation) -> np.ndarray:
        """The cut-out of a picture: uint8 (H, W, 4) RGBA, or (H, W, 3) RGB on a ground."""
        from cvtool.segmentation.cutout import cut_out

        rgba = cut_out(picture.pixels, segmentation.soft, view=self.tile)
        return rgba if self.ground is None else self.ground.under(picture.pixels, rgba)


class SegmentFiles(OutputFiles):
    """Overlays, masks and cut-outs.

    Args:
        pictures: write an overlay of each picture and video below `out`, and each picture's
            mask beside it.
        masks: a folder for the masks, those of a video's frames too, instead.
        class_masks: a folder for a mask of each class.
        classes: labels in the order of the class ids, written beside the masks.
        cutout: makes the cut-outs to be written below `out`; None writes none.
        options: as for `OutputFiles`.
    """

    def __init__(
        self,
        *,
        pictures: bool,
        masks: Path | None,
        class_masks: Path | None,
        classes: Sequence[str],
        cutout: CutOut | None,
        **options: Any,
    ):
        # "a-mask.png" may also be an input.
        super().__init__(several=True, **options)
        self._pictures = pictures
        self._masks, self._class_masks = masks, class_masks
        self._classes = classes
        self._cutout = cutout

    def __enter__(self) -> SegmentFiles:
        if self._masks is not None:
            write_classes(self._masks, self._classes, overwrite=self.overwrite)
        return self

    def targets(self, picture: Picture) -> Targets:
        """Where this picture's results go, found out before any work is done for them.

        What is there already, and the input itself, is reported and left out.
        """
        below = frame_path(picture)
        mask = overlay = cutout = None
        if self._masks is not None:
            mask = self.allowed(self._masks / below.with_suffix(".png"), picture)
        tails = self._tails(picture, below)
        if picture.frame is None:
            self.end_video()
        elif self._pictures:
            overlay = self.video_of(picture)
        if tails:
            stem = self._stem(below, tails)
            paths = {
                kind: self.allowed(self.out / below.with_name(stem + tail), picture)
                for kind, tail in tails.items()
            }
            overlay = paths.get("overlay", overlay)
            mask = paths.get("mask", mask)
            cutout = paths.get("cutout")
        return Targets(overlay, mask, cutout)

    def write(
        self, picture: Picture, segmentation: Segmentation, targets: Targets
    ) -> dict[str, Any]:
        """Write them; return their paths as they stand in the picture's JSON object."""
        paths: dict[str, Any] = {
            "output": self.written(self._write_overlay, targets.overlay, picture, segmentation),
            "mask": self.written(self._write_mask, targets.mask, picture, segmentation),
        }
        if self._class_masks is not None:
            paths["class_masks"] = self._write_class_masks(picture, segmentation)
        if self._cutout is not None:
            paths["cutout"] = self.written(
                self._write_cutout, targets.cutout, picture, segmentation
            )
        return paths

    def _tails(self, picture: Picture, below: Path) -> dict[str, str]:
        """The ends of the names of what goes below `out`, but for videos."""
        tails = {}
        if self._pictures and picture.frame is None:
            tails["overlay"] = below.suffix
            if self._masks is None:
                tails["mask"] = "-mask.png"
        if self._cutout is not None and self.out is not None:
            opaque = self._cutout.ground is not None
            tails["cutout"] = f"-cutout{below.suffix if opaque else '.png'}"
        return tails

    def _stem(self, below: Path, tails: dict[str, str]) -> str:
        """The begin of their names, numbered alike where one of them is taken."""
        stem, number = below.stem, 1
        while self.number and not self.overwrite and self._taken(below, stem, tails):
            number += 1
            stem = f"{below.stem}-{number}"
        return stem

    def _taken(self, below: Path, stem: str, tails: dict[str, str]) -> bool:
        return any(os.path.lexists(self.out / below.with_name(stem + t)) for t in tails.values())

    def _write_overlay(self, path: Path, picture: Picture, segmentation: Segmentation) -> None:
        from cvtool.pictures.mask_drawing import draw_mask

        pixels = draw_mask(picture.pixels, segmentation.mask, segmentation.classes)
        self.write_annotated(path, picture, pixels)

    def _write_mask(self, path: Path, picture: Picture, segmentation: Segmentation) -> None:
        from cvtool.datasets.mask_files import write_mask

        write_mask(path, segmentation.mask, overwrite=self.overwrite, source=picture.name)

    def _write_cutout(self, path: Path, picture: Picture, segmentation: Segmentation) -> None:
        self.write_picture(path, picture, self._cutout(picture, segmentation))

    def _write_class_masks(
        self, picture: Picture, segmentation: Segmentation
    ) -> dict[str, str | None]:
        """A mask of each class in the picture: 255 where it is, 0 elsewhere."""
        import numpy as np

        below = frame_path(picture)
        paths = {}
        for number in segmentation.class_ids:
            label = segmentation.classes[number]
            name = below.with_name(f"{below.stem}-{label_in_name(label)}.png")
            path = self.allowed(self._class_masks / name, picture)
            pixels = (segmentation.mask == number) * np.uint8(255)
            paths[label] = self.written(self.write_picture, path, picture, pixels)
        return paths


def write_to_stdout(pixels: np.ndarray) -> None:
    """Write a picture to stdout as PNG, uint8 (H, W, 3) RGB or (H, W, 4) RGBA."""
    from PIL import Image

    Image.fromarray(pixels).save(sys.stdout.buffer, "PNG")
    sys.stdout.buffer.flush()
