"""Time a picture through the default detector, against Yolo-Fastest-1.1-xl in OpenCV DNN.

    python benchmarks/detector_latency.py --darknet yolo-fastest [--rounds 100] [--threads 2]

Both take the same decoded 320 x 320 pixels and give raw network outputs; both
run on the same number of threads, turn by turn.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import cv2
import skimage.data

from cvtool.detection.letterbox import letterbox
from cvtool.engines import LiteRTEngine, usable_cores
from cvtool.models.presets import find_model, preset_file


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--darknet", type=Path, required=True, help="folder with .cfg and .weights")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--threads", type=int, default=min(4, usable_cores()))
    args = parser.parse_args()

    preset = find_model("everyday")
    engine = LiteRTEngine(preset_file(preset, "litert"), threads=args.threads)
    square = letterbox(skimage.data.astronaut(), preset.size)[0]
    stem = args.darknet / "yolo-fastest-1.1-xl"
    cv2.setNumThreads(args.threads)
    network = cv2.dnn.readNetFromDarknet(f"{stem}.cfg", f"{stem}.weights")
    names = network.getUnconnectedOutLayersNames()
    darknet_square = letterbox(skimage.data.astronaut(), 320)[0]

    def ours():
        engine(square[None])

    def darknet():
        network.setInput(cv2.dnn.blobFromImage(darknet_square, 1 / 255, (320, 320)))
        network.forward(names)

    times = {"ours": [], "darknet": []}
    for _ in range(args.rounds + 10):
        for name, call in (("ours", ours), ("darknet", darknet)):
            start = time.perf_counter()
            call()
            times[name].append(1000 * (time.perf_counter() - start))
    medians = {name: statistics.median(values[10:]) for name, values in times.items()}
    print(f"everyday, LiteRT, {preset.size} px, {args.threads} threads: {medians['ours']:.1f} ms")
    print(f"Yolo-Fastest-1.1-xl, OpenCV {cv2.__version__}, 320 px: {medians['darknet']:.1f} ms")
    print(f"ratio: {medians['ours'] / medians['darknet']:.2f}")


if __name__ == "__main__":
    main()
