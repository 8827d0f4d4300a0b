"""What a detector takes for what."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cvtool.datasets.boxed import DetectionDataset
from cvtool.detection.matching import match
from cvtool.detection.metrics import Prediction

BACKGROUND = "background"


def confusion_matrix(
    dataset: DetectionDataset, predictions: Sequence[Prediction], min_score: float
) -> np.ndarray:
    """Count the pairs of true and predicted class at IoU 0.5, with the background as a class.

    A box finds the object that it covers best, whatever the classes; the highest score goes
    first, and an object is found once. What lies in a crowd does not count.

    Args:
        dataset, predictions: as for `metrics.evaluate_detections`.
        min_score: boxes below it do not count.
    Returns:
        int64 (C + 1, C + 1), rows truth, columns predicted; the last row holds boxes that
        found no object, the last column objects that no box found.
    Raises:
        ValueError: the predictions do not fit the data set.
    """
    background = len(dataset.classes)
    matches = match(dataset, predictions, by_class=False).at_least(min_score)
    confusion = np.zeros((background + 1, background + 1), np.int64)
    for example, rows in zip(
        dataset.examples, matches.by_picture(len(dataset.examples)), strict=True
    ):
        predicted, found = matches.class_ids[rows], matches.truths[rows]
        true = np.append(example.class_ids, background)[found]
        np.add.at(confusion, (true, predicted), 1)
        missed = ~example.crowd
        missed[found[found >= 0]] = False
        np.add.at(confusion[:, background], example.class_ids[missed], 1)
    return confusion
