"""Train the default segmentation network `everyday-unet` on everyday20's masks.

    python pretrained/recipes/train_unet.py --data everyday20 --start everyday --out runs/unet

`--data` holds images/train, images/val and masks/train, masks/val. Train and val are the data
set's own splits; the epoch kept is the one with the best mean IoU on val. `--guessed` adds the
pictures that only have boxes, with the masks of `masks_from_boxes.py`; nothing is scored on those.
The backbone begins with that of a classifier or detector, or with the weights of
`pretrain_backbone.py`. Writes a run folder (see cvtool/training/checkpoints.py) and scores.json.
Start it again with the same arguments to go on after an interruption. TensorFlow, JAX or torch
will do. `export_unet.py` turns the run into the shipped files.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path

import cv2
import keras
import numpy as np

from cvtool.datasets.mask_files import read_mask
from cvtool.datasets.masked import MaskDataset, MaskedPicture
from cvtool.segmentation.augmentation import Augmentation
from cvtool.segmentation.batches import SegmentationBatches
from cvtool.segmentation.contents import count_pixels
from cvtool.segmentation.losses import LOSSES
from cvtool.segmentation.metrics import foreground_iou, iou_per_class, mean_iou, pixel_accuracy
from cvtool.segmentation.scoring import score_dataset
from cvtool.segmentation.targets import balanced_weights
from cvtool.segmentation.unet import csp_unet
from cvtool.training.balance import repeat_factors
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
    classes = read_classes(args.data)
    train, val = (read_split(args.data, split, classes, args.limit) for split in ("train", "val"))
    origin = f"{args.data.name} train ({len(train.examples):,} pictures)"
    if args.guessed:
        guessed = pair(args.data, "train", args.guessed, args.limit)
        train = MaskDataset(classes, train.examples + guessed)
        origin += f", {len(guessed):,} with guessed masks"
    pixels, present = count_classes(train)
    class_weights = balanced_weights(pixels, args.class_power)
    stages = args.stages

    model = csp_unet(len(classes))
    if args.start:
        start_backbone(model, args.start)
    epochs = sum(count for _, count in stages)
    steps = args.steps or max(1, len(train.examples) // args.batch)
    schedule = held_schedule(args.learning_rate, epochs, steps, args.hold)
    # A short average: the masks are few, so an epoch has few steps.
    optimizer = adamw(model, schedule, weight_decay=args.weight_decay, ema_momentum=0.995)
    print(f"{policy}, {keras.backend.backend()}, {model.count_params():,} parameters", flush=True)

    cache, val_cache = {}, {}
    # The epochs of all stages compete at the size that is exported.
    final_size = stages[-1][0]

    def score_epoch(network):
        figures = score(network, val, final_size, val_cache)
        return {key: figures[key] for key in ("miou", "foreground_iou", "pixel_accuracy")}

    progress = Progress(epochs)
    checkpoint = Checkpoint(args.out, score_epoch, "miou")
    checkpoint.total_epochs = epochs
    # The network's last layer gives 2 x 2 pixels the same logits.
    model.compile(optimizer, partial(LOSSES[args.loss], cell=2))
    end = 0
    for size, count in stages:
        end += count
        # In each stage, for `fit` leaves averaged weights, and a training goes on from the others.
        done = resume(model, args.out)
        if done >= end:
            continue
        batches = SegmentationBatches(
            train,
            size,
            args.batch,
            seed=args.seed,
            epoch=done,
            steps=steps,
            augmentation=Augmentation(),
            factors=repeat_factors(present[:, 1:], args.balance),
            class_weights=class_weights,
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
        "train": origin,
        "dev": f"{args.data.name} val",
        "epochs": epochs,
        "seed": args.seed,
        "class_weights": class_weights.round(4).tolist(),
        "size": final_size,
        **score(model, val, final_size, val_cache),
    }
    (args.out / "scores.json").write_text(json.dumps(scores, indent=2) + "\n")
    plot_history(args.out)
    print(json.dumps({k: scores[k] for k in ("miou", "foreground_iou", "pixel_accuracy")}))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder everyday20")
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument(
        "--start",
        help="what the backbone begins with: a classifier or detector (the name of a preset or a "
        "model folder) or the .weights.h5 file of a backbone",
    )
    parser.add_argument("--guessed", type=Path, help="folder of masks by masks_from_boxes.py")
    parser.add_argument(
        "--stages",
        type=stages_argument("SIZE:EPOCHS", (number(int, 32, multiple_of=32), number(int, 1))),
        default="320:60",
        help="SIZE:EPOCHS,... in order",
    )
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, help="of an epoch; default: each picture once")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    add_hold_argument(parser)
    parser.add_argument("--weight-decay", type=float, default=0.03)
    parser.add_argument("--loss", default="cross-entropy+dice", choices=LOSSES)
    parser.add_argument(
        "--balance", type=float, default=0.1, help="classes in fewer pictures are shown more often"
    )
    parser.add_argument(
        "--class-power", type=float, default=0.25, help="how much rare classes' pixels weigh more"
    )
    parser.add_argument("--precision", default="auto", choices=PRECISIONS)
    parser.add_argument("--workers", type=int, default=1, help="threads that prepare batches")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="use only so many pictures (a rehearsal)")
    args = parser.parse_args()
    check_hold(parser, args, sum(count for _, count in args.stages))
    return args


def read_classes(data):
    """The background, then the names of the categories in the order of their ids."""
    categories = json.loads((data / "instances_val.json").read_text())["categories"]
    names = {category["id"]: category["name"] for category in categories}
    return ("background", *(names[number] for number in sorted(names)))


def read_split(data, split, classes, limit=None):
    """The pictures of a split that have a mask."""
    return MaskDataset(classes, pair(data, split, data / "masks" / split, limit))


def pair(data, split, folder, limit):
    """The masks of a folder with the pictures of their names."""
    pictures = data / "images" / split
    return tuple(
        MaskedPicture(pictures / f"{mask.stem}.jpg", mask, split)
        for mask in sorted(folder.glob("*.png"))[:limit]
    )


def count_classes(dataset):
    """Pixels of each class, int (C,), and which classes each mask shows, bool (N, C)."""
    rows = [count_pixels(read_mask(e.mask), len(dataset.classes)) for e in dataset.examples]
    return np.sum(rows, axis=0), np.stack(rows) > 0


def score(model, dataset, size, cache):
    """The figures of a data set, counted at the network's size."""
    confusion = score_dataset(model, dataset, size, cache)
    names = dataset.classes
    return {
        "miou": mean_iou(confusion),
        "foreground_iou": float(foreground_iou(confusion)),
        "pixel_accuracy": pixel_accuracy(confusion),
        "per_class": dict(zip(names, iou_per_class(confusion).round(4).tolist(), strict=True)),
        "pictures": len(dataset.examples),
    }


if __name__ == "__main__":
    run_main(main)
