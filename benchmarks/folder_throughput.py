"""`cvtool detect` on a folder, against the bare engine on decoded arrays; memory over time.

    python benchmarks/folder_throughput.py [--pictures 1000] [--side 320]

The command decodes, detects and prints JSON lines, without annotated pictures.
Memory is its peak on the whole folder against its peak on a tenth of it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import skimage.data

from cvtool.engines import LiteRTEngine
from cvtool.models.presets import find_model, preset_file
from cvtool.pictures.writing import write_picture


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--side", type=int, default=320, help="longest side in pixels")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        few, many = Path(folder) / "few", Path(folder) / "many"
        write_pictures(few, args.pictures // 10, args.side)
        write_pictures(many, args.pictures, args.side)
        startup, memory_few = detect(few)
        seconds, memory_many = detect(many)
        bare = bare_engine(args.pictures)
    # The difference of the two runs leaves the process's start-up out.
    rate = (args.pictures - args.pictures // 10) / (seconds - startup)
    print(f"cvtool detect, whole process: {args.pictures / seconds:.1f} pictures/s")
    print(f"cvtool detect, without start-up: {rate:.1f} pictures/s")
    print(f"bare engine on decoded arrays: {bare:.1f} pictures/s")
    print(f"ratio: {args.pictures / seconds / bare:.2f} (without start-up {rate / bare:.2f})")
    print(f"peak memory: {memory_few:.0f} MB on {args.pictures // 10} pictures, "
          f"{memory_many:.0f} MB on {args.pictures}")  # fmt: skip


def write_pictures(folder, count, side):
    photos = [skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee()]
    rng = np.random.default_rng(0)
    for number in range(count):
        photo = photos[number % len(photos)]
        scale = side / max(photo.shape[:2])
        photo = cv2.resize(photo, None, fx=scale, fy=scale)
        photo = np.roll(photo, int(rng.integers(photo.shape[1])), axis=1)
        write_picture(folder / f"{number:04}.jpg", photo)


def detect(folder):
    """Seconds and peak memory in MB of the whole command."""
    command = [sys.executable, "-m", "cvtool", "detect", str(folder), "--jsonl", "--no-pictures"]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read()
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"cvtool detect failed:\n{errors.decode()}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def bare_engine(count):
    """Pictures a second of the engine alone, fed with one prepared array."""
    preset = find_model("everyday")
    engine = LiteRTEngine(preset_file(preset, "litert"))
    pixels = cv2.resize(skimage.data.astronaut(), (preset.size, preset.size))[None]
    for _ in range(10):
        engine(pixels)
    start = time.perf_counter()
    for _ in range(count):
        engine(pixels)
    return count / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
