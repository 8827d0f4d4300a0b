"""The data sets of the recipes, in their layouts, with drawn pictures."""

from __future__ import annotations

import json

import numpy as np
import skimage.data

from cvtool.datasets.mask_files import write_mask
from cvtool.pictures.writing import write_picture
from cvtool.segmentation.segmenter import bounding_box
from tiny_facenet import portrait
from tiny_masks import CLASSES, draw

PEOPLE, PORTRAITS = 6, 3


def write_all(root):
    """All data sets that train_all.py reads, below a folder."""
    write_tiny_imagenet(root / "tiny-imagenet-200")
    write_everyday(root / "everyday20")
    write_lfw(root / "lfw")
    photo = skimage.data.astronaut()
    for number in range(4):
        y, x = 80 * number, 60 * number
        pixels = photo[y : y + 90, x : x + 120]
        write_picture(root / "style-pairs" / "content" / f"{number}.jpg", pixels)
        for folder in ("styles", "style-pairs/style"):
            write_picture(root / folder / f"{number}.jpg", 255 - pixels)
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for name, level in (("dark", 40), ("light", 200)):
            for number in range(6):
                pixels = np.uint8(level + rng.integers(0, 40, (40, 40, 3)))
                write_picture(root / "imagenette" / split / name / f"{number}.jpg", pixels)


def write_tiny_imagenet(root, val=16):
    """Tiny-ImageNet-200: a picture of noise a class, and a few in val."""
    rng = np.random.default_rng(0)
    classes = [f"n{number:08}" for number in range(200)]
    root.mkdir(parents=True)
    (root / "wnids.txt").write_text("\n".join(classes))
    lines = []
    for name in classes:
        write_noise(root / "train" / name / "images" / f"{name}_0.JPEG", rng)
    for number in range(val):
        write_noise(root / "val" / "images" / f"val_{number}.JPEG", rng)
        lines.append(f"val_{number}.JPEG\t{classes[number % 4]}\t0\t0\t62\t62")
    (root / "val" / "val_annotations.txt").write_text("\n".join(lines))


def write_noise(path, rng):
    write_picture(path.with_suffix(".jpg"), rng.integers(0, 256, (64, 64, 3)).astype(np.uint8))
    path.with_suffix(".jpg").rename(path)


def write_everyday(root):
    """everyday20 with drawn shapes: boxes for all pictures, masks for half of them."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 4)):
        images, annotations = [], []
        for number in range(count):
            pixels, mask = draw(rng, 60, 80)
            write_picture(root / "images" / split / f"{number:03}.jpg", pixels)
            if number % 2:
                write_mask(root / "masks" / split / f"{number:03}.png", mask)
            images.append({"id": number, "file_name": f"{number:03}.jpg"})
            images[-1] |= {"width": 80, "height": 60}
            for class_id in set(np.unique(mask)) & {1, 2}:
                x1, y1, x2, y2 = map(float, bounding_box(mask == class_id))
                box = {"image_id": number, "category_id": int(class_id), "iscrowd": 0}
                box |= {"id": len(annotations) + 1, "bbox": [x1, y1, x2 - x1, y2 - y1]}
                annotations.append(box)
        categories = [{"id": i, "name": name} for i, name in enumerate(CLASSES[1:], 1)]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (root / f"instances_{split}.json").write_text(json.dumps(content))


def write_lfw(root):
    """LFW: people are colours, and one picture has no face."""
    names = [f"Person_{number}" for number in range(PEOPLE)]
    for number, name in enumerate(names):
        for picture in range(1, PORTRAITS + 1):
            pixels = portrait(30 * number, mirrored=picture == 2, side=150 + 10 * picture)
            write_picture(root / "images_deepfunneled" / name / f"{name}_{picture:04d}.jpg", pixels)
    blank = root / "images_deepfunneled" / names[0] / f"{names[0]}_0001.jpg"
    write_picture(blank, np.full((120, 120, 3), 99, np.uint8), overwrite=True)
    lines = [str(PEOPLE), *(f"{name}\t{PORTRAITS}" for name in names)]
    (root / "peopleDevTrain.txt").write_text("\n".join(lines) + "\n")
    pairs = ["2", *(f"{name}\t2\t3" for name in names[:2])]
    pairs += [f"{names[0]}\t2\t{names[n]}\t{n}" for n in (1, 2)]
    (root / "pairsDevTest.txt").write_text("\n".join(pairs) + "\n")
