"""Small data sets of boxes with predictions, that several test modules share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cvtool.datasets.boxed import DetectionDataset, Example

NOTHING = (np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))


def example(boxes, class_ids, crowd=None, path="0.jpg", size=100):
    """A square picture with its true boxes."""
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    crowd = np.zeros(len(boxes), bool) if crowd is None else np.array(crowd, bool)
    return Example(Path(path), boxes, np.array(class_ids, np.int64), size, size, 0, crowd)


def dataset(*examples, classes=("cat", "dog", "owl")):
    return DetectionDataset(tuple(classes), tuple(examples), tuple(range(len(classes))))


def prediction(*rows):
    """Rows of score, class id, box."""
    scores, class_ids, boxes = zip(*rows, strict=True)
    return np.array(boxes, np.float64), np.array(scores), np.array(class_ids)


def random_task(seed, pictures=25, crowds=0.15):
    """Truths, some of them crowds, and predictions near some of them or anywhere."""
    rng = np.random.default_rng(seed)

    def boxes(count):
        return np.sort(rng.uniform(0, 100, (count, 2, 2)), axis=1).reshape(count, 4)

    examples, predictions = [], []
    for _ in range(pictures):
        count = int(rng.integers(0, 6))
        truths, class_ids = boxes(count), rng.integers(3, size=count)
        examples.append(example(truths, class_ids, rng.random(count) < crowds))
        near = np.repeat(truths, 2, axis=0) + rng.normal(0, 3, (2 * count, 4))
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        guesses = np.concatenate([near, boxes(4)])
        guessed = np.concatenate([np.repeat(class_ids, 2), rng.integers(3, size=4)])
        predictions.append((guesses, rng.random(len(guesses)), guessed))
    return dataset(*examples), predictions
