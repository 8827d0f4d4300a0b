"""Cold start: whole processes, against a plain Keras script that does the same detection.

python benchmarks/startup.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import skimage.data

from cvtool import read_picture  # noqa: F401  (fails early where cvtool is not installed)
from cvtool.pictures.writing import write_picture

# What someone would write by hand with the same network and Keras alone.
KERAS_SCRIPT = """
import sys
import numpy as np
from PIL import Image
from cvtool.detection.decoding import decode, select
from cvtool.detection.detector import build
from cvtool.models.presets import find_model, preset_file
preset = find_model("everyday")
model = build(preset)
model.load_weights(preset_file(preset, "weights"))
picture = Image.open(sys.argv[1]).convert("RGB").resize((preset.size, preset.size))
raw = np.asarray(model(np.asarray(picture, np.float32)[None]))[0]
print(len(select(*decode(raw, preset.size, preset.anchors, preset.strides, min_score=0.25))[0]))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.jpg"
        write_picture(photo, skimage.data.astronaut())
        out = ["--out", f"{folder}/out", "--overwrite"]
        commands = {
            "cvtool --help": ["-m", "cvtool", "--help"],
            "cvtool --version": ["-m", "cvtool", "--version"],
            "cvtool detect photo.jpg": ["-m", "cvtool", "detect", str(photo), *out],
            "cvtool classify photo.jpg": ["-m", "cvtool", "classify", str(photo)],
            "plain Keras script": ["-c", KERAS_SCRIPT, str(photo)],
        }
        # One round unmeasured: the disk cache is warm for all of them alike.
        for command in commands.values():
            measure(command)
        results = {name: [] for name in commands}
        for _ in range(args.rounds):
            for name, command in commands.items():
                results[name].append(measure(command))
    keras_time = statistics.median(t for t, _ in results["plain Keras script"])
    print(f"{'command':28} {'median s':>9} {'peak MB':>8} {'/ Keras script':>15}")
    for name, runs in results.items():
        seconds = statistics.median(t for t, _ in runs)
        memory = max(m for _, m in runs)
        print(f"{name:28} {seconds:9.2f} {memory:8.0f} {seconds / keras_time:15.3f}")


def measure(arguments):
    """Run Python with these arguments; seconds and peak memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"{arguments} failed:\n{errors.decode()}")
    return seconds, peak_megabytes(usage)


def peak_megabytes(usage: resource.struct_rusage):
    # Linux counts in KiB, macOS in bytes.
    return usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


if __name__ == "__main__":
    main()
