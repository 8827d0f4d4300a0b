"""Time a picture through a segmentation model: its LiteRT file against onnxruntime, and a whole
`cvtool segment photo.jpg` of a megapixel.

    pip install onnxruntime tf2onnx
    python benchmarks/segmenter_latency.py [--model everyday-unet] [--rounds 50] [--threads 2]

LiteRT and onnxruntime run the same network with the same weights on the same pixels, and the
same number of threads, turn by turn; their answers are compared first.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import skimage.data

from cvtool.engines import LiteRTEngine, usable_cores
from cvtool.models.presets import find_model, preset_file
from cvtool.pictures.writing import write_picture
from cvtool.segmentation.segmenter import build, scaled
from cvtool.tensorflow_import import import_tensorflow, quiet_stderr

# Logits of the two may differ by so much; what ships holds float16 numbers in both.
TOLERANCE = 0.01
# Height and width of a photograph of 1.0 megapixels.
MEGAPIXEL = (866, 1155)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="everyday-unet", help="a preset or a model's folder")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--threads", type=int, default=min(4, usable_cores()))
    parser.add_argument("--processes", type=int, default=5, help="runs of the whole command")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.jpg"
        pixels = cv2.resize(skimage.data.astronaut(), MEGAPIXEL[::-1])
        write_picture(photo, pixels)
        time_processes(photo, args.model, args.processes)
        time_engines(pixels, args.model, Path(folder), args.rounds, args.threads)


def time_processes(photo, model, rounds):
    """Time the command from its start to its end, with an overlay and a mask written."""
    command = [sys.executable, "-m", "cvtool", "segment", str(photo), "--model", model]
    # A GPU would load TensorFlow; the bar is of a CPU.
    command += ["--device", "cpu", "--out", str(photo.parent / "out"), "--overwrite"]
    seconds = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
    # The first one fills the disk's cache.
    print(f"cvtool segment, 1 megapixel, whole process: {statistics.median(seconds[1:]):.2f} s")


def time_engines(pixels, model, folder, rounds, threads):
    """Time one picture through both engines."""
    preset = find_model(model)
    view = scaled(pixels, preset.size)[None].astype(np.float32)
    litert = LiteRTEngine(preset_file(preset, "litert"), threads=threads)
    onnx = onnx_session(preset, view, folder / "unet.onnx", threads)
    name = onnx.get_inputs()[0].name
    calls = {
        "LiteRT": lambda: litert(view),
        "onnxruntime": lambda: onnx.run(None, {name: view})[0],
    }
    difference = np.abs(calls["LiteRT"]() - calls["onnxruntime"]()).max()
    if difference > TOLERANCE:
        sys.exit(f"the two differ by {difference:.3g}: not the same network")
    times = {engine: [] for engine in calls}
    for _ in range(rounds + 5):
        for engine, call in calls.items():
            start = time.perf_counter()
            call()
            times[engine].append(1000 * (time.perf_counter() - start))
    medians = {engine: statistics.median(values[5:]) for engine, values in times.items()}
    height, width = view.shape[1:3]
    for engine, median in medians.items():
        print(f"{preset.name}, {engine}, {width} x {height} px, {threads} threads: {median:.1f} ms")
    print(f"ratio: {medians['LiteRT'] / medians['onnxruntime']:.2f}")


def onnx_session(preset, view, path, threads):
    """The model's network in onnxruntime, by way of Keras."""
    import onnxruntime

    import_tensorflow()
    network = build(preset)
    network.load_weights(preset_file(preset, "weights"))
    network(view)  # the exporter wants a network that was called
    with quiet_stderr():
        network.export(path, format="onnx", verbose=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    main()
