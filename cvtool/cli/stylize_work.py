"""The two ways in which `cvtool stylize` makes its pictures: by optimisation, and in one pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from cvtool.pictures.sources import Picture
    from cvtool.style.settings import StyleSettings
    from cvtool.style.transfer import Step


@dataclass(frozen=True, slots=True)
class Painted:
    """A result: of an optimisation what `Transfer` has, of a single pass without steps."""

    pixels: np.ndarray
    seconds: float
    steps: Sequence[dict[str, float]] = ()
    stopped: str = ""
    style_losses: tuple[float, ...] = ()


class Optimisation:
    """Gatys-style optimisation.

    Args:
        styles: uint8 (h, w, 3) each.
        settings: of all pictures.
        start: the picture to begin with, or None.
        device: "auto", "cpu" or "gpu".
    Attributes:
        facts: the settings, as JSON has them.
    Raises:
        CvtoolError: no weights, no such device, an unknown layer.
    """

    engine_name = "tensorflow"

    def __init__(self, styles, settings: StyleSettings, *, start, device):
        from cvtool.engines import choose_engine
        from cvtool.tensorflow_import import import_tensorflow

        on_cpu = choose_engine(device) == "litert"
        self._device = import_tensorflow().device("/CPU:0") if on_cpu else nullcontext()
        from cvtool.style.features import CHOICES, activations_of, load_features

        self._styles, self._settings, self._start = styles, settings, start
        self.model_name = settings.network
        choice = CHOICES[settings.network]
        layers = settings.layers or choice.style_layers
        content_layer = settings.content_layer or choice.content_layer
        network = load_features(settings.network)
        # An unknown one is refused before the first picture, and once for all of them.
        activations_of(network, [*layers, content_layer])
        # The filters of others are scaled by each picture anew.
        self._network = network if settings.network == "vgg-small" else None
        self.facts = settings.to_dict() | {
            "layers": list(layers),
            "content_layer": content_layer,
        }

    def __call__(
        self, picture: Picture, mask=None, on_step: Callable[[Step], Any] | None = None
    ) -> Painted:
        """Make a result; arguments as for `transfer`."""
        from cvtool.style.transfer import transfer

        with self._device:
            found = transfer(
                picture.pixels,
                self._styles,
                self._settings,
                start=self._start,
                mask=mask,
                on_step=on_step,
                network=self._network,
            )
        return Painted(found.pixels, found.seconds, found.steps, found.stopped, found.style_losses)


class SinglePass:
    """One pass of a network that knows any style.

    Args:
        styles: uint8 (h, w, 3) each.
        settings: size, blend and colours of them count.
        strength: 0 for the photograph as the network draws it, 1 for all of the style.
        device: "auto", "cpu" or "gpu".
    Attributes:
        facts: the settings, as JSON has them.
    Raises:
        CvtoolError: no weights, no such device.
    """

    def __init__(self, styles, settings: StyleSettings, *, strength, device):
        from cvtool.style.fast import FastStylizer

        self._styles, self._settings, self._strength = styles, settings, strength
        self._stylizer = FastStylizer.load(device=device)
        self._scene = self._video = None
        self.model_name = self._stylizer.model_name
        self.engine_name = self._stylizer.engine_name
        self.facts = {
            "fast": True,
            "network": self.model_name,
            "size": settings.size,
            "strength": strength,
            "style_blend": list(settings.style_blend),
            "keep_colours": settings.keep_colours,
        }

    def __call__(self, picture: Picture, mask=None) -> Painted:
        """Make a result; the mask as for `transfer`. Frames of a video come in order."""
        from cvtool.style.fast import Scene
        from cvtool.style.masks import masked

        begun = time.perf_counter()
        if picture.frame is None:
            self._scene = None
        elif self._scene is None or picture.relative != self._video:
            self._scene, self._video = Scene(), picture.relative
        pixels = self._stylizer(
            picture.pixels,
            self._styles,
            strength=self._strength,
            blend=self._settings.style_blend,
            keep_colours=self._settings.keep_colours,
            size=self._settings.size,
            scene=self._scene,
        )
        if mask is not None:
            pixels = masked(pixels, picture.pixels, mask)
        return Painted(pixels, time.perf_counter() - begun)
