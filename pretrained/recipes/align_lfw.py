"""Find and align the faces that `train_facenet.py` trains on.

    python pretrained/recipes/align_lfw.py --data lfw --out runs/facenet

`--data` holds images_deepfunneled/NAME/NAME_0001.jpg and peopleDevTrain.txt (View 1's
development-training set), whose people are read. Writes faces.npz into the run folder, unless it
is there already.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from cvtool.faces.alignment import align
from cvtool.faces.facenet import SIZE
from cvtool.faces.mtcnn import central_face, find_faces
from cvtool.faces.mtcnn_networks import load_networks
from cvtool.pictures.reading import read_picture
from running import run_main

FACES_FILE = "faces.npz"
# What is kept round each aligned face, so that it can be turned and shifted.
BORDER = 14


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of LFW")
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument("--limit", type=int, help="use only so many people (a rehearsal)")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    kept = args.out / FACES_FILE
    if not kept.exists():
        faces, people, missing = aligned_faces(args.data, args.limit)
        part = args.out / f"part-{FACES_FILE}"
        np.savez(part, faces=faces, people=np.array(people), missing=missing)
        part.replace(kept)
        print(f"{len(faces):,} faces; no face in {missing:,} pictures")


def aligned_faces(data, limit=None):
    """The face of each picture of the training people.

    Returns:
        uint8 (N, S, S, 3); the names of the N people; how many pictures show no face.
    """
    networks = load_networks()
    lines = (data / "peopleDevTrain.txt").read_text().splitlines()[1:]
    faces, people, missing = [], [], 0
    for line in lines[:limit]:
        name, count = line.split("\t")
        for number in range(1, int(count) + 1):
            path = data / "images_deepfunneled" / name / f"{name}_{number:04d}.jpg"
            pixels = read_picture(path)
            found = find_faces(pixels, networks)
            if not found:
                missing += 1
                continue
            face = central_face(found, *pixels.shape[:2])
            faces.append(align(pixels, face.landmarks, SIZE, BORDER))
            people.append(name)
    return np.stack(faces), people, missing


if __name__ == "__main__":
    run_main(main)
