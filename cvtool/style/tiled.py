"""The same objective for pictures beyond memory: the network sees one tile at a time.

A Gram matrix is a sum over positions, so it is the sum of those of the tiles; and once the
Gram matrices of the whole picture are known, so is what each tile adds to the gradient. Two
passes over the tiles therefore give the losses and the gradient of one pass over the whole
picture: there are no seams to hide.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from cvtool.style.losses import style_loss, total_variation
from cvtool.style.objective import TERMS, shrunk
from cvtool.style.tiles import tiles_of


class TiledObjective:
    """As `objective.Objective`, in tiles.

    Args:
        objective: the objective for whole pictures, whose network and weights are taken.
        side: of a tile, pixels, a multiple of `tiles.STRIDE`.
    """

    terms = TERMS

    def __init__(self, objective, side):
        self.activations, self.weights = objective.activations, objective.weights
        # A layer of the fifth block sees a sixteenth of the picture's sides.
        self.strides = [2 ** (int(name[len("block")]) - 1) for name in objective.layers]
        self.side = side
        self._sums = tf.function(self._tile_sums, reduce_retracing=True)
        self._gradient = tf.function(self._tile_gradient, reduce_retracing=True)
        self._roughness = tf.function(self._whole_variation, reduce_retracing=True)

    def aim(self, content, styles, mask=None):
        """Set the pictures of a scale, see `Objective.aim`."""
        self.content = content.astype(np.float32)
        self.grams = [0.0] * (len(self.strides) - 1)
        for picture, share in styles:
            grams = self._grams(picture.astype(np.float32), self._masks(picture, None))
            self.grams = [a + share * b for a, b in zip(self.grams, grams, strict=True)]
        self.mask = np.ones(content.shape[:2], np.float32) if mask is None else mask
        self.masks = self._masks(content, mask)
        self.tiles = tiles_of(*content.shape[:2], self.side)
        self.targets = [
            self.activations(tf.constant(self.content[tile.outer][None]), training=False)[0]
            for tile in self.tiles
        ]
        height, width = (length // self.strides[0] for length in content.shape[:2])
        self.content_size = height * width * self.targets[0].shape[-1]

    def _masks(self, picture, mask):
        """For each style layer the weight of its positions, float32 (h, w), of sum 1."""
        mask = np.ones(picture.shape[:2], np.float32) if mask is None else mask
        sizes = [[length // stride for length in mask.shape] for stride in self.strides[1:]]
        small = [shrunk(mask, size).numpy() for size in sizes]
        return [part / part.sum() for part in small]

    def _grams(self, picture, masks):
        """The Gram matrices of a whole picture, one a style layer."""
        grams = [0.0] * len(masks)
        for tile in tiles_of(*picture.shape[:2], self.side):
            sums = self._sums(tf.constant(picture[tile.outer][None]), self._parts(tile, masks))
            grams = [a + b for a, b in zip(grams, sums, strict=True)]
        return grams

    def _parts(self, tile, masks):
        """The masks of what a tile is shown: 0 in its halo."""
        parts = []
        for stride, mask in zip(self.strides[1:], masks, strict=True):
            shape = [(span.outer_end - span.outer_start) // stride for span in tile]
            part = np.zeros(shape, np.float32)
            part[tile.within_tile(stride)] = mask[tile.within_picture(stride)]
            parts.append(tf.constant(part))
        return parts

    def __call__(self, pixels):
        """The losses of a picture and their gradient, see `Objective.__call__`."""
        mask = self.mask[..., None]
        seen = self.content + mask * (pixels.astype(np.float32) - self.content)
        grams = self._grams(seen, self.masks)
        with tf.GradientTape() as tape:
            tape.watch(grams)
            differences = [style_loss(a, b) for a, b in zip(grams, self.grams, strict=True)]
            style = self.weights[1] * keras.ops.mean(keras.ops.stack(differences))
        slopes = tape.gradient(style, grams)
        roughness, gradient = self._roughness(tf.constant(seen[None]))
        gradient, content = gradient[0].numpy(), 0.0
        for tile, target in zip(self.tiles, self.targets, strict=True):
            own = np.zeros(target.shape[1:3], np.float32)
            own[tile.within_tile(self.strides[0])] = 1
            shown, parts = tf.constant(seen[tile.outer][None]), self._parts(tile, self.masks)
            loss, slope = self._gradient(shown, parts, slopes, target, tf.constant(own))
            content += float(loss)
            gradient[tile.outer] += slope[0].numpy()
        losses = [content, float(style), float(roughness)]
        return np.array(losses), mask * gradient

    def _tile_sums(self, pixels, parts):
        activations = self.activations(pixels, training=False)[1:]
        return [products(a, part) for a, part in zip(activations, parts, strict=True)]

    def _tile_gradient(self, pixels, parts, slopes, target, own):
        """The content loss of a tile, and what the tile adds to the gradient of the total."""
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            first, *others = self.activations(pixels, training=False)
            squares = own[None, :, :, None] * keras.ops.square(first - target)
            content = self.weights[0] * keras.ops.sum(squares) / (2 * self.content_size)
            # The gradient of this is that of the style loss: its slopes are held fixed.
            pull = [
                keras.ops.sum(slope * products(a, part))
                for slope, a, part in zip(slopes, others, parts, strict=True)
            ]
            total = content + keras.ops.sum(keras.ops.stack(pull))
        return content, tape.gradient(total, pixels)

    def _whole_variation(self, pixels):
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            loss = self.weights[2] * total_variation(pixels)
        return loss, tape.gradient(loss, pixels)


def products(activations, weights):
    """Weighted sums over positions of the products of filters (1, h, w, C), float (C, C)."""
    flat = keras.ops.reshape(activations, (-1, activations.shape[-1]))
    return keras.ops.matmul(keras.ops.transpose(flat), flat * keras.ops.reshape(weights, (-1, 1)))
