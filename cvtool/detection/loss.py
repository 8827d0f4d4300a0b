"""The YOLO loss, in keras.ops so that every backend can train with it."""

from __future__ import annotations

import math

import keras
from keras import ops

from cvtool.detection.encoding import CENTRE, CLASS, POSITIVE, SIZE
from cvtool.detection.grid import STRIDES, boxes_from_raw, prediction_grid

EPSILON = 1e-7

# The balance of the three terms, each summed and divided by the number of
# positive predictions in the batch (YOLOX, Ge et al. 2021): with these weights
# the three are of one order at the start and box quality leads at the end.
BOX_WEIGHT = 5.0
OBJECTNESS_WEIGHT = 1.0
CLASS_WEIGHT = 1.0


@keras.saving.register_keras_serializable("cvtool")
class YoloLoss(keras.losses.Loss):
    """Box, objectness and class loss of one input size.

    loss = 5 sum(1 - CIoU) / n + sum BCE(objectness) / n + sum BCE(class) / n

    with n the number of positive predictions. Box and class terms count the
    positives only; the objectness target of a positive is the IoU its box has
    at the moment, without gradient (so that the score also ranks boxes by how
    well they fit), and 0 elsewhere.

    Args:
        anchors: float array-like (S, A, 2) in pixels.
        size: side of the square input in pixels.
        num_classes: number of classes C.
        strides: S strides.
        label_smoothing: part of the class target given to the other classes.
    """

    def __init__(
        self, anchors, size, num_classes, strides=STRIDES, label_smoothing=0.0, name="yolo_loss"
    ):
        super().__init__(name=name, dtype="float32")
        self.anchors = [[list(map(float, a)) for a in scale] for scale in anchors]
        self.size = size
        self.num_classes = num_classes
        self.strides = tuple(strides)
        self.label_smoothing = label_smoothing
        # A copy, for torch warns of arrays that are not to be written.
        self.grid = prediction_grid(size, self.anchors, self.strides).copy()

    def call(self, y_true, y_pred):
        """Loss of a batch.

        Args:
            y_true: float (N, P, 6), rows from `encode`.
            y_pred: float (N, P, 5 + C), raw network outputs.
        Returns:
            float scalar.
        """
        positive = y_true[..., POSITIVE]
        count = ops.maximum(ops.sum(positive), 1.0)
        # torch does not calculate with NumPy arrays.
        grid = ops.convert_to_tensor(self.grid)
        centres, sizes = boxes_from_raw(y_pred[..., 0:2], y_pred[..., 2:4], grid, ops.sigmoid)
        overlap, complete = iou_and_ciou(centres, sizes, y_true[..., CENTRE], y_true[..., SIZE])
        box = ops.sum(positive * (1.0 - complete)) / count

        wanted = ops.stop_gradient(positive * ops.clip(overlap, 0.0, 1.0))
        objectness = ops.sum(cross_entropy(wanted, y_pred[..., 4])) / count

        classes = ops.one_hot(ops.cast(y_true[..., CLASS], "int32"), self.num_classes)
        smooth = self.label_smoothing
        classes = classes * (1.0 - smooth) + smooth / self.num_classes
        entropy = ops.sum(cross_entropy(classes, y_pred[..., 5:]), axis=-1)
        label = ops.sum(positive * entropy) / count
        return BOX_WEIGHT * box + OBJECTNESS_WEIGHT * objectness + CLASS_WEIGHT * label

    def get_config(self):
        return {
            "anchors": self.anchors,
            "size": self.size,
            "num_classes": self.num_classes,
            "strides": self.strides,
            "label_smoothing": self.label_smoothing,
            "name": self.name,
        }


def cross_entropy(target, logits):
    """Binary cross-entropy from logits, element by element, stable for large logits."""
    return ops.relu(logits) - logits * target + ops.log1p(ops.exp(-ops.abs(logits)))


def iou_and_ciou(centres_a, sizes_a, centres_b, sizes_b):
    """IoU and complete IoU of matching boxes (Zheng et al. 2020, equations 4 to 8).

    Args:
        centres_a, sizes_a, centres_b, sizes_b: float tensors (..., 2), one unit.
    Returns:
        IoU in [0, 1] and CIoU in (-1.5, 1], each (...). No gradient flows
        through the trade-off weight alpha, as in the paper.
    """
    low_a, high_a = centres_a - sizes_a / 2, centres_a + sizes_a / 2
    low_b, high_b = centres_b - sizes_b / 2, centres_b + sizes_b / 2
    shared = ops.relu(ops.minimum(high_a, high_b) - ops.maximum(low_a, low_b))
    intersection = shared[..., 0] * shared[..., 1]
    area_a = sizes_a[..., 0] * sizes_a[..., 1]
    area_b = sizes_b[..., 0] * sizes_b[..., 1]
    overlap = intersection / (area_a + area_b - intersection + EPSILON)

    hull = ops.maximum(high_a, high_b) - ops.minimum(low_a, low_b)
    diagonal = ops.sum(ops.square(hull), axis=-1) + EPSILON
    distance = ops.sum(ops.square(centres_a - centres_b), axis=-1) / diagonal

    def angle(sizes):
        return ops.arctan(sizes[..., 0] / (sizes[..., 1] + EPSILON))

    shape = 4 / math.pi**2 * ops.square(angle(sizes_b) - angle(sizes_a))
    alpha = ops.stop_gradient(shape / (1.0 - overlap + shape + EPSILON))
    return overlap, overlap - distance - alpha * shape
