"""Instant styles: a picture in the manner of another in one pass (Huang and Belongie 2017).

The encoder's features of the content are given the style's mean and standard deviation, channel
by channel, and the decoder makes a picture of them (see `cvtool.style.adain`, where the networks
are). All of it needs NumPy and an engine alone.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from cvtool.engines import LiteRTEngine, TensorFlowEngine, choose_engine
from cvtool.errors import ModelError, OptionError
from cvtool.models.presets import MODEL_FILE, find_model, preset_file, read_model_folder
from cvtool.pictures.tiling import tile_boxes
from cvtool.style.channel_statistics import Statistics, channel_statistics
from cvtool.style.colours import keep_luminance, match_histogram, to_bytes
from cvtool.style.scales import resized, scaled
from cvtool.style.scene import Scene
from cvtool.style.settings import StyleSettings

# The networks mirror pictures at their edges; for that, two cells are the least.
FEWEST = 2
# Cells that a tile sees beyond its own: no pixel of a result depends on a cell further away.
OVERLAP = 5
# Pixels a side of a tile. A larger picture goes through the networks in tiles.
TILE = 768
# Longer side of a style picture when its statistics are taken, pixels.
STYLE_SIDE = 512
# Styles whose statistics are remembered.
MOST_STYLES = 64


class FastStylizer:
    """The two networks of instant styles with their engines. `FastStylizer.load` makes one.

    Attributes:
        model_name: the preset's or the training's name.
        engine_name: "litert" or "tensorflow".
    """

    def __init__(self, preset, encoder, decoder):
        self.preset = preset
        self.encoder, self.decoder = encoder, decoder
        self.model_name = preset.name
        self.engine_name = decoder.name
        # Pixels a cell of the features.
        self.stride = 2 ** (len(preset.architecture["widths"]) - 1)
        self._known: dict[bytes, Statistics] = {}

    @classmethod
    def load(cls, model="adain", device="auto") -> FastStylizer:
        """Load the networks.

        Args:
            model: a preset's name, or a folder with its model.json; the encoder is the preset
                that it names, or lies in a folder of that name inside.
            device: "auto", "cpu" or "gpu", see `cvtool.engines.choose_engine`.
        Raises:
            ModelError: unknown, damaged, not for fast styles, or made for another encoder.
            DeviceError: "gpu" and there is none.
        """
        preset = find_model(model)
        if preset.task != "stylize":
            raise ModelError(f'model "{preset.name}" is for {preset.task}, not for stylize --fast')
        encoder = encoder_of(preset)
        if choose_engine(device) == "litert":
            return cls(preset, *(LiteRTEngine(preset_file(p, "litert")) for p in (encoder, preset)))
        return cls(
            preset,
            TensorFlowEngine(
                lambda: build_encoder(encoder, preset.architecture["layer"]),
                preset_file(encoder, "weights"),
            ),
            TensorFlowEngine(lambda: build(preset), preset_file(preset, "weights")),
        )

    def __call__(
        self,
        content,
        styles: Sequence[np.ndarray],
        *,
        strength: float = 1.0,
        blend: Sequence[float] = (),
        keep_colours: str = "no",
        size: int | None = None,
        scene: Scene | None = None,
    ) -> np.ndarray:
        """Stylize a picture.

        A picture with a side over 768 pixels goes through the networks in overlapping tiles,
        with the statistics of the whole; it shows no seams, and takes about 40 bytes a pixel.

        Args:
            content: uint8 (H, W, 3), RGB.
            styles: uint8 (h, w, 3) each. Their statistics are remembered for the next call.
            strength: 0 for the content as the networks render it, 1 for all of the style.
            blend: weight of each style, 0 or more; empty for equal ones.
            keep_colours: "no", "luminance" or "histogram", as in `StyleSettings`.
            size: longer side of the result, pixels; None for the content's own.
            scene: for the frames of a film, the same for all.
        Returns:
            uint8 (H, W, 3), or with the longer side `size`.
        Raises:
            OptionError: a value that makes no sense.
            ModelError: the networks are not those that the model's description is of.
        """
        if not 0 <= strength <= 1:
            raise OptionError(f"strength: {strength} is not in [0, 1]")
        if not styles:
            raise OptionError("no style picture; give at least one")
        settings = StyleSettings(
            style_blend=tuple(blend), keep_colours=keep_colours, **({"size": size} if size else {})
        )
        shares = settings.blend(len(styles))
        if size:
            content = resized(content, scaled(*content.shape[:2], size))
        if scene is not None:
            content = scene.steady(content)
        features, own = self.encode(content)
        reference = content
        if scene is not None:
            own = scene.update(content, own)
            reference = scene.first
        if keep_colours == "histogram":
            styles = [match_histogram(shrunk(style), reference) for style in styles]
        aims = [self.statistics(style) for style in styles]
        aim = Statistics(
            sum(share * a.mean for share, a in zip(shares, aims, strict=True)),
            sum(share * a.deviation for share, a in zip(shares, aims, strict=True)),
        )
        aim = own.mixed(aim, strength)
        # Huang and Belongie 2017, equation 8, as one factor and one addend a channel.
        factor = aim.deviation / own.deviation
        features *= factor
        features += aim.mean - own.mean * factor
        result = self.decode(features, *content.shape[:2])
        if keep_colours == "luminance":
            result = keep_luminance(result, content)
        return result if scene is None else scene.follow(content, result)

    def statistics(self, style) -> Statistics:
        """The statistics of a style picture's features, shrunk to 512 pixels if it is larger.

        Args:
            style: uint8 (h, w, 3).
        """
        style = shrunk(style)
        key = hashlib.sha256(str(style.shape).encode() + style.tobytes()).digest()
        if key not in self._known:
            if len(self._known) >= MOST_STYLES:
                self._known.pop(next(iter(self._known)))
            self._known[key] = self.encode(style)[1]
        return self._known[key]

    def encode(self, pixels) -> tuple[np.ndarray, Statistics]:
        """The features of a picture.

        Args:
            pixels: uint8 (H, W, 3).
        Returns:
            float32 (h, w, C), h = ceil(H / stride) or 2 if that is more; their statistics.
        """
        cells = [max(FEWEST, math.ceil(side / self.stride)) for side in pixels.shape[:2]]
        below, right = (
            number * self.stride - side
            for number, side in zip(cells, pixels.shape[:2], strict=True)
        )
        if below or right:
            pixels = cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_REFLECT_101)
        features = None
        for seen, own, inner in tiles(*cells, TILE // self.stride):
            part = self.encoder(pixels[_times(seen, self.stride)][None])[0]
            if features is None:
                features = np.empty((*cells, part.shape[-1]), np.float32)
            features[own] = part[inner]
        return features, channel_statistics(features)

    def decode(self, features, height, width) -> np.ndarray:
        """The picture of features.

        Args:
            features: float32 as from `encode`.
            height, width: of the picture, pixels; what is beyond is cut off.
        Returns:
            uint8 (height, width, 3).
        """
        cells = features.shape[:2]
        picture = np.empty((cells[0] * self.stride, cells[1] * self.stride, 3), np.uint8)
        for seen, own, inner in tiles(*cells, TILE // self.stride):
            part = self.decoder(features[seen][None])[0]
            picture[_times(own, self.stride)] = to_bytes(part[_times(inner, self.stride)])
        return np.ascontiguousarray(picture[:height, :width])


def tiles(height: int, width: int, tile: int) -> Iterator[tuple]:
    """Cut a grid of cells into tiles that see beyond their own cells.

    Args:
        height, width: of the grid.
        tile: cells a side that a tile sees.

    Yields:
        three pairs of slices (rows, columns): what the tile sees; its own part of it; and where
        its own part lies in what it sees.
    """
    for rows in _parts(height, tile):
        for columns in _parts(width, tile):
            yield tuple(zip(rows, columns, strict=True))


def _parts(length, tile):
    """The tiles along one side: equally long, so that the engine plans its memory once."""
    boxes = tile_boxes(1, length, tile, 2 * OVERLAP / tile)
    seen = [(first, last) for first, _, last, _ in boxes.tolist()]
    # Neighbours meet in the middle of what both see.
    between = [(one[1] + other[0]) // 2 for one, other in zip(seen, seen[1:], strict=False)]
    edges = [0, *between, length]
    for (first, last), start, stop in zip(seen, edges, edges[1:], strict=False):
        yield slice(first, last), slice(start, stop), slice(start - first, stop - first)


def _times(slices, factor):
    """The pixels of cells."""
    return tuple(slice(part.start * factor, part.stop * factor) for part in slices)


def shrunk(style):
    """A style picture with a longer side of at most STYLE_SIDE."""
    if max(style.shape[:2]) <= STYLE_SIDE:
        return style
    return resized(style, scaled(*style.shape[:2], STYLE_SIDE))


def encoder_of(preset):
    """The encoder that a decoder was trained with: a preset, or a folder in the model's own.

    Raises:
        ModelError: there is none, or it is another one.
    """
    needed = ("encoder", "encoder_sha256", "layer", "channels", "widths")
    missing = [key for key in needed if not preset.architecture.get(key)]
    if missing:
        raise ModelError(
            f'the description of model "{preset.name}" lacks {", ".join(missing)}; {preset.remedy}'
        )
    name = str(preset.architecture["encoder"])
    inside = preset_file(preset, "litert").parent / Path(name).name
    encoder = read_model_folder(inside) if (inside / MODEL_FILE).exists() else find_model(name)
    wanted = preset.architecture["encoder_sha256"]
    if encoder.task != "features" or encoder.files["litert"].sha256 != wanted:
        raise ModelError(
            f'model "{preset.name}" was trained with another encoder than "{encoder.name}" is; '
            f"{preset.remedy}"
        )
    return encoder


def build(preset):
    """The decoder of a preset, as a keras.Model."""
    from cvtool.style.adain import decoder

    return decoder(preset.architecture["channels"], preset.architecture["widths"])


def build_encoder(preset, layer):
    """The encoder of a preset up to a layer, as a keras.Model."""
    from cvtool.style.reflection import reflected
    from cvtool.style.vgg_small import build

    return reflected(build(preset), layer)
