"""What can be chosen about a style transfer."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from cvtool.errors import OptionError
from cvtool.style.colours import KEEP_COLOURS

INITS = ("content", "noise")
OPTIMIZERS = ("lbfgs", "adam")
NETWORKS = ("vgg-small", "vgg16", "vgg19")

# Bundles of settings by name.
PRESETS = {
    "balanced": {},
    "faithful": {"content_weight": 3.0, "style_scale": 0.8},
    "strong": {"content_weight": 0.3, "style_scale": 1.2},
    "from-noise": {"init": "noise", "iterations": 500},
}


@dataclass(frozen=True, slots=True)
class StyleSettings:
    """What can be chosen about a style transfer.

    Attributes:
        network: which network's features are compared: one of NETWORKS.
        size: longer side of the result, pixels, 32 to 8192.
        iterations: of the optimiser over all scales together, 1 or more.
        content_weight: 0 or more, 1 what suits the network (the paper's alpha).
        style_weight: more than 0, 1 what suits the network (the paper's beta).
        tv_weight: of total variation, 0 or more, 1 what suits the network.
        style_scale: longer side of the style picture against the content's, 0.1 to 4: a
            larger one gives larger brush strokes.
        style_blend: weight of each style, 0 or more; empty for equal ones.
        keep_colours: "no", "luminance" (only light and dark are changed) or "histogram" (the
            style picture gets the content's colours first).
        init: the picture to begin with: "content" or "noise".
        optimizer: "lbfgs" or "adam".
        layers: the style layers; empty for the network's own.
        content_layer: empty for the network's own.
        seed: of the noise.
        tile: the network sees the picture in tiles of this side, pixels, 256 to 8192, which
            takes less memory, up to twice the time, and gives the same picture; 0 for
            tiles only where the picture is large.
    """

    network: str = "vgg-small"
    size: int = 512
    iterations: int = 300
    content_weight: float = 1.0
    style_weight: float = 1.0
    tv_weight: float = 1.0
    style_scale: float = 1.0
    style_blend: tuple[float, ...] = ()
    keep_colours: str = "no"
    init: str = "content"
    optimizer: str = "lbfgs"
    layers: tuple[str, ...] = ()
    content_layer: str = ""
    seed: int = 0
    tile: int = 0

    def __post_init__(self):
        self._one_of("network", NETWORKS)
        self._one_of("keep_colours", KEEP_COLOURS)
        self._one_of("init", INITS)
        self._one_of("optimizer", OPTIMIZERS)
        self._within("size", 32, 8192)
        self._within("iterations", 1, 100_000)
        self._within("content_weight", 0, 1e6)
        self._within("style_weight", 0, 1e6)
        self._within("tv_weight", 0, 1e6)
        self._within("style_scale", 0.1, 4)
        if self.tile:
            self._within("tile", 256, 8192)
        if self.style_weight == 0:
            raise OptionError("style weight: 0 leaves no style to transfer; give more than 0")
        for weight in self.style_blend:
            if not (math.isfinite(weight) and weight >= 0):
                raise OptionError(f"style blend: {weight} is not a weight of 0 or more")
        if self.style_blend and sum(self.style_blend) == 0:
            raise OptionError("style blend: all weights are 0; give one of them more")

    def _one_of(self, name, choices):
        value = getattr(self, name)
        if value not in choices:
            said = name.replace("_", " ")
            raise OptionError(f'{said}: "{value}" is not one of {", ".join(choices)}')

    def _within(self, name, low, high):
        value = getattr(self, name)
        if not (math.isfinite(value) and low <= value <= high):
            said = name.replace("_", " ")
            raise OptionError(f"{said}: {value} is not between {low:g} and {high:g}")

    def blend(self, styles):
        """The share of each of `styles` pictures, a list of floats of sum 1.

        Raises:
            OptionError: there are as many weights as styles, or none, but not this.
        """
        if not self.style_blend:
            return [1 / styles] * styles
        if len(self.style_blend) != styles:
            raise OptionError(
                f"style blend: {len(self.style_blend)} weights for {styles} styles; "
                "give one weight a style"
            )
        return [weight / sum(self.style_blend) for weight in self.style_blend]

    def to_dict(self):
        """The settings as JSON has them."""
        return asdict(self) | {
            "style_blend": list(self.style_blend),
            "layers": list(self.layers),
        }
