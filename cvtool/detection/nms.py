"""Non-maximum suppression: of boxes that overlap, keep the surest."""

from __future__ import annotations

import numpy as np

from cvtool.detection.boxes import as_float, iou

# Boxes are judged in blocks: large enough for array arithmetic to pay, small enough
# that a block against all kept boxes stays in the processor's cache and the search
# can stop soon after max_boxes are found. Of 64 to 256, 64 was fastest.
_BLOCK = 64


def non_max_suppression(
    boxes, scores, class_ids=None, *, max_iou: float = 0.45, max_boxes: int = 300
) -> np.ndarray:
    """Go through boxes by falling score; keep each that overlaps no kept one too much.

    Args:
        boxes: float array (N, 4) xyxy, any one unit.
        scores: float array (N,).
        class_ids: int array (N,); only boxes of one class suppress each other. None
            lets all boxes do so (class-agnostic).
        max_iou: boxes of a larger IoU with a kept box are dropped, in [0, 1].
        max_boxes: most boxes to keep, over all classes.
    Returns:
        int64 array of the positions of the kept boxes, best first; of equal scores
        the earlier comes first.
    Raises:
        ValueError: the arrays differ in length.
    """
    boxes, scores = as_float(boxes), np.asarray(scores)
    class_ids = np.zeros(len(boxes), np.int64) if class_ids is None else np.asarray(class_ids)
    if not len(boxes) == len(scores) == len(class_ids):
        raise ValueError(
            f"{len(boxes)} boxes, {len(scores)} scores and {len(class_ids)} classes do not match"
        )
    order = np.argsort(-scores, kind="stable")
    kept = np.zeros(0, np.int64)
    for start in range(0, len(order), _BLOCK):
        block = order[start : start + _BLOCK]
        block = block[~_clash(boxes, class_ids, block, kept, max_iou).any(axis=1)]
        kept = np.concatenate([kept, block[_greedy(boxes, class_ids, block, max_iou)]])
        if len(kept) >= max_boxes:
            break
    return kept[:max_boxes]


def _clash(boxes, class_ids, block, others, max_iou) -> np.ndarray:
    """bool (len(block), len(others)): same class, and an overlap above max_iou."""
    same = class_ids[block][:, None] == class_ids[others]
    return same & (iou(boxes[block], boxes[others]) > max_iou)


def _greedy(boxes, class_ids, block, max_iou) -> np.ndarray:
    """Which boxes of a block, sorted by score, survive those before them; bool (len(block),)."""
    clash = _clash(boxes, class_ids, block, block, max_iou)
    alive = np.ones(len(block), bool)
    for number in range(len(block)):
        if alive[number]:
            alive[number + 1 :] &= ~clash[number, number + 1 :]
    return alive
