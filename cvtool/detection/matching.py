"""Which predicted box found which true one at IoU 0.5, and average precision from that.

The matching is pycocotools', as for the scores. Kept as plain arrays, it can be counted
again and again: with mended errors, or on pictures drawn at random.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cvtool.datasets.boxed import DetectionDataset
from cvtool.detection.metrics import Prediction, match_with_coco

MIN_IOU = 0.5
_RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Every prediction that counts, the highest score first.

    Those in a crowd do not count, nor those after the first 100 of a picture and class.

    Attributes:
        pictures: int (N,), positions in the data set's examples.
        rows: int (N,), positions in the picture's prediction.
        boxes: float (N, 4) xyxy in pixels of the picture.
        scores: float (N,).
        class_ids: int (N,).
        truths: int (N,), positions in the picture's true boxes of the one that was found,
            or -1 for none.
    """

    pictures: np.ndarray
    rows: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray
    truths: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """bool (N,): whether a true box was found."""
        return self.truths >= 0

    def at_least(self, score: float) -> Matches:
        """The predictions with at least this score.

        Matching goes by falling score, so leaving out the others changes no match.
        """
        count = int((self.scores >= score).sum())
        return Matches(*(getattr(self, name)[:count] for name in self.__slots__))

    def by_picture(self, pictures: int) -> Iterator[np.ndarray]:
        """For each of so many pictures the positions of its predictions, best first."""
        order = np.argsort(self.pictures, kind="stable")
        edges = np.searchsorted(self.pictures[order], np.arange(pictures + 1))
        for start, end in zip(edges, edges[1:], strict=False):
            yield order[start:end]


def match(
    dataset: DetectionDataset, predictions: Sequence[Prediction], *, by_class: bool = True
) -> Matches:
    """Match predictions with true boxes, greedily by falling score, at IoU 0.5.

    Args:
        dataset, predictions: as for `metrics.evaluate_detections`.
        by_class: a box finds only true ones of its own class; False lets it find any.
    Raises:
        ValueError: the predictions do not fit the data set.
    """
    if by_class:
        coco = match_with_coco(dataset, predictions, min_ious=np.array([MIN_IOU]))
    else:
        coco = match_with_coco(*_of_one_class(dataset, predictions), min_ious=np.array([MIN_IOU]))
    # pycocotools' ids are positions in the list of all boxes, plus one.
    found, truths = [np.zeros(0, int)], [np.zeros(0, int)]
    for result in filter(None, coco.evalImgs):
        counts = ~result["dtIgnore"][0].astype(bool)
        found.append(np.array(result["dtIds"], int)[counts] - 1)
        truths.append(result["dtMatches"][0].astype(int)[counts] - 1)
    found, truths = np.concatenate(found), np.concatenate(truths)
    pictures, rows = _places([len(scores) for _, scores, _ in predictions])
    _, positions = _places([len(example.boxes) for example in dataset.examples])
    scores = np.concatenate([np.zeros(0), *(scores for _, scores, _ in predictions)])
    class_ids = np.concatenate([np.zeros(0, int), *(ids for _, _, ids in predictions)])
    boxes = [np.reshape(boxes, (-1, 4)) for boxes, _, _ in predictions]
    boxes = np.concatenate([np.zeros((0, 4)), *boxes])
    order = np.argsort(-scores[found], kind="stable")
    found, truths = found[order], truths[order]
    return Matches(
        pictures=pictures[found],
        rows=rows[found],
        boxes=boxes[found],
        scores=scores[found],
        class_ids=class_ids[found],
        truths=np.append(positions, -1)[truths],
    )


def count_truths(dataset: DetectionDataset) -> np.ndarray:
    """True boxes of each picture and class, crowds apart; int (pictures, classes)."""
    counts = np.zeros((len(dataset.examples), len(dataset.classes)), int)
    for row, example in zip(counts, dataset.examples, strict=True):
        np.add.at(row, example.class_ids[~example.crowd], 1)
    return counts


def mean_average_precision(
    class_ids: np.ndarray,
    right: np.ndarray,
    truths: np.ndarray,
    weights: np.ndarray | None = None,
) -> float:
    """Mean of the average precision over the classes that have true boxes, as COCO takes it.

    Args:
        class_ids: int (N,), of the predictions, the highest score first.
        right: bool (N,).
        truths: int (C,), true boxes of each class.
        weights: int (N,), how often each prediction counts; None for once.
    Returns:
        in [0, 1]; 1 where no class has true boxes: nothing is left to find.
    """
    weights = np.ones(len(right), int) if weights is None else weights
    order = np.argsort(class_ids, kind="stable")
    edges = np.searchsorted(class_ids[order], np.arange(len(truths) + 1))
    averages = []
    for number in np.flatnonzero(truths):
        own = order[edges[number] : edges[number + 1]]
        averages.append(_average_precision(right[own], truths[number], weights[own]))
    return float(np.mean(averages)) if averages else 1.0


def _average_precision(right, truths, weights) -> float:
    """Mean over the recalls 0, 0.01, ... 1 of the best precision at that recall or above."""
    hits, boxes = np.cumsum(right * weights), np.cumsum(weights)
    if not len(hits) or not hits[-1]:
        return 0.0
    precision = hits / np.maximum(boxes, 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    reached = np.searchsorted(hits / truths, _RECALLS)
    return float(np.append(best, 0.0)[reached].mean())


def _places(counts) -> tuple[np.ndarray, np.ndarray]:
    """For boxes listed picture by picture: each one's picture, and its place there."""
    counts = np.array(counts, int)
    pictures = np.repeat(np.arange(len(counts)), counts)
    starts = np.cumsum(counts) - counts
    return pictures, np.arange(len(pictures)) - starts[pictures]


def _of_one_class(dataset, predictions) -> tuple[DetectionDataset, list[Prediction]]:
    examples = tuple(
        replace(example, class_ids=np.zeros_like(example.class_ids)) for example in dataset.examples
    )
    one = replace(dataset, classes=("object",), category_ids=(0,), examples=examples)
    return one, [(boxes, scores, np.zeros(len(scores), int)) for boxes, scores, _ in predictions]
