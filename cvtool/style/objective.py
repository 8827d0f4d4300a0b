"""What a style transfer minimises: J(G) = alpha J_content + beta J_style + total variation
(Gatys et al. 2016, equation 7), and its gradient for the pixels.
"""

from __future__ import annotations

import cv2
import keras
import numpy as np
import tensorflow as tf

from cvtool.style.features import activations_of
from cvtool.style.losses import content_loss, gram_matrix, style_loss, total_variation

TERMS = ("content", "style", "total_variation")


class Objective:
    """The losses of one pair of pictures at any scale.

    Args:
        network: of `features.load_features`.
        content_layer: name of the layer whose activations are kept.
        style_layers: names of the layers whose Gram matrices are matched, weighted equally
            (the paper's w_l).
        weights: of content, style and total variation (alpha, beta and the smoothness), floats.
    Raises:
        OptionError: an unknown layer.
    """

    def __init__(self, network, content_layer, style_layers, weights):
        self.layers = [content_layer, *style_layers]
        self.activations = activations_of(network, self.layers)
        self.weights = tf.constant(weights, tf.float32)
        self.terms = TERMS
        self.targets = None
        # One function for all scales: the sizes of pictures stay open.
        self._compiled = tf.function(self._losses_and_gradient, reduce_retracing=True)

    def aim(self, content, styles, mask=None):
        """Set the pictures of a scale.

        Args:
            content: uint8 or float (H, W, 3), RGB in [0, 255].
            styles: list of (picture like it of any size, share); the Gram matrices are
                averaged by their shares.
            mask: float32 (H, W) in [0, 1]: only what lies under it is changed, and looks
                like the style; None for everywhere.
        """
        features = self._features(content)
        grams = [0.0] * (len(features) - 1)
        for picture, share in styles:
            for layer, activations in enumerate(self._features(picture)[1:]):
                grams[layer] = grams[layer] + share * gram_matrix(activations)
        if mask is None:
            mask = np.ones(content.shape[:2], np.float32)
        masks = [shrunk(mask, activations.shape[1:3]) for activations in features[1:]]
        self.targets = (
            tf.constant(content[None], tf.float32),
            features[0],
            grams,
            tf.constant(mask),
            masks,
        )

    def _features(self, pixels):
        return self.activations(tf.constant(pixels[None], tf.float32), training=False)

    def __call__(self, pixels):
        """The losses of a picture and their gradient.

        Args:
            pixels: float array (H, W, 3), RGB.
        Returns:
            float64 array (3,) of content, style and total variation, each with its weight;
            float32 array (H, W, 3), the gradient of their sum.
        """
        losses, gradient = self._compiled(tf.constant(pixels[None], tf.float32), self.targets)
        return losses.numpy().astype(np.float64), gradient[0].numpy()

    def _losses_and_gradient(self, pixels, targets):
        content, features, grams, mask, masks = targets
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            seen = content + mask[None, :, :, None] * (pixels - content)
            first, *others = self.activations(seen, training=False)
            style = keras.ops.mean(
                keras.ops.stack(
                    [
                        style_loss(gram_matrix(activations, part), gram)
                        for activations, part, gram in zip(others, masks, grams, strict=True)
                    ]
                )
            )
            terms = [content_loss(first, features), style, total_variation(seen)]
            losses = self.weights * keras.ops.stack(terms)
            total = keras.ops.sum(losses)
        return losses, tape.gradient(total, pixels)


def shrunk(mask, size):
    """A mask at a layer's size (h, w), float32; nowhere quite 0, so that its sum is not."""
    height, width = size
    small = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
    return tf.constant(np.maximum(small, 1e-4))
