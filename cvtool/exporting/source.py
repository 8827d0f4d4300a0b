"""The network that is exported: that of a preset, made of one size and batch, or of any."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cvtool.errors import ModelError, OptionError
from cvtool.models.presets import Preset, find_model
from cvtool.networks import load_network
from cvtool.tensorflow_import import import_tensorflow

if TYPE_CHECKING:
    import keras

# Task -> what its network's output is called in an exported file.
OUTPUTS = {
    "detect": "raw",
    "classify": "probabilities",
    "segment": "logits",
    "verify": "embedding",
    "features": "features",
    "stylize": "picture",
}
SMALLEST_SIZE = 16


@dataclass(frozen=True, slots=True)
class Source:
    """A network to export, with its weights.

    Attributes:
        preset: the model.
        network: keras.Model of that size and batch, from `inputs`, RGB pixels in [0, 255],
            float32 (N, H, W, 3) each, to one float32 array.
        original: the network as it was built, of any batch and, where it can, any size.
        size: side of the square that it sees, pixels; where that is free, of those to try it on.
        free: whether height and width are free.
        batch: pictures at a time; None for any number.
        step: height and width must be multiples of this.
        inputs: names, in order.
        output: its name.
    """

    preset: Preset
    network: keras.Model
    original: keras.Model
    size: int
    free: bool
    batch: int | None
    step: int
    inputs: tuple[str, ...]
    output: str

    @property
    def shape(self) -> tuple[int | None, int | None, int | None, int]:
        """Of each input, (N, H, W, 3); None for what is free."""
        side = None if self.free else self.size
        return (self.batch, side, side, 3)

    def __call__(self, *pixels: np.ndarray) -> np.ndarray:
        """What the original network answers, one picture at a time.

        Args:
            pixels: for each input, (N, H, W, 3) in [0, 255].
        """
        rows = []
        for number in range(len(pixels[0])):
            one = [part[number : number + 1].astype(np.float32) for part in pixels]
            output = self.original(one if len(one) > 1 else one[0], training=False)
            rows.append(np.asarray(output, np.float32))
        return np.concatenate(rows)


def load_source(
    model: str | Path, *, size: int | None = None, free: bool = False, batch: int | None = 1
) -> Source:
    """Load a model for export.

    Args:
        model: a preset's name or the folder of a trained model.
        size: side of the square input, pixels; None for the model's own.
        free: leave height and width free.
        batch: pictures at a time; None for any number.
    Raises:
        ModelError: unknown or damaged, or with a network that is not exported.
        OptionError: a size that the network cannot take.
    """
    preset = find_model(model)
    if preset.task not in OUTPUTS:
        raise ModelError(f'model "{preset.name}" is for {preset.task}, which cannot be exported')
    size = preset.size if size is None else size
    step = size_step(preset)
    check_side(preset, size, step)
    import_tensorflow()
    names, original = _free_network(preset, model)
    own = original.inputs[0].shape[1]
    if own is not None and (free or size != own):
        wanted = "with a free size" if free else f"at {size} pixels"
        raise OptionError(
            f'model "{preset.name}" takes {own} pixels only, so it cannot be exported {wanted}; '
            "leave out --size"
        )
    return Source(
        preset,
        _of_shape(original, names, None if free else size, batch),
        original,
        size,
        free,
        batch,
        step,
        names,
        OUTPUTS[preset.task],
    )


def with_batch(source: Source, batch: int | None) -> Source:
    """The same source for another number of pictures at a time; None for any."""
    side = None if source.free else source.size
    network = _of_shape(source.original, source.inputs, side, batch)
    return replace(source, network=network, batch=batch)


def _of_shape(
    original: keras.Model, names: tuple[str, ...], side: int | None, batch: int | None
) -> keras.Model:
    """The network with inputs (batch, side, side, 3)."""
    import keras

    inputs = [keras.Input((side, side, 3), batch_size=batch, name=name) for name in names]
    inputs = inputs if len(inputs) > 1 else inputs[0]
    return keras.Model(inputs, original(inputs))


def batches_of(total: int, count: int) -> Iterator[np.ndarray]:
    """The numbers of pictures in batches of `count`, the last completed from the beginning."""
    for start in range(0, total, count):
        yield np.arange(start, start + count) % total


def size_step(preset: Preset) -> int:
    """What the sides of a model's input must be multiples of, pixels."""
    if preset.task == "detect":
        return max(preset.strides)
    if preset.task == "segment":
        from cvtool.segmentation.segmenter import alignment

        return alignment(preset.architecture)
    if preset.task == "stylize":
        return 2 ** (len(preset.architecture["widths"]) - 1)
    return 1


def check_side(preset: Preset, size: int, step: int) -> None:
    """Refuse a side that a model's network cannot take.

    Raises:
        OptionError: naming a near side that it can.
    """
    if size < SMALLEST_SIZE:
        raise OptionError(f"size {size} is under {SMALLEST_SIZE} pixels; try {preset.size}")
    if size % step:
        nearest = max(step, SMALLEST_SIZE, round(size / step) * step)
        raise OptionError(
            f'model "{preset.name}" takes sizes that are multiples of {step}, not {size}; '
            f"try {nearest}"
        )


def _free_network(preset: Preset, model: str | Path) -> tuple[tuple[str, ...], keras.Model]:
    """Names of the inputs, and the network as the task builds it."""
    if preset.task == "stylize":
        from cvtool.exporting.instant_style import instant_style

        return ("content", "style"), instant_style(preset)
    network = load_network(model).model
    # Cutting maps to fit is left out: sides are multiples of what the network halves them by.
    # A network of the user's own stays as it is.
    ours = preset.task == "segment" and "own" not in preset.architecture
    if ours and preset.architecture.get("padding", "same") == "same":
        from cvtool.segmentation.unet import aligned_copy

        network = aligned_copy(network, len(preset.classes), preset.architecture)
    return ("pixels",), network
