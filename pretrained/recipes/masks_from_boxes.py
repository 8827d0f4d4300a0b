"""Guess masks for the pictures of everyday20 that have boxes but no mask.

    python pretrained/recipes/masks_from_boxes.py --data everyday20 --out runs/guessed

Two thirds of the training pictures have boxes only, and most of the thin classes are in them.
Within a box, a segmentation network (`--model`) says what is no background, and GrabCut (Rother
et al. 2004) cuts the object out by its colours. Where both agree, the pixel gets the class of the
box or the background; where they differ it is void, as are doubtful pixels in "Simple Does It"
(Khoreva et al. 2017). Writes masks like those of the data set for `train_unet.py --guessed`, and
prints how well the masks of val would have been guessed. Start it again to go on after an
interruption.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from cvtool.datasets.mask_files import read_mask, write_mask
from cvtool.datasets.masked import VOID
from cvtool.pictures.reading import read_picture
from cvtool.segmentation.metrics import confusion_matrix, foreground_iou, mean_iou
from cvtool.segmentation.segmenter import Segmenter
from running import run_main

# Objects are cut out at this longer side, in pixels: four times as fast as whole, and nearly
# as exact.
CUT_SIDE = 128
# Smaller boxes are filled with an ellipse: too few pixels to tell colours apart.
SMALLEST_AREA = 144
# What GrabCut sees round a box as background, as a share of the box.
MARGIN = 0.25
ITERATIONS = 2
# Where a network or GrabCut finds less of a box than this, it has missed the object.
LEAST_SHARE = 0.2
# Pictures between two reports.
AT_ONCE = 256


def main():
    args = parse_arguments()
    cv2.setNumThreads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    segmenter = Segmenter.load(args.model, device="cpu")
    print_agreement(segmenter, args.data, args.limit)

    boxes = read_boxes(args.data, "train")
    kept = {path.stem for path in (args.data / "masks" / "train").glob("*.png")}
    kept |= {path.stem for path in args.out.glob("*.png")}
    stems = sorted(stem for stem, objects in boxes.items() if objects and stem not in kept)[
        : args.limit
    ]

    def write(stem, pixels, soft):
        write_mask(args.out / f"{stem}.png", guess_mask(pixels, boxes[stem], soft))

    with ThreadPoolExecutor(args.workers) as pool:
        for start in range(0, len(stems), AT_ONCE):
            # The network's engine is for one thread; cutting is what takes the time.
            chosen = stems[start : start + AT_ONCE]
            pixels = [read_pixels(args.data, "train", stem) for stem in chosen]
            softs = [segmenter(picture, soft=True).soft for picture in pixels]
            list(pool.map(write, chosen, pixels, softs))
            print(f"{start + len(chosen)} of {len(stems)}", flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder everyday20")
    parser.add_argument("--out", type=Path, required=True, help="folder for the masks")
    parser.add_argument("--model", default="everyday-unet", help="preset or model folder")
    parser.add_argument("--workers", type=int, default=2, help="pictures at a time")
    parser.add_argument("--limit", type=int, help="only so many pictures (a rehearsal)")
    return parser.parse_args()


def read_boxes(data, split):
    """{stem: [(class id, x1, y1, x2, y2), ...]} of a split, in pixels."""
    content = json.loads((data / f"instances_{split}.json").read_text())
    by_image = defaultdict(list)
    for row in content["annotations"]:
        x, y, width, height = row["bbox"]
        by_image[row["image_id"]].append((row["category_id"], x, y, x + width, y + height))
    return {Path(row["file_name"]).stem: by_image[row["id"]] for row in content["images"]}


def read_pixels(data, split, stem):
    return read_picture(data / "images" / split / f"{stem}.jpg")


def guess_mask(pixels, boxes, soft):
    """Guess the mask of a picture from its boxes.

    Args:
        pixels: uint8 RGB (H, W, 3).
        boxes: [(class id, x1, y1, x2, y2), ...] in pixels.
        soft: uint8 (H, W), how probable an object is, 255 for certain.
    Returns:
        uint8 (H, W) of class ids, 0 outside the boxes, 255 (void) where in doubt.
    """
    height, width = pixels.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    # Small ones last: they stand before large ones more often than behind.
    for class_id, x1, y1, x2, y2 in sorted(boxes, key=lambda b: -(b[3] - b[1]) * (b[4] - b[2])):
        left, top = max(0, int(x1)), max(0, int(y1))
        right, bottom = min(width, int(np.ceil(x2))), min(height, int(np.ceil(y2)))
        if right - left < 2 or bottom - top < 2:
            continue
        found = cut_object(pixels, soft, (left, top, right, bottom))
        part = mask[top:bottom, left:right]
        part[found == 1] = class_id
        part[found == VOID] = VOID
    return mask


def cut_object(pixels, soft, box):
    """What of a box is its object.

    Args:
        pixels: uint8 RGB (H, W, 3).
        soft: uint8 (H, W), how probable an object is, 255 for certain.
        box: (left, top, right, bottom), whole pixels within the picture.
    Returns:
        uint8 of the box's size: 1 object, 0 background, 255 in doubt.
    """
    left, top, right, bottom = box
    height, width = pixels.shape[:2]
    side = max(right - left, bottom - top)
    margin = max(8, int(MARGIN * side))
    x1, y1 = max(0, left - margin), max(0, top - margin)
    x2, y2 = min(width, right + margin), min(height, bottom + margin)
    scale = min(1, CUT_SIDE / side)
    sides = max(2, round((x2 - x1) * scale)), max(2, round((y2 - y1) * scale))
    around = cv2.resize(pixels[y1:y2, x1:x2], sides, interpolation=cv2.INTER_AREA)
    soft = cv2.resize(soft[y1:y2, x1:x2], sides, interpolation=cv2.INTER_AREA)
    columns = slice(round((left - x1) * scale), max(2, round((right - x1) * scale)))
    rows = slice(round((top - y1) * scale), max(2, round((bottom - y1) * scale)))

    soft = soft[rows, columns]
    by_network = (soft > 127).astype(np.uint8)
    missed = by_network.mean() < LEAST_SHARE
    if missed:
        by_network = ellipse(soft.shape)
    if (right - left) * (bottom - top) < SMALLEST_AREA:
        by_colour = ellipse(soft.shape)
    else:
        # Of an object that the network missed, all is but probable.
        start = by_network + cv2.GC_PR_BGD if missed else trimap(soft)
        by_colour = grab_cut(around, rows, columns, start)
    agreed = np.where(by_colour == by_network, by_network, VOID).astype(np.uint8)
    return cv2.resize(agreed, (right - left, bottom - top), interpolation=cv2.INTER_NEAREST)


def ellipse(shape):
    """The ellipse that fills a box: uint8, 1 within. What is known of an object not found."""
    height, width = shape
    y, x = np.indices(shape) + 0.5
    return ((2 * x / width - 1) ** 2 + (2 * y / height - 1) ** 2 <= 1).astype(np.uint8)


def trimap(soft):
    """GrabCut's four levels from how probable an object is."""
    return np.select(
        [soft > 230, soft > 127, soft < 13],
        [cv2.GC_FGD, cv2.GC_PR_FGD, cv2.GC_BGD],
        cv2.GC_PR_BGD,
    ).astype(np.uint8)


def grab_cut(pixels, rows, columns, start):
    """Cut an object out by its colours.

    Args:
        pixels: uint8 RGB (h, w, 3): a box and what is round it.
        rows, columns: slices of the box in it.
        start: uint8 of the box's size: GrabCut's levels.
    Returns:
        uint8 of the box's size: 1 object, 0 background. The ellipse where GrabCut fails.
    """
    levels = np.full(pixels.shape[:2], cv2.GC_BGD, np.uint8)
    levels[rows, columns] = start
    if (levels != cv2.GC_BGD).all():
        # A box as large as the picture: something must be background.
        levels[0], levels[:, 0], levels[:, -1] = (cv2.GC_BGD,) * 3
    cv2.setRNGSeed(0)
    models = np.zeros((2, 1, 65))
    try:
        cv2.grabCut(
            np.ascontiguousarray(pixels[..., ::-1]),
            *(levels, None, models[0], models[1]),
            *(ITERATIONS, cv2.GC_INIT_WITH_MASK),
        )
    except cv2.error:
        return ellipse(start.shape)
    found = np.isin(levels[rows, columns], (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    return found if found.mean() >= LEAST_SHARE else ellipse(start.shape)


def print_agreement(segmenter, data, limit=None):
    """Guess the masks of val and compare them with the true ones, doubtful pixels left out."""
    boxes = read_boxes(data, "val")
    paths = sorted((data / "masks" / "val").glob("*.png"))[:limit]
    classes = len(segmenter.classes)
    confusion, void = np.zeros((classes, classes), int), 0.0
    for path in paths:
        pixels = read_pixels(data, "val", path.stem)
        guessed = guess_mask(pixels, boxes[path.stem], segmenter(pixels, soft=True).soft)
        doubtful = guessed == VOID
        void += doubtful.mean() / len(paths)
        truth = np.where(doubtful, VOID, read_mask(path)).astype(np.uint8)
        confusion += confusion_matrix(truth, np.where(doubtful, 0, guessed), classes)
    print(
        f"val: mean IoU {mean_iou(confusion):.3f}, foreground IoU {foreground_iou(confusion):.3f}, "
        f"{void:.1%} in doubt",
        flush=True,
    )


if __name__ == "__main__":
    run_main(main)
