"""Kill a fine-tuning at random ten times, resume it, and compare with an uninterrupted one.

    python benchmarks/kill_and_resume.py [--kills 10] [--seed 0]
    python benchmarks/kill_and_resume.py raccoon --split 80/20 --epochs 12

Each kill is SIGKILL to `cvtool finetune`, at a random moment of a random epoch, never twice in
one epoch. Without a data set it trains a small classifier on drawn shapes; with one,
the arguments after it are given to `cvtool finetune`.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from tiny_classes import write_class_folders

SETTINGS = ["--from-scratch", "resnet20", "--size", "32", "--epochs", "40", "--batch", "16"]
METRICS = ("mAP50", "mAP50_95", "miou", "top1")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", help="data set; without one, drawn shapes")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    args, settings = parser.parse_known_args()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        data = args.data
        if data is None:
            data, settings = write_class_folders(Path(folder) / "shapes", 100), SETTINGS
        whole, killed = Path(folder) / "whole", Path(folder) / "killed"
        start = time.perf_counter()
        run(command(data, whole, settings))
        seconds = time.perf_counter() - start
        epochs = len(losses(whole))
        print(f"uninterrupted: {describe(whole)}, {epochs} epochs, {seconds:.0f} s", flush=True)
        for number, epoch in enumerate(sorted(rng.sample(range(epochs), args.kills)), 1):
            again = (killed / "run.json").exists()
            process = subprocess.Popen(
                command(resume=killed) if again else command(data, killed, settings),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            while epochs_done(killed) < epoch and process.poll() is None:
                time.sleep(0.05)
            # The start of the process takes its part, so some kills come before the first step.
            time.sleep(rng.uniform(0, 2) * seconds / epochs)
            process.kill()
            process.wait()
            print(f"kill {number}: {epochs_done(killed)} epochs done", flush=True)
        if not json.loads((killed / "run.json").read_text())["finished"]:
            run(command(resume=killed))
        print(f"killed {args.kills} times: {describe(killed)}")
        pairs = zip(losses(whole), losses(killed), strict=True)
        print(f"largest difference of an epoch's loss: {max(abs(a - b) for a, b in pairs):.2g}")


def command(data=None, out=None, settings=(), resume=None):
    start = [sys.executable, "-m", "cvtool", "finetune"]
    if resume is not None:
        return [*start, "--resume", str(resume)]
    return [*start, str(data), "--out", str(out), *settings]


def run(arguments):
    """Run to the end; what it says is shown if it fails."""
    result = subprocess.run(arguments, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(arguments)} failed:\n{result.stderr}")


def epochs_done(folder):
    state = folder / "state.json"
    return json.loads(state.read_text())["epoch"] if state.exists() else 0


def losses(folder):
    with open(folder / "history.csv", newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def describe(folder):
    """The scores of each split, in one line."""
    scores = json.loads((folder / "run.json").read_text())["scores"]
    return "; ".join(
        f"{split} " + ", ".join(f"{name} {part[name]:.4f}" for name in METRICS if name in part)
        for split, part in scores.items()
    )


if __name__ == "__main__":
    main()
