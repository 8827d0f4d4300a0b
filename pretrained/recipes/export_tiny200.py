"""Turn a run of pretrain_backbone.py into the shipped classifier.

    python pretrained/recipes/export_tiny200.py --run runs/backbone --data tiny-imagenet-200

Calibrates the scores on training pictures, writes tiny200.weights.h5, tiny200.tflite and
the presets.json entry into pretrained/, scores the LiteRT file on val as `cvtool evaluate`
does, and puts the scores into the model card.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from cvtool.classification.batches import one_hot
from cvtool.classification.calibration import calibrate
from cvtool.classification.classifier import Classifier
from cvtool.classification.evaluation import evaluate_classifier, read_classification_dataset
from cvtool.classification.networks import classifier, logits_of
from cvtool.datasets.labelled import read_labelled
from cvtool.datasets.tiny_imagenet import class_names
from cvtool.models.saving import save_model
from cvtool.pictures.reading import read_picture
from pretrain_backbone import ARCHITECTURE, augment
from running import run_main
from ship import PRETRAINED, ship, write_card

NAME = "tiny200"
SHOWN = 10
# Each so-many-th training picture serves to calibrate the scores.
CALIBRATION_STEP = 20
# Smallest share of a picture's area in the crops that it is shown in then.
CALIBRATION_CROP = 0.5


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of pretrain_backbone.py")
    parser.add_argument("--data", type=Path, required=True, help="the folder tiny-imagenet-200")
    parser.add_argument("--size", type=int, default=96, help="default input size")
    parser.add_argument("--out", type=Path, default=PRETRAINED)
    parser.add_argument("--limit", type=int, help="use only so many pictures (a rehearsal)")
    args = parser.parse_args()

    classes = class_names(args.data)
    network = classifier(ARCHITECTURE, len(classes))
    logits = logits_of(network)
    logits.load_weights(args.run / "best.weights.h5")
    train = read_labelled(args.data)
    sample = np.flatnonzero(np.array(train.splits) == "train")[::CALIBRATION_STEP][: args.limit]
    views = calibration_views([train.paths[i] for i in sample], args.size)
    targets = one_hot(train.labels[sample], len(classes))
    predicted = logits.predict(views, batch_size=50, verbose=0)
    temperature = calibrate(network, predicted, targets)
    print(f"temperature {temperature:.3f}")
    description = {
        "name": NAME,
        "task": "classify",
        "description": "200 classes: animals, food, clothes, household things, buildings, places",
        "architecture": ARCHITECTURE,
        "size": args.size,
        "classes": list(classes),
        "licence": "Apache-2.0 (weights)",
        "data": "Tiny-ImageNet-200",
        "recipe": "recipes/pretrain_backbone.py",
    }
    staging = args.run / "model"
    entry = save_model(network, staging, description)
    val = read_classification_dataset(args.data / "val", limit=args.limit)
    summary = evaluate_classifier(Classifier.load(staging, device="cpu"), val).summary
    figures = ("top1", "top5", "ece")
    entry["scores"] = {"dataset": "Tiny-ImageNet-200 val", "pictures": summary["pictures"]} | {
        key: round(summary[key], 4) for key in figures
    }
    ship(entry, staging, args.out)
    write_card(args.out / "README.md", NAME, card_lines(summary))
    print(json.dumps(entry["scores"]))


def calibration_views(paths, size):
    """Training pictures as the training showed them, float32 (N, size, size, 3).

    Val must not have a say in what it measures, and on training pictures as they are the network
    is right more often than on new ones: its scores would come out too high.
    """
    pixels = np.stack([read_picture(path) for path in paths])
    return augment(pixels, size, CALIBRATION_CROP, np.random.default_rng(0))


def card_lines(summary):
    """The scores as the model card shows them."""
    rows = sorted(summary["per_class"].items(), key=lambda item: item[1]["recall"] or 0)
    shown = [f"{name} {row['recall']:.2f}" for name, row in rows if row["recall"] is not None]
    low, high = summary["interval"]
    return [
        f"{summary['pictures']} pictures at {summary['size']} px, {summary['engine']}: top-1 "
        f"{summary['top1']:.4f} (95 % interval {low:.3f} to {high:.3f}), top-5 "
        f"{summary['top5']:.4f}, expected calibration error {summary['ece']:.3f}.",
        "",
        f"Recall of the worst classes: {', '.join(shown[:SHOWN])}.",
        f"Of the best: {', '.join(shown[: -SHOWN - 1 : -1])}.",
    ]


if __name__ == "__main__":
    run_main(main)
