"""Neural style transfer by optimisation (Gatys, Ecker and Bethge 2016), from coarse to fine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cvtool.errors import CvtoolError
from cvtool.style.colours import grey_like, keep_luminance, match_histogram, to_bytes
from cvtool.style.masks import masked
from cvtool.style.scales import (
    extended,
    iterations_of,
    optimised_sizes,
    resized,
    scale_sizes,
    scaled,
    without_margin,
)
from cvtool.style.settings import StyleSettings
from cvtool.tensorflow_import import import_tensorflow

# A style picture is never smaller than this: the deepest layers see a sixteenth of it.
SHORTEST_STYLE = 32
# More pixels than this are shown to the network in tiles of that side.
WHOLE_PIXELS = 1024**2
TILE = 768


@dataclass(frozen=True, slots=True)
class Step:
    """One iteration.

    Attributes:
        scale, scales: from 1, the coarsest.
        iteration, iterations: from 1, over all scales.
        losses: "content", "style", "total_variation", each with its weight, and "total".
        pixels: gives the picture of now, uint8 (H, W, 3), at this scale.
    """

    scale: int
    scales: int
    iteration: int
    iterations: int
    losses: dict[str, float]
    pixels: Callable[[], np.ndarray] = field(repr=False, compare=False)

    def to_dict(self):
        """The numbers of the step, as JSON has them."""
        return {"scale": self.scale, "iteration": self.iteration} | self.losses


@dataclass(frozen=True, slots=True)
class Transfer:
    """A finished picture.

    Attributes:
        pixels: uint8 (H, W, 3), RGB.
        steps: the numbers of every iteration, see `Step.to_dict`.
        stopped: why it ended early: "" (it did not), "interrupted" (Ctrl-C), "asked" (by
            `on_step`) or "nan" (the loss was no number any more).
        style_losses: style loss, with its weight, of the content picture and of the result at
            full size; empty where it ended before.
        seconds: the time taken.
    """

    pixels: np.ndarray = field(repr=False)
    steps: list[dict[str, float]] = field(repr=False)
    stopped: str
    style_losses: tuple[float, ...]
    seconds: float


class _Asked(Exception):
    """`on_step` has seen enough."""


def transfer(
    content: np.ndarray,
    styles: Sequence[np.ndarray],
    settings: StyleSettings | None = None,
    *,
    start: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    on_step: Callable[[Step], bool | None] | None = None,
    network: Any = None,
) -> Transfer:
    """Paint one picture in the style of others.

    Args:
        content: uint8 (H, W, 3), RGB.
        styles: uint8 pictures of any sizes, at least one.
        settings: see `StyleSettings`.
        start: the picture to begin with in place of `settings.init`, of any size.
        mask: float (H, W) in [0, 1], of any size: how far each place takes the style.
        on_step: called after each iteration; True ends the transfer with the picture so far.
        network: of `features.load_features`, loaded before; None to load settings.network.
    Returns:
        Transfer. Ctrl-C (KeyboardInterrupt) ends it as `on_step` does.
    Raises:
        OptionError: settings that make no sense for these pictures or this network.
        ModelError: the network's weights are missing.
        CvtoolError: the very first loss is no number.
    """
    settings = settings or StyleSettings()
    shares = settings.blend(len(styles))
    began = time.perf_counter()
    import_tensorflow()
    from cvtool.style import minimising

    sizes = optimised_sizes(*content.shape[:2], settings.size)
    size = scale_sizes(*content.shape[:2], settings.size)[-1]
    content = extended(resized(content, size))
    if mask is not None:
        mask = extended(np.clip(resized(mask.astype(np.float32), size), 0, 1))
    if start is not None:
        start = extended(resized(start, size))
    source, painted = recoloured(content, styles, settings.keep_colours)
    whole = build_objective(settings, source, network)
    minimise = {"lbfgs": minimising.lbfgs, "adam": minimising.adam}[settings.optimizer]
    iterations = iterations_of(settings.iterations, len(sizes))
    pixels = first_picture(source, sizes[0], settings, start)
    steps, stopped, style_losses = [], "", ()

    try:
        for scale, size in enumerate(sizes):
            pixels = resized(pixels, size)
            objective = for_size(whole, size, settings.tile)
            aim(objective, source, size, list(zip(painted, shares, strict=True)), settings, mask)
            if scale == len(sizes) - 1:
                style_losses = (float(objective(resized(source, size))[0][1]),)

            def on_iteration(now, losses, scale=scale, terms=objective.terms):
                nonlocal pixels
                pixels = now
                losses = dict(zip(terms, map(float, losses), strict=True))
                losses["total"] = sum(losses.values())
                step = Step(
                    scale + 1,
                    len(sizes),
                    len(steps) + 1,
                    sum(iterations),
                    losses,
                    lambda: finished(now, content, settings.keep_colours, mask),
                )
                steps.append(step.to_dict())
                if on_step and on_step(step):
                    raise _Asked

            minimise(objective, pixels, iterations[scale], on_iteration)
        style_losses = (*style_losses, float(objective(pixels)[0][1]))
    except KeyboardInterrupt:
        stopped = "interrupted"
    except _Asked:
        stopped = "asked"
    except minimising.NotANumber:
        if not steps:
            raise CvtoolError(
                "the loss is no number at the first step; lower --content-weight or --style-weight"
            ) from None
        stopped = "nan"
    result = finished(resized(pixels, sizes[-1]), content, settings.keep_colours, mask)
    return Transfer(result, steps, stopped, style_losses, time.perf_counter() - began)


def build_objective(settings, content, network=None):
    """The losses that the settings ask for, see `objective.Objective`."""
    from cvtool.style.features import CHOICES, load_features
    from cvtool.style.objective import Objective

    choice = CHOICES[settings.network]
    weights = (
        settings.content_weight * choice.content_weight,
        settings.style_weight * choice.style_weight,
        settings.tv_weight * choice.tv_weight,
    )
    return Objective(
        network or load_features(settings.network, [content]),
        settings.content_layer or choice.content_layer,
        settings.layers or choice.style_layers,
        weights,
    )


def for_size(objective, size, tile):
    """The objective for a picture of size (height, width): in tiles where it is large."""
    from cvtool.style.tiled import TiledObjective
    from cvtool.style.tiles import STRIDE

    side = tile or (TILE if size[0] * size[1] > WHOLE_PIXELS else max(size))
    if side >= max(size):
        return objective
    return TiledObjective(objective, side // STRIDE * STRIDE)


def aim(objective, content, size, styles, settings, mask):
    """Set an objective's pictures for a scale of size (height, width)."""
    longer = settings.style_scale * max(size)
    pictures = []
    for style, share in styles:
        side = max(longer, SHORTEST_STYLE * max(style.shape) / min(style.shape[:2]))
        pictures.append((resized(style, scaled(*style.shape[:2], side)), share))
    if mask is not None:
        mask = np.clip(resized(mask, size), 0, 1)
    objective.aim(resized(content, size), pictures, mask)


def recoloured(content, styles, keep_colours):
    """The content picture and the styles as the optimisation sees them."""
    if keep_colours == "luminance":
        return grey_like(content, content), [grey_like(style, content) for style in styles]
    if keep_colours == "histogram":
        return content, [match_histogram(style, content) for style in styles]
    return content, list(styles)


def first_picture(content, size, settings, start):
    """What the optimisation begins with, float32 (H, W, 3)."""
    if start is not None:
        return resized(start, size).astype(np.float32)
    small = resized(content, size).astype(np.float32)
    if settings.init == "content":
        return small
    rng = np.random.default_rng(settings.seed)
    noise = rng.normal(0, 0.5, small.shape) * small.std((0, 1)) + small.mean((0, 1))
    return np.clip(noise, 0, 255).astype(np.float32)


def finished(pixels, content, keep_colours, mask):
    """A picture of the optimisation as it is given out: bytes, its colours kept, no margin.

    Args:
        pixels: float (h, w, 3), at any scale.
        content: uint8 (H, W, 3), extended, at full size; mask: float (H, W) or None.
    """
    result, size = to_bytes(pixels), content.shape[:2]
    content = resized(content, result.shape[:2])
    if keep_colours == "luminance":
        result = keep_luminance(result, content)
    if mask is not None:
        result = masked(result, content, mask)
    return without_margin(result, size)
