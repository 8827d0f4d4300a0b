"""What a network in training says of a data set, without an engine or a saved model."""

from __future__ import annotations

import numpy as np

from cvtool.detection.boxes import area
from cvtool.detection.decoding import decode, select
from cvtool.detection.evaluation import MAX_BOXES, MAX_IOU
from cvtool.detection.letterbox import letterbox, unletterbox_boxes
from cvtool.pictures.reading import read_picture

# Lower scores change average precision by less than a thousandth and cost time in each epoch.
MIN_SCORE = 0.005


def predict_dataset(network, dataset, *, size, anchors, strides, cache=None, batch=16):
    """Boxes that a network finds in each picture of a data set.

    Args:
        network: keras.Model of `yolo`.
        dataset: DetectionDataset.
        size: side of the square input, pixels.
        anchors: float (S, A, 2), pixels.
        strides: S strides, pixels.
        cache: `training.memory.BoundedCache` that keeps the resized pictures from one call to
            the next, or None.
        batch: pictures at a time.
    Returns:
        list of `metrics.Prediction`.
    Raises:
        PictureError: a picture cannot be read.
    """
    predictions = []
    for start in range(0, len(dataset.examples), batch):
        examples = dataset.examples[start : start + batch]
        pictures = [square_of(example.path, size, cache) for example in examples]
        raw = network.predict_on_batch(np.stack([pixels for pixels, _, _ in pictures]))
        for row, example, (_, scale, padding) in zip(raw, examples, pictures, strict=True):
            boxes, scores, class_ids = decode(row, size, anchors, strides, min_score=MIN_SCORE)
            # As in the detector: cut at the picture's edges before suppression, since that
            # changes which boxes overlap, and without those that lie in the padding.
            boxes = unletterbox_boxes(boxes, scale, padding, example.height, example.width)
            seen = area(boxes) > 0
            found = boxes[seen], scores[seen], class_ids[seen]
            predictions.append(select(*found, max_iou=MAX_IOU, max_boxes=MAX_BOXES))
    return predictions


def square_of(path, size, cache):
    """A picture as the network sees it: `letterbox` of it, kept in `cache`."""
    kept = None if cache is None else cache.get(path)
    if kept is not None:
        return kept
    square = letterbox(read_picture(path), size)
    if cache is not None:
        cache[path] = square
    return square
