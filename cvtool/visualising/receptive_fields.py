"""Receptive fields: which pixels of a picture each position of a feature map depends on.

They follow from the layers' windows alone (Araujo et al. 2019, "Computing receptive fields of
convolutional neural networks"), and are computed position by position, so that padding,
branches and sizes that do not divide come out exactly. A window is a rectangle, and of several
ways from a pixel to a position the union counts, or rather the smallest rectangle round it:
therefore rows and columns can be computed apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# First pixel of a span that depends on no pixel at all, such as a row of padding.
_NOWHERE = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """The receptive fields of a feature map.

    Attributes:
        rows: int64 (h, 2): for each row of the map, the first row of pixels that it depends
            on, and the one after the last.
        columns: int64 (w, 2), likewise.
        picture: height and width of the picture, pixels.
    """

    rows: np.ndarray
    columns: np.ndarray
    picture: tuple[int, int]

    def box(self, row: int, column: int) -> tuple[int, int, int, int]:
        """x1, y1, x2, y2 of what a position depends on; in pixels, inside the picture."""
        (y1, y2), (x1, x2) = self.rows[row], self.columns[column]
        return int(x1), int(y1), int(x2), int(y2)

    @property
    def sees(self) -> np.ndarray:
        """bool (h, w): the positions that depend on a pixel at all."""
        return _seen(self.rows)[:, None] & _seen(self.columns)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the largest, in pixels."""
        height, width = (int(_lengths(spans).max()) for spans in (self.rows, self.columns))
        return height, width

    @property
    def sees_all(self) -> bool:
        """Whether some position depends on every row and column of the picture."""
        return self.size == self.picture


def pixels_field(height: int, width: int) -> Field:
    """The picture itself: every pixel depends on itself."""
    rows, columns = (np.arange(side)[:, None] + [0, 1] for side in (height, width))
    return Field(rows, columns, (height, width))


def field_after(layer: Any, inputs: Sequence[Field], shape: Sequence[int]) -> Field:
    """The receptive fields of a layer's output.

    Args:
        layer: a Keras layer or operation, channels last.
        inputs: of its inputs, one or more.
        shape: of its output, without the batch.
    Returns:
        exact for the layers that this module knows. Of others, and where the output is no map
        (h, w, C), every position is taken to depend on the whole picture.
    Raises:
        ValueError: maps of different sizes meet.
    """
    picture = inputs[0].picture
    height, width = shape[:2] if len(shape) == 3 else (1, 1)
    rule = _rule(layer) if len(shape) == 3 else None
    if rule is not None:
        rows = rule(layer, 0, [field.rows for field in inputs], height)
        columns = rule(layer, 1, [field.columns for field in inputs], width)
        if rows is not None and columns is not None:
            return Field(rows, columns, picture)
    everything = [
        np.tile([0, side], (n, 1)) for side, n in zip(picture, (height, width), strict=True)
    ]
    return Field(*everything, picture)


def _seen(spans: np.ndarray) -> np.ndarray:
    return spans[:, 0] != _NOWHERE


def _lengths(spans: np.ndarray) -> np.ndarray:
    return np.where(_seen(spans), spans[:, 1] - spans[:, 0], 0)


def _gathered(spans: np.ndarray, taps: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """The spans round those of several positions: taps and valid, (n, k), give (n, 2)."""
    taps = np.where(valid, taps, 0)
    first = np.where(valid, spans[taps, 0], _NOWHERE).min(axis=1)
    after = np.where(valid, spans[taps, 1], 0).max(axis=1)
    return np.stack([first, after], axis=1)


def _slid(
    spans: np.ndarray, count: int, window: int, stride: int, dilation: int, same: bool
) -> np.ndarray:
    """After a window that slides: a convolution or a pooling."""
    reach = (window - 1) * dilation + 1
    before = max((count - 1) * stride + reach - len(spans), 0) // 2 if same else 0
    taps = np.arange(count)[:, None] * stride - before + np.arange(window) * dilation
    return _gathered(spans, taps, (taps >= 0) & (taps < len(spans)))


def _convolution(layer, axis, inputs, count):
    window, stride = layer.kernel_size[axis], layer.strides[axis]
    dilation = layer.dilation_rate[axis]
    return _slid(inputs[0], count, window, stride, dilation, layer.padding == "same")


def _pooling(layer, axis, inputs, count):
    window, stride = layer.pool_size[axis], layer.strides[axis]
    return _slid(inputs[0], count, window, stride, 1, layer.padding == "same")


def _transposed(layer, axis, inputs, count):
    """A convolution backwards: it puts its window down at every stride."""
    (spans,) = inputs
    window, stride, dilation = (
        sides[axis] for sides in (layer.kernel_size, layer.strides, layer.dilation_rate)
    )
    reach = (window - 1) * dilation + 1
    same = layer.padding == "same"
    before = max((len(spans) - 1) * stride + reach - count, 0) // 2 if same else 0
    places = np.arange(count)[:, None] + before - np.arange(window) * dilation
    taps = places // stride
    valid = (places % stride == 0) & (taps >= 0) & (taps < len(spans))
    return _gathered(spans, taps, valid)


def _enlarged(layer, axis, inputs, count):
    (spans,) = inputs
    factor = layer.size[axis]
    if layer.interpolation == "nearest":
        return np.repeat(spans, factor, axis=0)
    if layer.interpolation != "bilinear":
        return None
    places = (np.arange(count) + 0.5) / factor - 0.5
    taps = np.stack([np.floor(places), np.ceil(places)], axis=1).astype(int)
    taps = np.clip(taps, 0, len(spans) - 1)
    return _gathered(spans, taps, np.ones_like(taps, bool))


def _zero_padded(layer, axis, inputs, count):
    return _padded(inputs[0], *layer.padding[axis])


def _pad_operation(layer, axis, inputs, count):
    """`keras.ops.pad` of (batch, rows, columns, channels)."""
    if len(layer.pad_width) != 4:
        return None
    before, after = layer.pad_width[axis + 1]
    if (before or after) and layer.mode != "constant":
        return None
    return _padded(inputs[0], before, after)


def _padded(spans: np.ndarray, before: int, after: int) -> np.ndarray:
    nothing = np.array([[_NOWHERE, 0]])
    return np.concatenate([nothing.repeat(before, 0), spans, nothing.repeat(after, 0)])


def _cropped(layer, axis, inputs, count):
    start = layer.cropping[axis][0]
    return inputs[0][start : start + count]


def _cut(layer, axis, inputs, count):
    """`segmentation.unet.CutTo`: the first of two maps, its surplus cut off evenly."""
    start = (len(inputs[0]) - count) // 2
    return inputs[0][start : start + count]


def _pointwise(layer, axis, inputs, count):
    """Of the same position of each input; one of side 1 is spread over the others."""
    if getattr(layer, "axis", -1) not in (-1, 3, (-1,), (3,), [-1], [3]):
        return None
    sides = [len(spans) for spans in inputs]
    if any(side not in (1, count) for side in sides):
        raise ValueError(
            f"{layer.name}: maps of {' and '.join(map(str, sides))} pixels a side meet"
        )
    spread = [np.broadcast_to(spans, (count, 2)) for spans in inputs]
    firsts, afters = (np.stack([spans[:, end] for spans in spread]) for end in (0, 1))
    return np.stack([firsts.min(axis=0), afters.max(axis=0)], axis=1)


# By the names of the classes, which layers and the operations of keras.ops share.
_RULES: dict[str, Callable] = {
    **dict.fromkeys(("Conv2D", "DepthwiseConv2D", "SeparableConv2D"), _convolution),
    **dict.fromkeys(("MaxPooling2D", "AveragePooling2D"), _pooling),
    "Conv2DTranspose": _transposed,
    "UpSampling2D": _enlarged,
    "ZeroPadding2D": _zero_padded,
    "Pad": _pad_operation,
    "Cropping2D": _cropped,
    "CutTo": _cut,
    **dict.fromkeys(
        (
            *("Add", "Average", "Concatenate", "Divide", "Maximum", "Minimum", "Multiply"),
            *("Subtract", "TrueDivide"),
            *("Activation", "ELU", "Elu", "Gelu", "HardSigmoid", "HardSilu", "LeakyRelu"),
            *("LeakyReLU", "PReLU", "Relu", "Relu6", "ReLU", "Sigmoid", "Silu", "Softplus", "Tanh"),
            *("BatchNormalization", "Dense", "Dropout", "GaussianDropout", "GaussianNoise"),
            *("Identity", "Normalization", "Rescaling", "SpatialDropout2D", "UnitNormalization"),
        ),
        _pointwise,
    ),
}


def _rule(layer: Any) -> Callable | None:
    """The rule of a layer's class, or of the nearest class that it derives from."""
    names = (base.__name__ for base in type(layer).__mro__)
    return next((_RULES[name] for name in names if name in _RULES), None)
