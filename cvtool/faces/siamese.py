"""The siamese alternative to a distance and a threshold: a classifier of two embeddings.

Taigman et al. 2014, "DeepFace: Closing the Gap to Human-Level Performance in Face
Verification", section 4.
"""

from __future__ import annotations

import keras
from keras import layers, ops

# Keeps the weighted chi-squared form finite where both numbers are 0.
EPSILON = 1e-6


def absolute_difference(one, other):
    """|f_i(a) - f_i(b)|, float (N, D)."""
    return ops.absolute(one - other)


def chi_squared(one, other):
    """(f_i(a) - f_i(b))² / (|f_i(a)| + |f_i(b)|), float (N, D).

    DeepFace's numbers are never negative, so its denominator has no bars.
    """
    return ops.square(one - other) / (ops.absolute(one) + ops.absolute(other) + EPSILON)


FORMS = {"absolute": absolute_difference, "chi-squared": chi_squared}


def siamese_head(dimensions, form="absolute"):
    """Build the classifier: sigmoid(sum of w_i x form_i + b).

    Args:
        dimensions: of the embeddings, D.
        form: a key of FORMS.
    Returns:
        keras.Model from two embeddings, float (N, D) each, to the probability that they are of
        one person, float32 (N, 1).
    """
    one, other = (keras.Input((dimensions,), name=name) for name in ("one", "other"))
    same = layers.Dense(1, activation="sigmoid", dtype="float32", name="same")
    return keras.Model([one, other], same(FORMS[form](one, other)), name="siamese")
