"""Pre-train a feature network: classification of Tiny-ImageNet-200.

    python pretrained/recipes/pretrain_backbone.py --data tiny-imagenet-200 --out runs/backbone

The network is the backbone that most default models share or, with `--network vgg-small`, that
of style transfer, which `export_style.py` turns into the shipped files.

Reads the data set's own layout (train/CLASS/images/*.JPEG, val/images with
val_annotations.txt). Train is Tiny-ImageNet's train, dev its val, untouched.
Writes a run folder (see cvtool/training/checkpoints.py) and, at the end,
backbone.weights.h5 (the network without its last layer) and scores.json. Start it again
with the same arguments to go on after an interruption. TensorFlow, JAX or torch will do;
on a CPU with bfloat16 matrix instructions, torch is the fastest (see torch_on_cpu.py).
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import cv2
import keras
import numpy as np

from cvtool.backbones import DEPTHS, WIDTHS
from cvtool.classification.augmentation import Augmentation
from cvtool.classification.mixing import mix
from cvtool.classification.networks import classifier, logits_of
from cvtool.classification.views import centre_view
from cvtool.datasets.tiny_imagenet import read_tiny_imagenet
from cvtool.pictures.reading import read_picture
from cvtool.style import vgg_small
from cvtool.training.checkpoints import Checkpoint, resume, save_weights
from cvtool.training.optimizers import adamw
from cvtool.training.precision import PRECISIONS, set_precision
from cvtool.training.reports import Progress, plot_history
from holding import add_hold_argument, check_hold, held_schedule
from running import number, run_main, stages_argument
from starting import start_classifier

SIDE = 64
ARCHITECTURE = {"network": "csp", "widths": WIDTHS, "depths": DEPTHS, "dropout": 0.1}


def main():
    args = parse_arguments()
    keras.utils.set_random_seed(args.seed)
    # OpenCV's threads would compete with the training for the same cores.
    cv2.setNumThreads(1)
    policy = set_precision(args.precision)
    args.out.mkdir(parents=True, exist_ok=True)
    (train_pixels, train_labels), (val_pixels, val_labels) = (
        read_split(args.data, split, args.cache or args.out / "cache", args.limit)
        for split in ("train", "dev")
    )

    backbone, model = build_networks(args.network)
    if args.start:
        start_classifier(model, args.start)
    stages = args.stages
    epochs = sum(count for _, count, *_ in stages)
    steps_per_epoch = len(train_labels) // args.batch
    schedule = held_schedule(args.learning_rate, epochs, steps_per_epoch, args.hold)
    # No average of the weights: at the end of the cosine it is the weights themselves.
    optimizer = adamw(model, schedule, weight_decay=args.weight_decay, ema_momentum=None)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    print(f"{policy}, {keras.backend.backend()}, {model.count_params():,} parameters", flush=True)

    # The epochs of all stages compete at the size that is exported.
    final_side = stages[-1][0]

    def score_epoch(network):
        return {"val_top1": top1(network, val_pixels, val_labels, final_side)}

    checkpoint = Checkpoint(args.out, score_epoch, "val_top1", args.score_every)
    checkpoint.total_epochs = epochs
    progress = Progress(epochs)
    compile_args = {"optimizer": optimizer, "loss": loss, "metrics": ["accuracy"]}
    end = 0
    for side, count, crop, cutmix in stages:
        end += count
        # A new stage has another picture size, so the step is traced anew.
        model.compile(**compile_args)
        # In each stage, so that it begins like one that was interrupted there.
        done = resume(model, args.out)
        if done >= end:
            continue
        batches = TrainingBatches(
            train_pixels,
            train_labels,
            args.batch,
            side,
            crop,
            cutmix=cutmix,
            seed=args.seed,
            epoch=done,
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
    save_weights(backbone, args.out / "backbone.weights.h5")
    scores = {
        "train": "Tiny-ImageNet-200 train",
        "dev": "Tiny-ImageNet-200 val",
        "epochs": epochs,
        "seed": args.seed,
        "side": final_side,
        "val_top1": top1(model, val_pixels, val_labels, final_side),
    }
    (args.out / "scores.json").write_text(json.dumps(scores, indent=2) + "\n")
    plot_history(args.out)
    print(json.dumps(scores))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder tiny-imagenet-200")
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument(
        "--cache", type=Path, help="folder of the decoded pictures; default: in OUT"
    )
    parser.add_argument("--network", default="csp", choices=["csp", vgg_small.NAME])
    parser.add_argument(
        "--stages",
        type=stages_argument(
            "SIDE:EPOCHS:CROP[:CUTMIX]",
            (number(int, 16), number(int, 1), number(float, 0.01, 1), number(float, 0)),
            defaults=("0",),
        ),
        default="64:60:0.4",
        help="SIDE:EPOCHS:CROP[:CUTMIX],... in order; CROP is the smallest share of a picture's "
        "area that crops are drawn for, CUTMIX the alpha of CutMix in half of the batches, "
        "by default 0, which is none",
    )
    add_hold_argument(parser)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--weight-decay", type=float, default=0.03)
    parser.add_argument("--precision", default="auto", choices=PRECISIONS)
    parser.add_argument(
        "--start",
        help="begin with this classifier of as many classes, or with the backbone of this "
        "classifier or detector (the name of a preset or a model folder) or .weights.h5 file",
    )
    parser.add_argument("--score-every", type=int, default=1, help="epochs between scores")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="use only so many pictures (a rehearsal)")
    args = parser.parse_args()
    if args.start and args.network != "csp":
        parser.error("--start is for --network csp")
    check_hold(parser, args, sum(count for _, count, *_ in args.stages))
    return args


def build_networks(name):
    """The feature network and, round it, the classifier up to its logits."""
    if name == vgg_small.NAME:
        backbone = vgg_small.vgg_small(batch_norm=True)
        x = keras.layers.GlobalAveragePooling2D()(backbone.output)
        x = keras.layers.Dropout(ARCHITECTURE["dropout"])(x)
        logits = keras.layers.Dense(200, dtype="float32")(x)
        return backbone, keras.Model(backbone.input, logits)
    model = logits_of(classifier(ARCHITECTURE, 200))
    return model.get_layer("csp"), model


def read_split(root, split, cache, limit=None):
    """Read a split as uint8 (N, 64, 64, 3) RGB and int64 (N,); decoded once, then cached.

    With `limit`, so many pictures, spread over the classes.
    """
    cache.mkdir(parents=True, exist_ok=True)
    name = f"{split}{limit or ''}"
    files = cache / f"{name}_pixels.npy", cache / f"{name}_labels.npy"
    if all(f.exists() for f in files):
        return np.load(files[0]), np.load(files[1])
    data = read_tiny_imagenet(root)
    data = data.subset(np.flatnonzero(np.array(data.splits) == split))
    if limit:
        data = data.subset(np.random.default_rng(0).permutation(len(data))[:limit])
    pixels = np.empty((len(data), SIDE, SIDE, 3), np.uint8)
    for i, path in enumerate(data.paths):
        pixels[i] = read_picture(path)
    for file, values in zip(files, (pixels, data.labels), strict=True):
        part = file.with_suffix(".part.npy")
        np.save(part, values)
        os.replace(part, file)
    return pixels, data.labels


class TrainingBatches(keras.utils.PyDataset):
    """Shuffled, augmented batches (see `augment`); with `cutmix`, its alpha, half of them mixed.

    Each batch's random numbers depend on the seed, the epoch and its index
    alone, so a resumed training sees what an uninterrupted one would have.
    """

    def __init__(self, pixels, labels, batch, side, crop, *, cutmix=0.0, seed=0, epoch=0):
        super().__init__(workers=1, max_queue_size=8)
        self.pixels, self.batch, self.side = pixels, batch, side
        self.one_hot = np.eye(200, dtype=np.float32)[labels]
        self.crop, self.mixing = crop, Augmentation(mixup=0.0, cutmix=cutmix)
        self.seed, self.epoch = seed, epoch
        self.shuffle()

    def shuffle(self):
        self.order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.pixels))

    def on_epoch_end(self):
        self.epoch += 1
        self.shuffle()

    def __len__(self):
        return len(self.pixels) // self.batch

    def __getitem__(self, index):
        rng = np.random.default_rng([self.seed, self.epoch, index])
        chosen = np.sort(self.order[index * self.batch : (index + 1) * self.batch])
        views = augment(self.pixels[chosen], self.side, self.crop, rng)
        return mix(views, self.one_hot[chosen], rng, self.mixing)


def augment(pictures, side, crop, rng):
    """Crop, flip and resize pictures at random, and change their light, contrast and tint.

    A whole batch at once: with several hundred pictures a second, what is done for each by
    itself in Python slows the training.

    Args:
        pictures: uint8 (N, 64, 64, 3).
        side: of the pictures that come out.
        crop: smallest share of the area that crops are drawn for.
        rng: NumPy generator.
    Returns:
        float32 (N, side, side, 3), 0 to 255 and, where light and contrast rose, up to 73 beyond.
    """
    count = len(pictures)
    # At a whole picture's size first, for bilinear sampling must not shrink.
    cut = max(side, SIDE)
    matrices = draw_crops(count, cut, crop, rng)
    views = np.empty((count, side, side, 3), np.uint8)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for i, (picture, matrix) in enumerate(zip(pictures, matrices, strict=True)):
        view = cv2.warpAffine(
            picture, matrix, (cut, cut), flags=flags, borderMode=cv2.BORDER_REFLECT_101
        )
        views[i] = centre_view(view, side)
    gains = rng.uniform(0.75, 1.25, (count, 1, 1, 1)) * rng.uniform(0.9, 1.1, (count, 1, 1, 3))
    offsets = rng.uniform(-25, 25, (count, 1, 1, 1)) + 128 * (1 - gains)
    return views * gains.astype(np.float32) + offsets.astype(np.float32)


def draw_crops(count, side, crop, rng):
    """Draw crops with aspects of 3/4 to 4/3, half of them mirrored (Szegedy et al. 2015, 6).

    Returns:
        float64 (N, 2, 3): each maps (x, y, 1) of a view's pixel centres into the picture.
    """
    areas = rng.uniform(crop, 1, count)
    aspects = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3), count))
    # Of a crop that is longer than the picture, the picture's side is left.
    across, down = (np.minimum(np.sqrt(areas * a), 1) * SIDE for a in (aspects, 1 / aspects))
    left, top = (rng.random(count) * (SIDE - length) for length in (across, down))
    matrices = np.zeros((count, 2, 3))
    mirrored = np.where(rng.random(count) < 0.5, -1, 1)
    matrices[:, 0, 0], matrices[:, 1, 1] = mirrored * across / side, down / side
    # Pixel centres lie half a pixel from the edges that the crop is counted from.
    middle = (side - 1) / 2
    matrices[:, 0, 2] = left + across / 2 - 0.5 - matrices[:, 0, 0] * middle
    matrices[:, 1, 2] = top + down / 2 - 0.5 - matrices[:, 1, 1] * middle
    return matrices


def top1(model, pixels, labels, side, batch=250):
    """Part of the pictures whose best class is the true one, at that size."""
    right = 0
    # In parts: all of val at a large size would take gigabytes.
    for start in range(0, len(pixels), 10 * batch):
        part = slice(start, start + 10 * batch)
        views = np.stack([centre_view(p, side) for p in pixels[part]])
        predicted = model.predict(views, batch_size=batch, verbose=0).argmax(-1)
        right += int((predicted == labels[part]).sum())
    return right / len(pixels)


if __name__ == "__main__":
    run_main(main)
