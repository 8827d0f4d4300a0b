"""Train the default detector `everyday`: YOLO on everyday20 from the pre-trained backbone.

    python pretrained/recipes/train_everyday.py --data everyday20 \
        --backbone runs/backbone/backbone.weights.h5 --out runs/everyday

`--data` holds instances_train.json, instances_val.json and images/train,
images/val. Train and val are the data set's own splits; the epoch kept is the
one with the best mAP50 on val. Writes a run folder (see
cvtool/training/checkpoints.py) with anchors.json and scores.json. Start it
again with the same arguments to go on after an interruption. TensorFlow, JAX or
torch will do. `export_everyday.py` turns the run into the shipped files.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import cv2
import keras
import numpy as np

from cvtool.datasets.coco import read_coco
from cvtool.detection.anchors import kmeans_anchors, mean_best_iou
from cvtool.detection.batches import Augmentation, DetectionBatches
from cvtool.detection.decoding import decode, select
from cvtool.detection.grid import STRIDES
from cvtool.detection.letterbox import letterbox, unletterbox_boxes
from cvtool.detection.loss import YoloLoss
from cvtool.detection.metrics import evaluate_detections
from cvtool.detection.yolo import yolo
from cvtool.models.saving import replace_text
from cvtool.pictures.reading import read_picture
from cvtool.training.checkpoints import Checkpoint, resume
from cvtool.training.optimizers import adamw
from cvtool.training.precision import PRECISIONS, set_precision
from cvtool.training.reports import Progress, plot_history
from holding import add_hold_argument, check_hold, held_schedule
from running import number, run_main, stages_argument
from starting import start_backbone


def main():
    args = parse_arguments()
    keras.utils.set_random_seed(args.seed)
    # OpenCV's threads would compete with the training for the same cores.
    cv2.setNumThreads(1)
    policy = set_precision(args.precision)
    args.out.mkdir(parents=True, exist_ok=True)
    train = read_coco(args.data / "instances_train.json")
    val = read_coco(args.data / "instances_val.json")
    if args.limit:
        train = shortened(train, args.limit)
        val = shortened(val, args.limit)
    stages = args.stages
    anchors = fit_anchors(train, args.out, stages[-1][0])

    model = yolo(len(train.classes))
    if args.backbone:
        start_backbone(model, args.backbone)
    epochs = sum(count for _, count, _ in stages)
    steps = max(1, len(train.examples) // args.batch)
    schedule = held_schedule(args.learning_rate, epochs, steps, args.hold)
    optimizer = adamw(model, schedule, weight_decay=args.weight_decay)
    print(f"{policy}, {keras.backend.backend()}, {model.count_params():,} parameters", flush=True)

    cache, val_cache = {}, {}
    # The epochs of all stages compete at the size that is exported.
    final_size = stages[-1][0]

    def score_epoch(network):
        figures = score(network, val, anchors, final_size, val_cache)
        return {key: figures[key] for key in ("mAP50", "mAP50_95")}

    progress = Progress(epochs)
    checkpoint = Checkpoint(args.out, score_epoch, "mAP50", args.score_every)
    checkpoint.total_epochs = epochs
    end = 0
    for size, count, mosaic_share in stages:
        end += count
        model.compile(optimizer, YoloLoss(anchors, size, len(train.classes)))
        # In each stage, for `fit` leaves averaged weights, and a training goes on from the others.
        done = resume(model, args.out)
        if done >= end:
            continue
        batches = DetectionBatches(
            train,
            anchors,
            size,
            args.batch,
            seed=args.seed,
            epoch=done,
            augmentation=augmentation(mosaic_share, args.mixup, final_size / size),
            cache=cache,
            workers=args.workers,
        )
        model.fit(
            batches,
            initial_epoch=done,
            epochs=end,
            verbose=0,
            shuffle=False,  # done by the batches, which a resumed run repeats
            callbacks=[checkpoint, progress],
        )

    model.load_weights(args.out / "best.weights.h5")
    scores = {
        "train": "everyday20 train",
        "dev": "everyday20 val",
        "epochs": epochs,
        "seed": args.seed,
        "size": final_size,
        **score(model, val, anchors, final_size, val_cache),
    }
    (args.out / "scores.json").write_text(json.dumps(scores, indent=2) + "\n")
    plot_history(args.out)
    print(json.dumps({k: scores[k] for k in ("mAP50", "mAP50_95")}))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder everyday20")
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument(
        "--backbone",
        help="what the backbone begins with: a classifier or detector (the name of a preset or a "
        "model folder) or the .weights.h5 file of a backbone",
    )
    parser.add_argument(
        "--stages",
        type=stages_argument(
            "SIZE:EPOCHS:MOSAIC",
            (number(int, 32, multiple_of=32), number(int, 1), number(float, 0, 1)),
        ),
        default="320:90:0.7,320:10:0",
        help="SIZE:EPOCHS:MOSAIC,... in order; MOSAIC is the share of mosaics",
    )
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    add_hold_argument(parser)
    parser.add_argument("--weight-decay", type=float, default=0.03)
    parser.add_argument("--mixup", type=float, default=0.0)
    parser.add_argument("--precision", default="auto", choices=PRECISIONS)
    parser.add_argument("--score-every", type=int, default=1, help="epochs between scores")
    parser.add_argument("--workers", type=int, default=1, help="threads that prepare batches")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="use only so many pictures (a rehearsal)")
    args = parser.parse_args()
    check_hold(parser, args, sum(count for _, count, _ in args.stages))
    return args


def augmentation(mosaic_share, mixup, enlarged):
    """Augmentation of a stage whose square is `enlarged` times smaller than the last stage's.

    Pictures keep the size they have in the last stage, and the square shows a part of them: a
    network that has learnt objects at one size finds those of another less well (Touvron et
    al. 2019, "Fixing the train-test resolution discrepancy").
    """
    given = Augmentation(mosaic=mosaic_share, mixup=mixup)
    return dataclasses.replace(
        given,
        scale=tuple(enlarged * end for end in given.scale),
        zoom=tuple(enlarged * end for end in given.zoom),
    )


def shortened(dataset, count):
    """The first `count` examples of a data set."""
    return type(dataset)(dataset.classes, dataset.examples[:count], dataset.category_ids)


def fit_anchors(dataset, folder, size):
    """Three anchors for each scale, float array (3, 3, 2) in input pixels.

    They are fitted at the size of the last stage and serve all stages unchanged: an
    object of so many pixels looks the same to the network whatever the input size.
    """
    path = folder / "anchors.json"
    if path.exists():
        return np.array(json.loads(path.read_text())["anchors"])
    sizes = np.concatenate(
        [
            (e.boxes[:, 2:] - e.boxes[:, :2]) * (size / max(e.width, e.height))
            for e in dataset.examples
        ]
    )
    anchors = kmeans_anchors(sizes, 9).round(1)
    report = {
        "anchors": anchors.reshape(3, 3, 2).tolist(),
        "size": size,
        "mean_best_iou": round(mean_best_iou(sizes, anchors), 4),
    }
    replace_text(path, json.dumps(report))
    print(f"anchors: {report}", flush=True)
    return anchors.reshape(3, 3, 2)


def score(model, dataset, anchors, size, cache, batch=20):
    """Evaluate on a data set at one input size; `cache` keeps the letterboxed pictures."""
    predictions = []
    if cache.get("size") != size:
        cache.clear()
        cache["size"] = size
        cache["pictures"] = [letterbox(read_picture(e.path), size) for e in dataset.examples]
    for start in range(0, len(dataset.examples), batch):
        pictures = cache["pictures"][start : start + batch]
        raw = model.predict_on_batch(np.stack([pixels for pixels, _, _ in pictures]))
        examples = dataset.examples[start : start + batch]
        for row, example, (_, scale, padding) in zip(raw, examples, pictures, strict=True):
            boxes, scores, class_ids = select(
                *decode(row, size, anchors, STRIDES, min_score=0.005), max_iou=0.6, max_boxes=100
            )
            boxes = unletterbox_boxes(boxes, scale, padding, example.height, example.width)
            predictions.append((boxes, scores, class_ids))
    report = evaluate_detections(dataset, predictions)
    keys = ("mAP50", "mAP50_95", "per_class", "precision", "recall", "pictures")
    return {key: report[key] for key in keys}


if __name__ == "__main__":
    run_main(main)
