"""Turn a run of train_facenet.py into the shipped face network.

    python pretrained/recipes/export_facenet.py --run runs/facenet --data lfw

Measures the thresholds on the pairs of the people that the run kept aside (of each at most ten
pictures), since on people that a network was trained with its distances are too small. Writes
facenet-lfw.weights.h5, facenet-lfw.tflite and the presets.json entry into pretrained/, scores the
LiteRT file on pairsDevTest.txt as `cvtool evaluate` does, and puts the score into the model card.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from align_lfw import BORDER, FACES_FILE
from cvtool.datasets.face_pairs import read_pairs
from cvtool.faces.calibration import calibrate
from cvtool.faces.evaluation import evaluate_verifier
from cvtool.faces.facenet import SIZE, build
from cvtool.faces.finishing import save_calibration
from cvtool.faces.verifier import Verifier
from cvtool.models.saving import save_model
from running import run_main
from ship import PRETRAINED, ship, write_card

NAME = "facenet-lfw"
# Pictures of a person that the thresholds are measured on: somebody with hundreds of them would
# decide alone.
MOST_PICTURES = 10
ARCHITECTURE = {
    "widths": [32, 64, 128, 256, 384],
    "depths": [1, 2, 2, 1],
    "dimensions": 128,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="run folder of train_facenet.py")
    parser.add_argument("--data", type=Path, required=True, help="the folder of LFW")
    parser.add_argument("--out", type=Path, default=PRETRAINED)
    parser.add_argument("--limit", type=int, help="score only so many pairs (a rehearsal)")
    args = parser.parse_args()

    network = build(ARCHITECTURE, SIZE)
    network.load_weights(args.run / "best.weights.h5")
    trained = json.loads((args.run / "scores.json").read_text())
    description = {
        "name": NAME,
        "task": "verify",
        "description": "tells whether two faces are of one person",
        "architecture": ARCHITECTURE,
        "size": SIZE,
        "classes": [],
        "licence": "Apache-2.0 (weights)",
        "data": "Tiny-ImageNet-200 and the boxes of everyday20 (backbone); Labeled Faces in the "
        f"Wild, View 1's development-training people: {trained['train']}",
        "recipe": "recipes/pretrain_backbone.py, recipes/train_everyday.py, "
        "recipes/train_facenet.py",
    }
    staging = args.run / "model"
    # The thresholds are measured with the engine that they are to hold for.
    entry = save_model(network, staging, description)
    verifier = Verifier.load(staging, device="cpu")
    distances, same = dev_distances(verifier, args.run, set(trained["dev_people"]))
    calibration = calibrate(
        distances, same, f"pairs of {len(trained['dev_people'])} people of LFW not trained on"
    )
    save_calibration(staging, calibration)
    entry["calibration"] = calibration

    verifier = Verifier.load(staging, device="cpu")
    pairs = read_pairs(args.data / "pairsDevTest.txt")
    if args.limit:
        # The first ones would all be of one person each.
        chosen = np.linspace(0, len(pairs.pairs) - 1, args.limit).round().astype(int)
        pairs = replace(pairs, pairs=tuple(pairs.pairs[i] for i in np.unique(chosen)))
    summary = evaluate_verifier(verifier, pairs).summary
    figures = ("accuracy", "auc", "eer")
    entry["scores"] = {"dataset": "LFW pairsDevTest", "pairs": summary["pairs"]} | {
        key: summary[key] for key in figures
    }
    ship(entry, staging, args.out)
    write_card(args.out / "README.md", NAME, card_lines(summary, calibration))
    print(json.dumps(entry["scores"]))


def dev_distances(verifier, run, dev_people):
    """Squared distances of all pairs of the faces kept aside, and whether they are one person's."""
    with np.load(run / FACES_FILE) as arrays:
        people = arrays["people"]
        chosen = [
            index
            for name in sorted(dev_people)
            for index in np.flatnonzero(people == name)[:MOST_PICTURES]
        ]
        faces = arrays["faces"][chosen][:, BORDER:-BORDER, BORDER:-BORDER]
    rows = verifier.embed(list(faces)).astype(float)
    one, other = np.triu_indices(len(rows), k=1)
    distances = np.clip(2 - 2 * (rows @ rows.T)[one, other], 0, 4)
    return distances, people[chosen][one] == people[chosen][other]


def card_lines(summary, calibration):
    """The scores as the model card shows them."""
    low, high = summary["interval"]
    rates = summary["tar_at_far"]
    lines = [
        f"{summary['pairs']} pairs, {summary['engine']}: accuracy {summary['accuracy']:.3f} (95 % "
        f"interval {low:.3f} to {high:.3f}) at the model's threshold, area under the ROC "
        f"{summary['auc']:.3f}, equal error rate {summary['eer']:.3f}, true accepts "
        f"{rates['0.01']:.3f} at 1 % false accepts and {rates['0.001']:.3f} at 0.1 %; no face "
        f"found in {summary['no_face']} of {summary['pictures']} pictures.",
        "",
        f"Thresholds, from {calibration['source']} ({calibration['pairs'][0]:,} pairs of one "
        f"person, {calibration['pairs'][1]:,} of two):",
        "",
        "| false accept rate | distance | true accept rate |",
        "|---|---|---|",
    ]
    for rate in calibration["rates"]:
        default = " (default)" if rate["threshold"] == calibration["threshold"] else ""
        lines.append(
            f"| {100 * rate['far']:.3g} % | {rate['threshold']:.3f}{default} | {rate['tar']:.3f} |"
        )
    return lines


if __name__ == "__main__":
    run_main(main)
