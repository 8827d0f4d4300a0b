"""Average the best weights of runs of one network that have a common beginning.

    python pretrained/recipes/average_weights.py --runs runs/unet runs/unet-longer --out runs/mean

Weights that were trained on from the same ones often lie in one valley, and their mean is as good
as the best of them or better (Wortsman et al. 2022, "Model soups", section 2, the uniform soup).
Writes a run folder for the export recipes: best.weights.h5, and the first run's other descriptions
(scores.json, anchors.json). Its score is what the export measures; compare it with each run's.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import h5py
import numpy as np

from running import run_main

FILE = "best.weights.h5"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--runs", type=Path, nargs="+", required=True, help="two run folders or more"
    )
    parser.add_argument("--out", type=Path, required=True, help="a new run folder")
    args = parser.parse_args()
    files = [run / FILE for run in args.runs]
    for file in files:
        if not file.exists():
            raise SystemExit(f"{file}: no such file")
    if args.out.exists():
        raise SystemExit(f"{args.out}: is there already; choose another --out")
    args.out.mkdir(parents=True)
    for name in ("scores.json", "anchors.json"):
        if (args.runs[0] / name).exists():
            shutil.copyfile(args.runs[0] / name, args.out / name)
    average(files, args.out / FILE)


def average(files, out):
    """Write the mean of Keras weight files; an optimiser's state is that of the first.

    Raises:
        SystemExit: the files are not of one network.
    """
    shutil.copyfile(files[0], out)
    with h5py.File(out, "r+") as mean:
        others = [h5py.File(path) for path in files[1:]]

        def visit(name, item):
            if not isinstance(item, h5py.Dataset) or item.dtype.kind != "f":
                return
            if name.startswith("optimizer/"):
                return
            if any(name not in other or other[name].shape != item.shape for other in others):
                raise SystemExit(f"{name}: not the same in all runs; they must be of one network")
            item[...] = np.mean([item[()], *(other[name][()] for other in others)], axis=0)

        mean.visititems(visit)


if __name__ == "__main__":
    run_main(main)
