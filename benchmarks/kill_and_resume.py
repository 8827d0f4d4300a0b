"""Kill a fine-tuning at random ten times, resume it, and compare with an uninterrupted one.

    python benchmarks/kill_and_resume.py [--kills 10] [--seed 0]

Each kill is SIGKILL to `cvtool finetune` on a small drawn data set and a small network,
at a random moment after its start.
"""

from __future__ import annotations

import argparse
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        data = write_class_folders(Path(folder) / "shapes", 100)
        whole, killed = Path(folder) / "whole", Path(folder) / "killed"
        start = time.perf_counter()
        subprocess.run(command(data, whole), check=True, capture_output=True)
        seconds = time.perf_counter() - start
        print(f"uninterrupted: {describe(whole)}, {seconds:.0f} s")
        for number in range(args.kills):
            again = (killed / "run.json").exists()
            arguments = command(resume=killed) if again else command(data, killed)
            process = subprocess.Popen(
                arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            # Short enough that no sitting reaches the end on its own.
            wait = rng.uniform(0.3, 0.5) * seconds
            try:
                process.wait(wait)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            state = killed / "state.json"
            epoch = json.loads(state.read_text())["epoch"] if state.exists() else 0
            print(f"kill {number + 1} after {wait:.1f} s: epoch {epoch}")
        if not finished(killed):
            subprocess.run(command(resume=killed), check=True, capture_output=True)
        print(f"killed {args.kills} times: {describe(killed)}")


def command(data=None, out=None, resume=None):
    start = [sys.executable, "-m", "cvtool", "finetune"]
    if resume is not None:
        return [*start, "--resume", str(resume)]
    return [*start, str(data), "--out", str(out), *SETTINGS]


def finished(folder):
    return json.loads((folder / "run.json").read_text())["finished"]


def describe(folder):
    scores = json.loads((folder / "run.json").read_text())["scores"]
    return ", ".join(f"{name} {figures['top1']:.3f}" for name, figures in scores.items())


if __name__ == "__main__":
    main()
