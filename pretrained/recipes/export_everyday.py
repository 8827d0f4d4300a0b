"""Turn a run of train_everyday.py into the shipped detector.

    python pretrained/recipes/export_everyday.py --run runs/everyday --data everyday20 --size 320

Writes everyday.weights.h5, everyday.tflite and the presets.json entry into
pretrained/, scores the LiteRT file on val as `cvtool evaluate` does, and puts
the score and the table of classes into the model card.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from cvtool.datasets.coco import read_coco
from cvtool.detection.detector import Detector
from cvtool.detection.evaluation import evaluate_detector
from cvtool.detection.grid import STRIDES
from cvtool.detection.yolo import yolo
from cvtool.models.saving import replace_text, save_model

PRETRAINED = Path(__file__).resolve().parent.parent
NAME = "everyday"
ARCHITECTURE = {"widths": [32, 64, 128, 256, 384], "depths": [1, 2, 2, 1], "neck": 96}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="run folder of train_everyday.py")
    parser.add_argument("--data", type=Path, required=True, help="the folder everyday20")
    parser.add_argument("--size", type=int, default=320, help="default input size")
    parser.add_argument("--out", type=Path, default=PRETRAINED)
    args = parser.parse_args()

    val = read_coco(args.data / "instances_val.json")
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
    for file in entry["files"].values():
        shutil.copyfile(staging / file["file"], args.out / file["file"])
    presets = args.out / "presets.json"
    entries = json.loads(presets.read_text(encoding="utf-8")) if presets.exists() else {}
    entries[entry.pop("name")] = entry
    replace_text(presets, json.dumps(entries, indent=2) + "\n")
    write_card(args.out / "README.md", summary)
    print(json.dumps(entry["scores"]))


def write_card(path, summary):
    """Replace the part of the model card between the two marks."""
    begin, end = f"<!-- {NAME} scores -->", f"<!-- end of {NAME} scores -->"
    lines = [
        begin,
        f"{summary['pictures']} pictures at {summary['size']} px, {summary['engine']}: "
        f"mAP50 {summary['mAP50']:.3f}, mAP50-95 {summary['mAP50_95']:.3f}; at score "
        f"{summary['best_score']:.2f} (best mean F1) precision {summary['precision']:.3f}, "
        f"recall {summary['recall']:.3f}.",
        "",
        "| class | objects | AP50 | AP50-95 |",
        "|---|---|---|---|",
    ]
    for name, row in summary["per_class"].items():
        lines.append(f"| {name} | {row['truths']} | {row['ap50']:.3f} | {row['ap50_95']:.3f} |")
    card = path.read_text(encoding="utf-8")
    before, _, rest = card.partition(begin)
    after = rest.partition(end)[2]
    replace_text(path, before + "\n".join([*lines, end]) + after)


if __name__ == "__main__":
    main()
