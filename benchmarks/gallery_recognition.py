"""Count what a gallery recognises and what grouping finds, on people that nobody was trained on.

    python benchmarks/gallery_recognition.py DIR [--model facenet-lfw]

DIR is the folder of LFW, with images_deepfunneled/ and peopleDevTest.txt. Takes 60 people with
three pictures or more (of each at most eight) and 60 with one, by a seed. The first picture of
each of the former is enrolled; their other pictures, and the 60 strangers, are looked up. Then
all pictures are grouped.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np

from cvtool.faces.evaluation import central_aligned
from cvtool.faces.grouping import group_faces
from cvtool.faces.verifier import Verifier
from cvtool.pictures.reading import read_picture

KNOWN, STRANGERS, MOST_PICTURES = 60, 60, 8


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="the folder of LFW")
    parser.add_argument("--model", default="facenet-lfw", help="a preset or a model's folder")
    args = parser.parse_args()
    verifier = Verifier.load(args.model, device="cpu")
    names, rows = embed_people(verifier, args.data)
    print(f"{len(rows)} pictures of {len(set(names))} people")
    for far in (0.001, 0.01):
        limit = verifier.threshold(far)
        print(f"at {far:.1%} false accepts (distance {limit.distance:.3f}):")
        print(f"  {recognition(names, rows, limit.distance)}")
        print(f"  {grouping(names, rows, limit.distance)}")
    best = verifier.threshold()
    print(f"at verify's threshold ({best.distance:.3f}):")
    print(f"  {recognition(names, rows, best.distance)}")


def embed_people(verifier, data):
    """The person of each picture, (N,), and its embedding, float32 (N, dimensions)."""
    lines = (data / "peopleDevTest.txt").read_text().splitlines()[1:]
    counts = {name: int(count) for name, count in (line.split("\t") for line in lines)}
    chooser = random.Random(0)
    several = sorted(name for name, count in counts.items() if count >= 3)
    single = sorted(name for name, count in counts.items() if count == 1)
    people = chooser.sample(several, KNOWN) + chooser.sample(single, STRANGERS)
    names, faces = [], []
    for name in people:
        for number in range(1, min(counts[name], MOST_PICTURES) + 1):
            path = data / "images_deepfunneled" / name / f"{name}_{number:04d}.jpg"
            faces.append(central_aligned(verifier, read_picture(path))[0])
            names.append(name)
    return np.array(names), verifier.embed(faces)


def recognition(names, rows, limit):
    """Who is known, taken for somebody else, and accepted as a stranger, in words."""
    _, first, counts = np.unique(names, return_index=True, return_counts=True)
    enrolled = first[counts > 1]
    others = np.setdiff1d(np.arange(len(names)), enrolled)
    distances = 2 - 2 * rows[others] @ rows[enrolled].T
    accepted = distances.min(axis=1) <= limit
    right = accepted & (names[enrolled][distances.argmin(axis=1)] == names[others])
    known = np.isin(names[others], names[enrolled])
    return (
        f"of {known.sum()} pictures of known people {right[known].mean():.0%} recognised, "
        f"{(accepted & ~right)[known].mean():.0%} taken for another; of {(~known).sum()} strangers "
        f"{accepted[~known].mean():.0%} taken for somebody"
    )


def grouping(names, rows, limit):
    """How pure and how complete the groups are, by pairs of pictures, in words."""
    label = np.arange(len(rows))
    for number, group in enumerate(group_faces(rows, limit)[0]):
        label[group] = -1 - number
    pairs = np.triu_indices(len(rows), k=1)
    same = (names[:, None] == names)[pairs]
    together = (label[:, None] == label)[pairs]
    return (
        f"of two pictures in one group {same[together].mean():.0%} are of one person; of two "
        f"pictures of one person {together[same].mean():.0%} are in one group"
    )


if __name__ == "__main__":
    main()
