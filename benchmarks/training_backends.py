"""Pictures a second in training: Keras' backends on a CPU, against TensorFlow in float32.

    python benchmarks/training_backends.py [--network NAME] [--batch 256] [--side 64]

Each is a process of its own that trains the backbone as a classifier of 200 classes, the default
detector, or the default segmenter, on random pictures. "torch" is with
`pretrained/recipes/torch_on_cpu.py`, "torch, plain" as Keras comes. Backends that are not installed
are left out.

Before that, in float32 and from the same weights, each predicts and makes one step of gradient
descent. Printed is the largest of three distances from TensorFlow's, each as a share of the length
of what is compared: predictions, step of the trained weights, step of the moving statistics. A
step may differ by a few hundredths, for rounding turns some of the many ReLUs on or off.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

RECIPES = Path(__file__).resolve().parents[1] / "pretrained" / "recipes"
CLASSES = 200
NETWORKS = ("backbone", "detector", "segmenter")
# Name, Keras' backend, precision, whether with the fast layers.
CANDIDATES = (
    ("tensorflow, float32", "tensorflow", "float32", False),
    ("tensorflow, bfloat16", "tensorflow", "bfloat16", False),
    ("jax, float32", "jax", "float32", False),
    ("torch, plain, bfloat16", "torch", "bfloat16", False),
    ("torch, float32", "torch", "float32", True),
    ("torch, bfloat16", "torch", "bfloat16", True),
)


def main():
    args = parse_arguments()
    if args.worker:
        print(json.dumps(work(args)))
        return
    base = None
    with tempfile.TemporaryDirectory() as folder:
        for name, backend, precision, fast in CANDIDATES:
            if importlib.util.find_spec(backend) is None:
                print(f"{name:24} not installed")
                continue
            figures = run_worker(args, backend, precision, fast, folder)
            base = base or figures["rate"]
            distance = figures["distance"]
            apart = "" if distance is None else f", results {distance:.1e} from TensorFlow's"
            ratio = figures["rate"] / base
            print(f"{name:24} {figures['rate']:6.0f} pictures/s, ratio {ratio:.2f}{apart}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="backbone", choices=NETWORKS)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    return parser.parse_args()


def run_worker(args, backend, precision, fast, folder):
    """The figures of one candidate, measured in a process of its own."""
    command = [sys.executable, __file__, "--worker", json.dumps([precision, fast, folder])]
    for name in ("network", "batch", "side", "steps"):
        command += [f"--{name}", str(getattr(args, name))]
    environment = os.environ | {"KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{backend}, {precision} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def work(args):
    """Train and measure.

    Returns:
        dict: rate, pictures a second; distance, of the results from TensorFlow's, None unless in
        float32.
    """
    precision, fast, folder = json.loads(args.worker)

    sys.path.insert(0, str(RECIPES))
    from torch_on_cpu import speed_up_training

    if fast:
        speed_up_training()
    from cvtool.training.optimizers import adamw
    from cvtool.training.precision import set_precision

    set_precision(precision)
    model, loss, targets = build(args)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (args.batch, args.side, args.side, 3)).astype(np.float32)
    distance = None
    if precision == "float32":
        distance = compare(model, loss, pixels, targets, Path(folder))
    # As the recipes train: with clipping and an average of the weights.
    model.compile(adamw(model, 1e-4), loss)
    for _ in range(3):
        model.train_on_batch(pixels, targets)
    begin = time.perf_counter()
    for _ in range(args.steps):
        model.train_on_batch(pixels, targets)
    return {"rate": args.steps * args.batch / (time.perf_counter() - begin), "distance": distance}


def build(args):
    """The network, its loss, and targets for a batch."""
    import keras

    from cvtool.backbones import DEPTHS, WIDTHS
    from cvtool.classification.networks import classifier, logits_of
    from cvtool.detection.encoding import encode
    from cvtool.detection.loss import YoloLoss
    from cvtool.detection.yolo import yolo
    from cvtool.segmentation.losses import cross_entropy_and_dice
    from cvtool.segmentation.unet import csp_unet

    if args.network == "backbone":
        architecture = {"network": "csp", "widths": WIDTHS, "depths": DEPTHS}
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        targets = np.eye(CLASSES, dtype=np.float32)[np.arange(args.batch) % CLASSES]
        return logits_of(classifier(architecture, CLASSES)), loss, targets
    if args.network == "segmenter":
        shape = (args.batch, args.side, args.side)
        class_ids = np.arange(np.prod(shape)).reshape(shape) % 21
        targets = np.stack([class_ids, np.ones(shape)], -1).astype(np.float32)
        return csp_unet(21), partial(cross_entropy_and_dice, cell=2), targets
    anchors = np.geomspace(0.05, 0.9, 9).reshape(3, 3, 1).repeat(2, -1) * args.side
    box = np.array([[0.2, 0.3, 0.6, 0.8]]) * args.side
    target = encode(box, np.array([0]), args.side, anchors)
    return yolo(20), YoloLoss(anchors, args.side, 20), np.stack([target] * args.batch)


def compare(model, loss, pixels, targets, folder):
    """Predict, make one step, and tell how far both are from the first candidate's.

    That one's start and results are kept in `folder`; the model's weights end as they began.
    """
    import keras

    start, results = folder / "start.weights.h5", folder / "results.npz"
    if start.exists():
        model.load_weights(start)
    else:
        model.save_weights(start)
    model.compile(keras.optimizers.SGD(1.0), loss)
    made = {"outputs": model.predict_on_batch(pixels).ravel()}
    kinds = {"step": model.trainable_variables, "statistics": model.non_trainable_variables}
    before = {kind: values_of(variables) for kind, variables in kinds.items()}
    model.train_on_batch(pixels, targets)
    for kind, variables in kinds.items():
        made[kind] = values_of(variables) - before[kind]
    model.load_weights(start)
    if not results.exists():
        np.savez(results, **made)
    known = np.load(results)
    return max(
        float(np.linalg.norm(made[kind] - known[kind]) / np.linalg.norm(known[kind]))
        for kind in made
    )


def values_of(variables):
    """All numbers of the floating-point variables in one row; the seeds of dropout are left out."""
    import keras

    arrays = [keras.ops.convert_to_numpy(variable) for variable in variables]
    return np.concatenate([a.ravel().copy() for a in arrays if a.dtype == np.float32])


if __name__ == "__main__":
    main()
