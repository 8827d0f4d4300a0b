"""Layers of Darknet that Keras does not have."""

from __future__ import annotations

import keras
from keras import ops

# Below any number that a map holds; infinity itself is not exact on every engine.
LOWEST = -3e38


@keras.saving.register_keras_serializable("cvtool")
class PaddedMaxPooling(keras.layers.Layer):
    """Maximum of windows over a map with a border that never wins.

    Darknet puts half of the padding, rounded down, on the left and top, whatever the size of
    the map; Keras' "same" depends on the size.

    Args:
        size: side of the window.
        stride: distance of the windows.
        padding: rows, and columns, of border altogether.
    """

    def __init__(self, size, stride, padding, **options):
        super().__init__(**options)
        self.size, self.stride, self.padding = size, stride, padding

    def call(self, maps):
        """Maps float (N, H, W, C) -> (N, (H + padding - size) // stride + 1, ..., C)."""
        border = (self.padding // 2, self.padding - self.padding // 2)
        maps = ops.pad(maps, ((0, 0), border, border, (0, 0)), constant_values=LOWEST)
        return ops.max_pool(maps, self.size, self.stride)

    def compute_output_shape(self, shape):
        n, *sides, channels = shape
        height, width = (
            None if side is None else (side + self.padding - self.size) // self.stride + 1
            for side in sides
        )
        return n, height, width, channels

    def get_config(self):
        own = {"size": self.size, "stride": self.stride, "padding": self.padding}
        return super().get_config() | own


@keras.saving.register_keras_serializable("cvtool")
class Enlarge(keras.layers.Layer):
    """Every pixel of a map as a square of equal ones.

    Keras' `UpSampling2D` forgets the number of channels where the size is free, and what
    follows then cannot be exported to LiteRT.

    Args:
        factor: side of the square.
    """

    def __init__(self, factor, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, maps):
        """Maps float (N, H, W, C) -> (N, H factor, W factor, C)."""
        factor, channels = self.factor, maps.shape[-1]
        n, height, width, _ = ops.shape(maps)
        # In memory a pixel's copies follow it, and a row's copies the row.
        wide = ops.concatenate([maps] * factor, axis=3)
        wide = ops.reshape(wide, (n, height, width * factor, channels))
        tall = ops.concatenate([wide] * factor, axis=2)
        return ops.reshape(tall, (n, height * factor, width * factor, channels))

    def compute_output_shape(self, shape):
        n, *sides, channels = shape
        height, width = (None if side is None else side * self.factor for side in sides)
        return n, height, width, channels

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


@keras.saving.register_keras_serializable("cvtool")
class Reorganise(keras.layers.Layer):
    """[reorg] of YOLOv2: a map of half the side and four times the channels (for stride 2).

    Not the usual space-to-depth: Darknet reads the memory of a map of C channels as one of
    C / stride^2 channels and sides stride times as long, and takes that apart. Networks were
    trained with it, so the order is part of them.

    Args:
        stride: what the sides are divided by.
    """

    def __init__(self, stride, **options):
        super().__init__(**options)
        self.stride = stride

    def call(self, maps):
        """Maps float (N, H, W, C) -> (N, H / stride, W / stride, C stride^2)."""
        stride, channels = self.stride, maps.shape[-1]
        n, height, width, _ = ops.shape(maps)
        rows = channels * height // stride**2
        # Channels first, the order of Darknet's memory.
        maps = ops.transpose(maps, (0, 3, 1, 2))
        maps = ops.reshape(maps, (n, rows, stride, width, stride))
        maps = ops.transpose(maps, (0, 2, 4, 1, 3))
        shape = (n, channels * stride**2, height // stride, width // stride)
        return ops.transpose(ops.reshape(maps, shape), (0, 2, 3, 1))

    def compute_output_shape(self, shape):
        n, *sides, channels = shape
        height, width = (None if side is None else side // self.stride for side in sides)
        return n, height, width, channels * self.stride**2

    def get_config(self):
        return super().get_config() | {"stride": self.stride}
