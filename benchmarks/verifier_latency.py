"""Time a pair of pictures through `cvtool verify`: the whole process, and warm, against the
package `mtcnn` in the place of our MTCNN.

    python benchmarks/verifier_latency.py [--model facenet-lfw] [--rounds 20]

Both find the faces of the same two photographs of 0.3 megapixels; aligning and embedding are the
same for both. The package runs its networks by TensorFlow, whose import its process pays for too.
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

from cvtool.faces.mtcnn import Face
from cvtool.faces.verifier import Verifier
from cvtool.pictures.writing import write_picture

LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
WITH_PACKAGE = "import sys, benchmarks.verifier_latency as b; b.verify_with_package(*sys.argv[1:])"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="facenet-lfw", help="a preset or a model's folder")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--processes", type=int, default=5, help="runs of the whole command")
    args = parser.parse_args()

    photo = skimage.data.astronaut()
    pictures = [photo, np.ascontiguousarray(cv2.resize(photo, (576, 576))[:, ::-1])]
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / name) for name in ("a.jpg", "b.jpg")]
        for path, pixels in zip(paths, pictures, strict=True):
            write_picture(path, pixels)
        command = ["-m", "cvtool", "verify", *paths, "--model", args.model]
        whole = time_process([*command, "--device", "cpu", "--no-picture"], args.processes)
        other = time_process(["-c", WITH_PACKAGE, *paths, args.model], args.processes)
    print(f"cvtool verify, whole process: {whole:.2f} s; with the package's MTCNN {other:.2f} s")
    print(f"ratio: {whole / other:.2f}")

    verifier = Verifier.load(args.model, device="cpu")
    package = package_finder()
    warm = {
        "ours": time_pairs(verifier, verifier.find, pictures, args.rounds),
        "package": time_pairs(verifier, package, pictures, args.rounds),
    }
    print(f"warm, a pair: {warm['ours']:.0f} ms; with the package's MTCNN {warm['package']:.0f} ms")
    print(f"ratio: {warm['ours'] / warm['package']:.2f}")


def time_process(arguments, rounds):
    """Median seconds of a Python process; the first one fills the disk's cache."""
    seconds = []
    root = Path(__file__).resolve().parent.parent
    for _ in range(rounds + 1):
        start = time.perf_counter()
        result = subprocess.run([sys.executable, *arguments], cwd=root, capture_output=True)
        if result.returncode not in (0, 1):
            sys.exit(result.stderr.decode())
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def time_pairs(verifier, find, pictures, rounds):
    """Median milliseconds to find, align, embed and compare the faces of two pictures."""
    times = []
    for _ in range(rounds + 3):
        start = time.perf_counter()
        faces = [find(pixels)[0] for pixels in pictures]
        aligned = [verifier.align(p, f) for p, f in zip(pictures, faces, strict=True)]
        verifier.compare(*verifier.embed(aligned), faces)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[3:])


def package_finder():
    """The package's MTCNN with the results of ours."""
    from cvtool.tensorflow_import import import_tensorflow

    import_tensorflow()
    from mtcnn import MTCNN

    detector = MTCNN()

    def find(pixels):
        faces = []
        for found in detector.detect_faces(pixels):
            x, y, width, height = found["box"]
            landmarks = np.array([found["keypoints"][name] for name in LANDMARKS], np.float32)
            faces.append(Face((x, y, x + width, y + height), found["confidence"], landmarks))
        return sorted(faces, key=lambda face: -face.area)

    return find


def verify_with_package(one, other, model):
    """What `cvtool verify` does, with the package's MTCNN."""
    from cvtool.pictures.reading import read_picture

    pictures = [read_picture(path) for path in (one, other)]
    verifier = Verifier.load(model, device="cpu")
    find = package_finder()
    faces = [find(pixels)[0] for pixels in pictures]
    aligned = [verifier.align(p, f) for p, f in zip(pictures, faces, strict=True)]
    print(verifier.compare(*verifier.embed(aligned), faces).to_dict())


if __name__ == "__main__":
    main()
