"""Loss of several labels a picture."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable("cvtool")
class MaskedBinaryCrossentropy(keras.losses.Loss):
    """Binary cross-entropy, summed over the labels that are known.

    Multi-task learning: one picture has several labels, and where nobody said whether a
    label applies, it adds nothing to the loss.

    Targets are float (N, C): 1, 0, or a negative number for "not labelled" (NaN would
    poison the gradient even where it is masked); predictions are logits (N, C). The
    value is the sum over the known entries divided by N.

    Args:
        label_smoothing: moves the targets so far towards 1/2, in [0, 1).
    """

    def __init__(self, label_smoothing=0.0, name="masked_binary_crossentropy"):
        super().__init__(name=name)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        y_pred = ops.cast(y_pred, "float32")
        known = ops.cast(y_true >= 0, "float32")
        truth = ops.maximum(ops.cast(y_true, "float32"), 0.0)
        truth = truth * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        # log(1 + exp(x)) - x t: no overflow for any logit x.
        entries = ops.softplus(y_pred) - y_pred * truth
        return ops.sum(known * entries, axis=-1)

    def get_config(self):
        return {"label_smoothing": self.label_smoothing, "name": self.name}


def training_loss(several, label_smoothing):
    """The loss of a classifier, on logits.

    Args:
        several: several labels a picture.
        label_smoothing: Szegedy 2016, section 7.
    """
    if several:
        return MaskedBinaryCrossentropy(label_smoothing)
    return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)
