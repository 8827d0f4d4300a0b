"""Train the default face network `facenet-lfw` on Labeled Faces in the Wild.

    python pretrained/recipes/align_lfw.py --data lfw --out runs/facenet
    python pretrained/recipes/train_facenet.py --start everyday --out runs/facenet

The run folder holds faces.npz, the aligned faces of `align_lfw.py`. A tenth of the people, chosen
by the seed, is kept aside as dev. First each person is a class (softmax with a margin), then
triplets refine the embedding. The epoch kept is the one with the largest area under the ROC on
dev's pairs. The backbone begins with that of a detector or classifier, or with its .weights.h5
file.

Writes a run folder for each stage (see cvtool/training/checkpoints.py) and scores.json. Start it
again with the same arguments to go on after an interruption. TensorFlow, JAX or torch will do.
`export_facenet.py` turns the run into the shipped files.
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path

import cv2
import keras
import numpy as np

from align_lfw import BORDER, FACES_FILE
from cvtool.faces import margin, triplets
from cvtool.faces.augmentation import AUGMENTATIONS
from cvtool.faces.batches import FaceBatches
from cvtool.faces.facenet import SIZE, facenet
from cvtool.faces.metrics import auc, best_threshold, equal_error_rate
from cvtool.training.checkpoints import Checkpoint, resume
from cvtool.training.optimizers import adamw
from cvtool.training.precision import PRECISIONS, set_precision
from cvtool.training.reports import Progress, plot_history
from cvtool.training.schedules import WarmupCosine
from running import run_main
from starting import start_backbone

DEV_SHARE = 0.1
# Pairs of two people on dev for each pair of one.
FALSE_PAIRS = 4


def main():
    args = parse_arguments()
    keras.utils.set_random_seed(args.seed)
    # OpenCV's threads would compete with the training for the same cores.
    cv2.setNumThreads(1)
    policy = set_precision(args.precision)
    faces, people, missing = read_faces(args.out / FACES_FILE)
    names = sorted(set(people))
    chosen = np.random.default_rng(args.seed).permutation(len(names))
    dev_people = {names[i] for i in chosen[: max(2, round(DEV_SHARE * len(names)))]}
    in_dev = np.array([name in dev_people for name in people])
    train_names = [name for name in names if name not in dev_people]
    labels = np.array([train_names.index(n) if n in train_names else -1 for n in people])
    pairs = dev_pairs(people, in_dev, args.seed)
    print(
        f"{policy}, {keras.backend.backend()}: {(~in_dev).sum():,} faces of {len(train_names):,} "
        f"people; dev: {in_dev.sum():,} of {len(dev_people):,}, {len(pairs):,} pairs; no face in "
        f"{missing:,} pictures",
        flush=True,
    )

    network = facenet()
    if args.start:
        start_backbone(network, args.start)

    def score(model):
        """The figures of dev's pairs."""
        embed = keras.Model(model.input, model.get_layer("unit").output)
        return pair_scores(embed, faces, in_dev, pairs)

    def fit(model, loss, folder, epochs, learning_rate, **batching):
        """One stage; returns with the best weights in `model`."""
        folder.mkdir(exist_ok=True)
        batches = FaceBatches(
            faces[~in_dev],
            labels[~in_dev],
            SIZE,
            seed=args.seed,
            workers=args.workers,
            **batching,
        )
        steps = len(batches)
        schedule = WarmupCosine(learning_rate, epochs * steps, min(steps, 500))
        optimizer = adamw(model, schedule, weight_decay=args.weight_decay, ema_momentum=0.995)
        model.compile(optimizer, loss)
        done = resume(model, folder)
        checkpoint = Checkpoint(folder, metric="auc")
        checkpoint.total_epochs, checkpoint.score = epochs, score
        if done < epochs:
            batches.epoch = done
            batches.shuffle()
            model.fit(
                batches,
                initial_epoch=done,
                epochs=epochs,
                verbose=0,
                shuffle=False,  # done by the batches, which a resumed run repeats
                callbacks=[checkpoint, Progress(epochs)],
            )
        model.load_weights(folder / "best.weights.h5")
        plot_history(folder)

    cosines = margin.Cosines(len(train_names), name="people", dtype="float32")(network.output)
    classifier = keras.Model(network.input, cosines)
    fit(
        classifier,
        margin.margin_softmax,
        args.out / "classes",
        args.epochs,
        args.learning_rate,
        pictures=args.batch,
        augmentation=AUGMENTATIONS[args.augment],
    )
    stages = {"classes": score(network)}
    network.save_weights(args.out / "best.weights.h5")
    if args.triplet_epochs:
        fit(
            network,
            triplets.LOSSES[args.mining],
            args.out / "triplets",
            args.triplet_epochs,
            args.triplet_rate,
            people=args.people,
            pictures=args.pictures,
            augmentation=AUGMENTATIONS[args.triplet_augment],
            steps=max(1, int((~in_dev).sum()) // (args.people * args.pictures)),
        )
        stages["triplets"] = score(network)
        if stages["triplets"]["auc"] >= stages["classes"]["auc"]:
            network.save_weights(args.out / "best.weights.h5")
    best = max(stages, key=lambda stage: stages[stage]["auc"])
    scores = {
        "train": f"{(~in_dev).sum():,} faces of {len(train_names):,} people",
        "dev": f"{in_dev.sum():,} faces of {len(dev_people):,} other people",
        "dev_people": sorted(dev_people),
        "no_face": missing,
        "seed": args.seed,
        "epochs": [args.epochs, args.triplet_epochs],
        "stages": stages,
        "best": best,
    }
    (args.out / "scores.json").write_text(json.dumps(scores, indent=2) + "\n")
    print(json.dumps(stages))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="run folder with faces.npz")
    parser.add_argument(
        "--start",
        help="what the backbone begins with: a classifier or detector (the name of a preset or a "
        "model folder) or the .weights.h5 file of a backbone",
    )
    parser.add_argument("--epochs", type=int, default=60, help="with people as classes")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--triplet-epochs", type=int, default=20)
    parser.add_argument("--triplet-rate", type=float, default=3e-4, help="learning rate of those")
    parser.add_argument("--mining", default="semi-hard", choices=triplets.LOSSES)
    parser.add_argument("--people", type=int, default=24, help="people in a batch of triplets")
    parser.add_argument("--pictures", type=int, default=4, help="pictures of each of them")
    augment = {"default": "light", "choices": AUGMENTATIONS}
    parser.add_argument("--augment", **augment, help="how much faces of the classes are changed")
    parser.add_argument("--triplet-augment", **augment, help="and those of the triplets")
    parser.add_argument("--weight-decay", type=float, default=0.05)
    parser.add_argument("--precision", default="auto", choices=PRECISIONS)
    parser.add_argument("--workers", type=int, default=1, help="threads that prepare batches")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def read_faces(path):
    """What `align_lfw.py` wrote.

    Returns:
        uint8 (N, S, S, 3); the names of the N people; how many pictures show no face.
    """
    if not path.exists():
        raise SystemExit(f"{path}: no such file; make it with align_lfw.py")
    with np.load(path) as arrays:
        return arrays["faces"], arrays["people"].tolist(), int(arrays["missing"])


def dev_pairs(people, in_dev, seed):
    """All pairs of one person on dev, and four times as many of two: [(i, j, same), ...]."""
    where = np.flatnonzero(in_dev)
    position = {int(i): n for n, i in enumerate(where)}
    by_name = {}
    for i in where:
        by_name.setdefault(people[i], []).append(position[int(i)])
    # Of those with very many pictures not all, or they alone would decide.
    true = [p for group in by_name.values() for p in itertools.combinations(group[:6], 2)]
    one, other = np.triu_indices(len(where), k=1)
    names = np.array(people)[where]
    different = np.flatnonzero(names[one] != names[other])
    count = min(len(different), FALSE_PAIRS * len(true))
    chosen = np.random.default_rng(seed).choice(different, count, replace=False)
    false = [(int(one[i]), int(other[i])) for i in np.sort(chosen)]
    return [(*p, True) for p in true] + [(*p, False) for p in false]


def pair_scores(embed, faces, in_dev, pairs):
    """The figures of dev's pairs: auc, eer, accuracy (balanced)."""
    middle = faces[in_dev][:, BORDER:-BORDER, BORDER:-BORDER]
    embeddings = np.concatenate(
        [embed.predict_on_batch(middle[i : i + 64]) for i in range(0, len(middle), 64)]
    )
    one, other, same = (np.array(column) for column in zip(*pairs, strict=True))
    distances = ((embeddings[one] - embeddings[other]) ** 2).sum(axis=1)
    return {
        "auc": auc(distances, same),
        "eer": equal_error_rate(distances, same),
        "accuracy": best_threshold(distances, same)[1],
    }


if __name__ == "__main__":
    run_main(main)
