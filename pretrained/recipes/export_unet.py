"""Turn a run of train_unet.py into the shipped segmentation network.

    python pretrained/recipes/export_unet.py --run runs/unet --data everyday20 --size 320

Writes everyday-unet.weights.h5, everyday-unet.tflite and the presets.json entry into
pretrained/, scores the LiteRT file on val as `cvtool evaluate` does, and puts the score and
the table of classes into the model card.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from cvtool.models.saving import save_model
from cvtool.segmentation.evaluation import evaluate_segmenter
from cvtool.segmentation.segmenter import Segmenter
from cvtool.segmentation.unet import aligned_copy, build
from running import run_main
from ship import PRETRAINED, ship, write_card
from train_unet import read_classes, read_split

NAME = "everyday-unet"
ARCHITECTURE = {
    "network": "csp",
    "widths": [32, 64, 128, 256, 384],
    "depths": [1, 2, 2, 1],
    "decoder": [128, 96, 64, 32],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="run folder of train_unet.py")
    parser.add_argument("--data", type=Path, required=True, help="the folder everyday20")
    parser.add_argument("--size", type=int, default=320, help="default longest side of the input")
    parser.add_argument(
        "--unweight",
        type=float,
        default=1.0,
        help="power of the class weights that is taken out of the scores; less finds more of rare "
        "classes, and more that is not there",
    )
    parser.add_argument("--out", type=Path, default=PRETRAINED)
    parser.add_argument("--limit", type=int, help="use only so many pictures (a rehearsal)")
    args = parser.parse_args()

    classes = read_classes(args.data)
    network = build(len(classes), ARCHITECTURE)
    network.load_weights(args.run / "best.weights.h5")
    scores = json.loads((args.run / "scores.json").read_text())
    take_out_weights(network, np.array(scores["class_weights"]) ** args.unweight)
    description = {
        "name": NAME,
        "task": "segment",
        "description": "20 everyday classes and background, for every pixel",
        "architecture": ARCHITECTURE,
        "size": args.size,
        "classes": list(classes),
        "licence": "Apache-2.0 (weights)",
        "data": "Tiny-ImageNet-200 and the boxes of everyday20 (backbone); pictures and masks of "
        f"Pascal VOC 2012 and COCO 2017: {scores['train']}",
        "recipe": "recipes/pretrain_backbone.py, recipes/train_everyday.py, "
        "recipes/masks_from_boxes.py, recipes/train_unet.py",
    }
    staging = args.run / "model"
    aligned = aligned_copy(network, len(classes), ARCHITECTURE)
    entry = save_model(network, staging, description, for_litert=aligned)
    val = read_split(args.data, "val", classes, args.limit)
    summary = evaluate_segmenter(Segmenter.load(staging, device="cpu"), val).summary
    figures = ("miou", "foreground_iou", "pixel_accuracy")
    entry["scores"] = {"dataset": f"{args.data.name} val", "pictures": summary["pictures"]} | {
        key: round(summary[key], 4) for key in figures
    }
    ship(entry, staging, args.out)
    write_card(args.out / "README.md", NAME, card_lines(summary))
    print(json.dumps(entry["scores"]))


def take_out_weights(network, class_weights):
    """Let the network give probabilities as classes occur, not as the training weighed them.

    Weighted cross-entropy makes p(class) proportional to weight x true probability; so the
    weights' logarithms come off the logits (as in Menon et al. 2021, "Long-tail learning via
    logit adjustment", section 4.1, the other way round).
    """
    layer = network.get_layer("logits")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel, bias - np.log(class_weights)])


def card_lines(summary):
    """The scores as the model card shows them."""
    lines = [
        f"{summary['pictures']} pictures at {summary['size']} px, {summary['engine']}: mean IoU "
        f"{summary['miou']:.3f}, foreground IoU {summary['foreground_iou']:.3f}, pixel accuracy "
        f"{summary['pixel_accuracy']:.3f}.",
        "",
        "| class | IoU | Dice | boundary F |",
        "|---|---|---|---|",
    ]
    for name, row in summary["per_class"].items():
        figures = (row[key] for key in ("iou", "dice", "boundary_f"))
        cells = " | ".join("none" if figure is None else f"{figure:.3f}" for figure in figures)
        lines.append(f"| {name} | {cells} |")
    return lines


if __name__ == "__main__":
    run_main(main)
