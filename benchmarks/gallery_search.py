"""How long a gallery of 100,000 embeddings takes to load once, and to search for one face.

python benchmarks/gallery_search.py [--faces 100000] [--people 20000] [--rounds 30]

The search is measured against a loop over the people in the same run, and against scikit-learn's
nearest neighbours by brute force. All must find the same person.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from cvtool.faces.gallery import Gallery, Maker, NewFace

DIMENSIONS = 128
BAR_MS = 50


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=30)
    args = parser.parse_args()
    random = np.random.default_rng(0)
    rows = units(random, args.faces)
    maker = Maker("benchmark", "0" * 64, DIMENSIONS)
    people = {}
    for i, row in enumerate(rows):
        face = NewFace(row, "picture.jpg", (0, 0, 100, 100), f"{i:064x}")
        people.setdefault(f"person {i % args.people}", []).append(face)
    with tempfile.TemporaryDirectory() as folder:
        gallery = Gallery(Path(folder) / "known.gallery")
        start = time.perf_counter()
        gallery.add(people, maker)
        filled = time.perf_counter() - start
        megabytes = gallery.path.stat().st_size / 1e6
        start = time.perf_counter()
        known = gallery.known_faces()
        loaded = time.perf_counter() - start
    print(f"{args.faces} faces of {args.people} people, {DIMENSIONS} numbers each")
    print(f"filled in one transaction: {filled:.1f} s, {megabytes:.0f} MB; loaded: {loaded:.2f} s")

    queries = units(random, args.rounds)
    searches = {
        "cvtool, all people ranked, two given": lambda q: known.nearest(q[None])[0][0].name,
        "NumPy in a loop over the people": looped(known),
        "scikit-learn, brute force": neighbours(known),
    }
    times = {name: [] for name in searches}
    for query in queries:
        answers = set()
        for name, search in searches.items():
            start = time.perf_counter()
            answers.add(search(query))
            times[name].append(1000 * (time.perf_counter() - start))
        if len(answers) != 1:
            sys.exit(f"the searches found different people: {answers}")
    medians = {name: statistics.median(each) for name, each in times.items()}
    own = next(iter(medians.values()))
    print(f"{'one face':40} {'median ms':>10} {'/ cvtool':>9}")
    for name, median in medians.items():
        print(f"{name:40} {median:10.2f} {median / own:9.1f}")
    if own >= BAR_MS:
        sys.exit(f"{own:.1f} ms, over the bar of {BAR_MS}")


def units(random, count):
    rows = random.normal(size=(count, DIMENSIONS)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def looped(known):
    """What someone would write first: each person's distances, and the smallest so far."""
    faces = np.split(known.embeddings, known.starts[1:])

    def search(query):
        distances = [((rows - query) ** 2).sum(axis=1).min() for rows in faces]
        return known.names[int(np.argmin(distances))]

    return search


def neighbours(known):
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(known.embeddings)

    def search(query):
        row = int(index.kneighbors(query[None], return_distance=False)[0, 0])
        return known.names[int(np.searchsorted(known.starts, row, side="right")) - 1]

    return search


if __name__ == "__main__":
    main()
