"""Masks guessed from boxes, by the recipe, on drawn pictures whose true masks are known."""

import json

import numpy as np
import pytest

from colour_unet import CLASSES, GREY, colour_model, scene
from cvtool.datasets.mask_files import read_mask, write_mask
from cvtool.datasets.masked import VOID
from cvtool.pictures.writing import write_picture
from cvtool.segmentation.segmenter import bounding_box
from recipe_runs import run_here

SIZES = ((96, 128), (128, 160), (160, 240))


def true_mask(height, width):
    """What is not grey."""
    pixels, _ = scene(height, width)
    return np.select([pixels[..., 0] > GREY[0], pixels[..., 2] > GREY[2]], [1, 2], 0)


@pytest.fixture(scope="module")
def guessed(tmp_path_factory):
    """Pictures with boxes alone, but for one in train and one in val; the folder of guesses."""
    root = tmp_path_factory.mktemp("boxes")
    data, out = root / "everyday20", root / "guessed"
    for split in ("train", "val"):
        images, annotations = [], []
        for number, (height, width) in enumerate(SIZES):
            pixels, _ = scene(height, width)
            mask = true_mask(height, width).astype(np.uint8)
            write_picture(data / "images" / split / f"{number}.png", pixels)
            (data / "images" / split / f"{number}.png").rename(
                data / "images" / split / f"{number}.jpg"
            )
            images.append({"id": number, "file_name": f"images/{split}/{number}.jpg"})
            for class_id in (1, 2):
                x1, y1, x2, y2 = bounding_box(mask == class_id)
                box = {"image_id": number, "category_id": class_id}
                annotations.append(box | {"bbox": [x1, y1, x2 - x1, y2 - y1]})
            if number == 0:
                write_mask(data / "masks" / split / "0.png", mask)
        categories = [{"id": i, "name": name} for i, name in enumerate(CLASSES[1:], 1)]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (data / f"instances_{split}.json").write_text(json.dumps(content))
    arguments = ["--data", data, "--out", out, "--model", colour_model()]
    run_here("masks_from_boxes.py", *arguments)
    return out, arguments


def test_each_picture_without_a_mask_gets_the_objects_of_its_boxes(guessed):
    out, _ = guessed
    assert sorted(path.name for path in out.iterdir()) == ["1.png", "2.png"]
    for number in (1, 2):
        mask, truth = read_mask(out / f"{number}.png"), true_mask(*SIZES[number])
        sure = mask != VOID
        assert mask.shape == truth.shape and sure.mean() > 0.95
        for class_id in (1, 2):
            found, meant = (mask == class_id), (truth == class_id) & sure
            assert (found & meant).sum() > 0.95 * (found | meant).sum()


def test_the_agreement_with_the_true_masks_of_val_is_told(guessed, capsys):
    run_here("masks_from_boxes.py", *guessed[1])
    line = capsys.readouterr().out
    assert line.startswith("val: mean IoU 0.9") or line.startswith("val: mean IoU 1.0")


def test_what_is_there_is_not_guessed_again(guessed):
    out, arguments = guessed
    (out / "1.png").unlink()
    marked = np.full(SIZES[2], 2, np.uint8)
    write_mask(out / "2.png", marked, overwrite=True)
    run_here("masks_from_boxes.py", *arguments)
    assert np.array_equal(read_mask(out / "2.png"), marked)
    assert (read_mask(out / "1.png") == 1).any()
