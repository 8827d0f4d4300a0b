"""The regions of a mask as outlines and as run-length codes, in the layout of COCO."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Pixels of one class that hang together, diagonally too.

    Attributes:
        class_id: their class.
        box: x1, y1, x2, y2, the smallest round them, in pixels of the picture.
        pixels: bool (y2 - y1, x2 - x1), which pixels of the box belong to it.
    """

    class_id: int
    box: Box
    pixels: np.ndarray

    @property
    def area(self) -> int:
        """In pixels."""
        return int(np.count_nonzero(self.pixels))

    def outlines(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """The outline and those of the holes, along the edges of the pixels.

        Returns:
            int arrays (N, 2) of the corners' x, y in pixels of the picture; 0 is the picture's
            left or upper edge. Filled, and the holes taken out, they give exactly the region.
        """
        # The contour of OpenCV goes through the pixels' midpoints. With every pixel made four,
        # its places tell on which side of a pixel it runs.
        twice = np.repeat(np.repeat(self.pixels.view(np.uint8), 2, axis=0), 2, axis=1)
        rings, links = cv2.findContours(twice, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        rings = [_corners((ring[:, 0] + 1) // 2) + self.box[:2] for ring in rings]
        outer = [n for n, (_, _, _, parent) in enumerate(links[0]) if parent < 0]
        return rings[outer[0]], [ring for n, ring in enumerate(rings) if n != outer[0]]


def find_regions(mask: np.ndarray, class_ids: Iterable[int]) -> Iterator[Region]:
    """Find the regions of a mask.

    Args:
        mask: uint8 (H, W) class ids.
        class_ids: which classes to look for.
    Yields:
        the regions, class by class, from the top of the picture.
    """
    for class_id in class_ids:
        where = (mask == class_id).view(np.uint8)
        left, top, width, height = cv2.boundingRect(where)
        if width == 0:
            continue
        part = where[top : top + height, left : left + width]
        count, numbers, stats, _ = cv2.connectedComponentsWithStats(part)
        for number in range(1, count):
            x, y, wide, tall, _ = (int(value) for value in stats[number])
            pixels = numbers[y : y + tall, x : x + wide] == number
            box = left + x, top + y, left + x + wide, top + y + tall
            yield Region(class_id, box, pixels)


def run_lengths(region: Region, height: int, width: int) -> dict[str, Any]:
    """A region as COCO's compressed run-length code: {"size": [H, W], "counts": str}.

    Args:
        region: of a picture of this height and width.
    """
    from pycocotools import mask as coco_mask

    x1, y1, _, _ = region.box
    # Where pixels begin and cease to belong to it, column by column, as the code runs.
    columns = np.pad(region.pixels.T.astype(np.int8), ((0, 0), (1, 1)))
    column, row = np.nonzero(np.diff(columns, axis=1))
    places, times = np.unique((x1 + column) * height + y1 + row, return_counts=True)
    # A run that goes on at the top of the next column does not end at the bottom of this one.
    places = places[times == 1]
    end = [] if places[-1] == height * width else [height * width]
    counts = np.diff(places, prepend=0, append=end)
    code = coco_mask.frPyObjects(
        {"size": [height, width], "counts": counts.tolist()}, height, width
    )
    return {"size": [height, width], "counts": code["counts"].decode("ascii")}


def coco_annotations(mask: np.ndarray, class_ids: Iterable[int]) -> Iterator[dict[str, Any]]:
    """The regions of a mask as annotations of a COCO file.

    A region without holes is a polygon; COCO's polygons have none, so one with holes is a
    run-length code. Either gives back exactly the region's pixels with pycocotools.

    Args:
        mask: uint8 (H, W) class ids.
        class_ids: which classes to write; they are the "category_id".
    Yields:
        dicts with category_id, segmentation, bbox as left, top, width, height, area in
        pixels and iscrowd 0; "id" and "image_id" are left to the file.
    """
    for region in find_regions(mask, class_ids):
        outline, holes = region.outlines()
        x1, y1, x2, y2 = region.box
        polygon = [outline.ravel().tolist()]
        yield {
            "category_id": region.class_id,
            "segmentation": run_lengths(region, *mask.shape) if holes else polygon,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": region.area,
            "iscrowd": 0,
        }


def _corners(ring: np.ndarray) -> np.ndarray:
    """The points of a ring at which it turns."""
    ring = ring[(ring != np.roll(ring, 1, axis=0)).any(axis=1)]
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    return ring[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]]
