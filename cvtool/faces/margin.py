"""Learn faces as classes, one a person, before triplets: a softmax over cosines with a margin.

Wang et al. 2018, "CosFace: Large Margin Cosine Loss for Deep Face Recognition", section 3. A
network that starts from it finds triplets worth learning from; one that starts from nothing
tends to map all faces to one point.
"""

from __future__ import annotations

import keras
from keras import ops

SCALE = 30.0
MARGIN = 0.3


@keras.saving.register_keras_serializable("cvtool")
class Cosines(keras.layers.Layer):
    """The cosine of each embedding with the direction of each person.

    Args:
        people: number of people C.

    Call: float (N, D) of length 1 to float32 (N, C) in [-1, 1].
    """

    def __init__(self, people, **more):
        super().__init__(**more)
        self.people = people

    def build(self, shape):
        self.directions = self.add_weight(
            shape=(shape[-1], self.people), initializer="glorot_normal", name="directions"
        )

    def call(self, embeddings):
        return ops.matmul(embeddings, ops.normalize(self.directions, axis=0))

    def get_config(self):
        return super().get_config() | {"people": self.people}


def margin_softmax(labels, cosines, scale=SCALE, margin=MARGIN):
    """Cross-entropy of the right person, whose cosine must lead by a margin (equation 4).

    Args:
        labels: int (N,): the number of each picture's person.
        cosines: float (N, C) in [-1, 1].
        scale: of the cosines, for the softmax.
        margin: what is taken off the right person's cosine; 0 gives a normalised softmax.
    Returns:
        float (N,).
    """
    right = ops.one_hot(ops.cast(ops.reshape(labels, (-1,)), "int32"), cosines.shape[-1])
    logits = scale * (ops.cast(cosines, "float32") - margin * right)
    return ops.logsumexp(logits, axis=-1) - ops.sum(logits * right, axis=-1)
