"""Turn a run of pretrain_backbone.py into the shipped classifier.

    python pretrained/recipes/export_tiny200.py --run runs/backbone --data tiny-imagenet-200

Calibrates the scores on half of val, writes tiny200.weights.h5, tiny200.tflite and
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
from cvtool.classification.metrics import expected_calibration_error
from cvtool.classification.networks import classifier, logits_of
from cvtool.classification.scoring import activate, predict_logits
from cvtool.classification.store import PictureStore
from cvtool.datasets.labelled import read_labelled
from cvtool.datasets.tiny_imagenet import class_names
from cvtool.models.saving import save_model
from pretrain_backbone import ARCHITECTURE
from running import run_main
from ship import PRETRAINED, ship, write_card

NAME = "tiny200"
SHOWN = 10


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
    temperature, error = calibrate_on_half(network, logits, args.data, args.size, args.limit)
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
    write_card(args.out / "README.md", NAME, card_lines(summary, error))
    print(json.dumps(entry["scores"]))


def calibrate_on_half(network, logits, data, size, limit=None):
    """Scale the scores by one number fitted on every other picture of val.

    On training pictures the network is right more often than on new ones, even as crops: its
    scores would come out too high. One number learns next to nothing by heart, and the error on
    the pictures between shows it.

    Args:
        network, logits: the classifier, which is changed, and the network up to its logits.
        data: the data set's folder.
        size: input size in pixels.
        limit: use only so many pictures.
    Returns:
        the temperature, and the expected calibration error of the other half of val.
    """
    pictures = read_labelled(data)
    val = np.flatnonzero(np.array(pictures.splits) == "dev")[:limit]
    predicted = predict_logits(logits, PictureStore(pictures.paths, size), val)
    labels = pictures.labels[val]
    targets = one_hot(labels[::2], predicted.shape[1])
    temperature = calibrate(network, predicted[::2], targets)
    others = activate(predicted[1::2] / temperature, several=False)
    return temperature, expected_calibration_error(others, labels[1::2])


def card_lines(summary, error):
    """The scores as the model card shows them; `error` is that of `calibrate_on_half`."""
    rows = sorted(summary["per_class"].items(), key=lambda item: item[1]["recall"] or 0)
    shown = [f"{name} {row['recall']:.2f}" for name, row in rows if row["recall"] is not None]
    low, high = summary["interval"]
    return [
        f"{summary['pictures']} pictures at {summary['size']} px, {summary['engine']}: top-1 "
        f"{summary['top1']:.4f} (95 % interval {low:.3f} to {high:.3f}), top-5 "
        f"{summary['top5']:.4f}, expected calibration error {summary['ece']:.3f} (on the half of "
        f"val that the scores were not scaled by: {error:.3f}).",
        "",
        f"Recall of the worst classes: {', '.join(shown[:SHOWN])}.",
        f"Of the best: {', '.join(shown[: -SHOWN - 1 : -1])}.",
    ]


if __name__ == "__main__":
    run_main(main)
