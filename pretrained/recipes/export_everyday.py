"""Turn a run of train_everyday.py into the shipped detector.

    python pretrained/recipes/export_everyday.py --run runs/everyday --data everyday20 --size 320

Writes everyday.weights.h5, everyday.tflite and the presets.json entry into
pretrained/, scores the LiteRT file on val as `cvtool evaluate` does, and puts
the score and the table of classes into the model card.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from cvtool.datasets.coco import read_coco
from cvtool.detection.detector import Detector
from cvtool.detection.evaluation import evaluate_detector
from cvtool.detection.grid import STRIDES
from cvtool.detection.yolo import yolo
from cvtool.models.saving import save_model
from running import run_main
from ship import PRETRAINED, ship, write_card
from train_everyday import shortened

NAME = "everyday"
ARCHITECTURE = {"widths": [32, 64, 128, 256, 384], "depths": [1, 2, 2, 1], "neck": 96}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="run folder of train_everyday.py")
    parser.add_argument("--data", type=Path, required=True, help="the folder everyday20")
    parser.add_argument("--size", type=int, default=320, help="default input size")
    parser.add_argument("--out", type=Path, default=PRETRAINED)
    parser.add_argument("--limit", type=int, help="use only so many pictures (a rehearsal)")
    args = parser.parse_args()

    val = read_coco(args.data / "instances_val.json")
    if args.limit:
        val = shortened(val, args.limit)
    network = yolo(len(val.classes), **ARCHITECTURE)
    network.load_weights(args.run / "best.weights.h5")
    anchors = json.loads((args.run / "anchors.json").read_text())["anchors"]
    description = {
        "name": NAME,
        "task": "detect",
        "description": "20 everyday classes: people, animals, vehicles, furniture",
        "architecture": ARCHITECTURE,
        "size": args.size,
        "classes": list(val.classes),
        "anchors": anchors,
        "strides": list(STRIDES),
        "licence": "Apache-2.0 (weights)",
        "data": "Tiny-ImageNet-200 (backbone); 10,074 pictures of Pascal VOC 2007 and 2012 "
        "and COCO 2017 (detector)",
        "recipe": "recipes/pretrain_backbone.py, recipes/train_everyday.py",
    }
    staging = args.run / "model"
    entry = save_model(network, staging, description)
    evaluation = evaluate_detector(Detector.load(staging, device="cpu"), val)
    summary = evaluation.summary
    figures = ("mAP50", "mAP50_95", "precision", "recall", "best_score")
    entry["scores"] = {"dataset": "everyday20 val", "pictures": summary["pictures"]} | {
        key: round(summary[key], 4) for key in figures
    }
    ship(entry, staging, args.out)
    write_card(args.out / "README.md", NAME, card_lines(summary))
    print(json.dumps(entry["scores"]))


def card_lines(summary):
    """The scores as the model card shows them."""
    lines = [
        f"{summary['pictures']} pictures at {summary['size']} px, {summary['engine']}: "
        f"mAP50 {summary['mAP50']:.3f}, mAP50-95 {summary['mAP50_95']:.3f}; at score "
        f"{summary['best_score']:.2f} (best mean F1) precision {summary['precision']:.3f}, "
        f"recall {summary['recall']:.3f}.",
        "",
        "| class | objects | AP50 | AP50-95 |",
        "|---|---|---|---|",
    ]
    for name, row in summary["per_class"].items():
        # A class that val does not show has no figures.
        figures = (row[key] for key in ("ap50", "ap50_95"))
        cells = " | ".join("none" if figure is None else f"{figure:.3f}" for figure in figures)
        lines.append(f"| {name} | {row['truths']} | {cells} |")
    return lines


if __name__ == "__main__":
    run_main(main)
