"""Score a network while it trains."""

from __future__ import annotations

import numpy as np

from cvtool.classification.batches import ViewBatches, predict
from cvtool.classification.metrics import multi_label_scores, top_k_accuracy


def predict_logits(model, store, indices, *, keep=False):
    """Logits float32 (M, C) of the pictures' centre views.

    Args:
        model: keras.Model of `networks.logits_of`.
        store: `PictureStore`.
        indices: int (M,), which pictures.
        keep: they will be asked for again, see `PictureStore.view`.
    """
    return predict(model, ViewBatches(store, indices, keep=keep))


def activate(logits, several):
    """Probabilities of logits (N, C): a sigmoid each where `several`, else a softmax."""
    if several:
        return 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def scores_of(probabilities, targets, several):
    """Figures of predictions on the dev pictures, as history.csv keeps them.

    Args:
        probabilities: float (N, C).
        targets: float (N, C), one-hot, or 0, 1 and NaN where `several`.
    Returns:
        dict: dev_top1 and dev_loss; or dev_map and dev_accuracy for several labels.
    """
    if several:
        figures = multi_label_scores(probabilities, targets)
        return {
            "dev_map": figures["mean_average_precision"] or 0.0,
            "dev_accuracy": figures["accuracy"] or 0.0,
        }
    labels = targets.argmax(axis=1)
    right = probabilities[np.arange(len(labels)), labels]
    return {
        "dev_top1": top_k_accuracy(probabilities, labels, 1),
        "dev_loss": float(-np.log(np.maximum(right, 1e-7)).mean()),
    }
