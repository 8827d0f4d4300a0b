"""Cut objects out of a picture, with a soft edge, and put them on another ground."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

from cvtool.errors import CvtoolError
from cvtool.pictures.reading import MAX_PIXELS, read_picture
from cvtool.pictures.tiling import enlarge_rows, row_bands

# The network places an edge to about this share of what it sees at once.
_EDGE = 0.006
# The filters work on a picture so small that their radius is this many of its pixels, and of
# this longer side at most.
_RADIUS, _LARGEST = 5, 1280
# How much the colours may vary before an edge is looked for in them, squared, of 0..1.
_EPSILON = 1e-4
# How far from the network's edge the filter may put it, in pixels of that picture.
_REACH = 3.0
# What is nearly all or nearly nothing becomes so: it comes from the blur, not from the object.
_CLEAR = 0.12
# Longer side of the picture that is blurred for a ground, and the blur's radius in it.
_BLUR_SIDE, _BLUR_RADIUS = 512, 12

_HEX = re.compile(r"#([0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)


def cut_out(pixels: np.ndarray, soft: np.ndarray, *, view: int | None = None) -> np.ndarray:
    """Make all of a picture but its objects transparent.

    The edge of the network's answer is laid onto the edges of the picture by a guided filter
    (He, Sun and Tang 2013, section 3.4, with the picture's colours as guide; in the fast form
    of He and Sun 2015). Where a pixel shows object and ground both, the colour of the object
    alone is estimated from the objects around (Forte 2021, "Approximate fast foreground colour
    estimation", one step).

    Args:
        pixels: uint8 RGB (H, W, 3).
        soft: uint8 (H, W), 255 for the objects, see `Segmentation.soft`.
        view: longer side in pixels of what the network saw at once, which says how coarse
            `soft` is: the side of a tile; None for the whole picture.
    Returns:
        uint8 (H, W, 4): RGB, and alpha, 0 for transparent. Far from the objects the colour
        is black: nothing of the ground is hidden in the file.
    """
    height, width = soft.shape
    longer = max(height, width)
    radius = _EDGE * min(view or longer, longer)
    small = _shrunk(height, width, min(_RADIUS / radius, _LARGEST / longer))
    colours = _resized(pixels, small).astype(np.float32) / 255
    answer = _resized(soft, small)
    model = np.concatenate([_guided(colours, answer.astype(np.float32) / 255), _limits(answer)])
    grounds = _grounds(colours, _alpha(colours, model))
    result = np.empty((height, width, 4), np.uint8)
    for rows in row_bands(height, 4 * 24 * width):
        colours = pixels[rows].astype(np.float32) / 255
        alpha = _alpha(colours, enlarge_rows(model, rows, height, width))
        near = enlarge_rows(grounds, rows, height, width)
        result[rows, :, :3] = _bytes(_unmixed(colours, alpha[..., None], near))
        result[rows, :, 3] = _bytes(alpha)
    return result


def on_ground(rgba: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """Lay a cut-out over a ground.

    Args:
        rgba: uint8 (H, W, 4), see `cut_out`.
        ground: uint8 (H, W, 3) or a colour (3,).
    Returns:
        uint8 (H, W, 3).
    """
    result = np.empty((*rgba.shape[:2], 3), np.uint8)
    ground = np.broadcast_to(ground, result.shape)
    for rows in row_bands(len(rgba), 4 * 8 * rgba.shape[1]):
        share = rgba[rows, :, 3:].astype(np.float32) / 255
        mixed = rgba[rows, :, :3] * share + ground[rows] * (1 - share)
        result[rows] = np.rint(mixed)
    return result


class Ground:
    """What a cut-out is laid on: a colour, the picture's own blurred, or another picture.

    Args:
        text: "white", "black", "#hex" of 3 or 6 digits, "blur", or the file of a picture.
        max_pixels: a picture of more is refused.
    Raises:
        CvtoolError: none of these.
        PictureError: a picture that cannot be read.
    """

    def __init__(self, text: str, *, max_pixels: int = MAX_PIXELS) -> None:
        self.colour = _colour(text)
        self.blurred = text.casefold() == "blur"
        self.picture = None
        if self.colour is None and not self.blurred:
            if not text or not Path(text).exists():
                raise CvtoolError(
                    f"background {text}: neither white, black, a colour such as #3366cc, blur, "
                    "nor the file of a picture; check its name"
                )
            self.picture = read_picture(text, max_pixels=max_pixels)

    def under(self, pixels: np.ndarray, rgba: np.ndarray) -> np.ndarray:
        """Lay a picture's cut-out on the ground.

        Args:
            pixels: uint8 RGB (H, W, 3), the picture.
            rgba: uint8 (H, W, 4), its cut-out.
        Returns:
            uint8 (H, W, 3).
        """
        if self.blurred:
            return on_ground(rgba, blurred_ground(pixels, rgba[..., 3]))
        if self.picture is not None:
            return on_ground(rgba, covering(self.picture, *rgba.shape[:2]))
        return on_ground(rgba, np.array(self.colour, np.uint8))


def blurred_ground(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The picture out of focus, without a glow of the objects' colours round them.

    Args:
        pixels: uint8 RGB (H, W, 3).
        alpha: uint8 (H, W), 255 for the objects, which do not count in the blur.
    Returns:
        uint8 (H, W, 3).
    """
    height, width = alpha.shape
    small = _shrunk(height, width, _BLUR_SIDE / max(height, width))
    colours = _resized(pixels, small).astype(np.float32)
    # Inside large objects nothing of the ground is near; there anything will do.
    weight = 1 - _resized(alpha, small).astype(np.float32)[..., None] / 255 + 1e-4
    # Three boxes one after the other are nearly a Gaussian.
    radius = max(1, round(_BLUR_RADIUS * max(small) / _BLUR_SIDE))
    total, weights = colours * weight, weight
    for _ in range(3):
        total, weights = _mean(total, radius), _mean(weights, radius)
    return cv2.resize(_bytes(total / weights / 255), (width, height))


def covering(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """A picture scaled until it covers height x width, and cut to its middle.

    Returns:
        uint8 (height, width, 3).
    """
    tall, wide = picture.shape[:2]
    scale = max(height / tall, width / wide)
    # Cut before scaling: of a long strip only the middle is needed.
    rows, columns = (
        min(tall, max(1, round(height / scale))),
        min(wide, max(1, round(width / scale))),
    )
    top, left = (tall - rows) // 2, (wide - columns) // 2
    return _resized(picture[top : top + rows, left : left + columns], (height, width))


def _colour(text: str) -> tuple[int, int, int] | None:
    named = {"white": (255, 255, 255), "black": (0, 0, 0)}.get(text.casefold())
    found = _HEX.fullmatch(text)
    if named or not found:
        return named
    digits = found[1] if len(found[1]) == 6 else "".join(2 * digit for digit in found[1])
    return tuple(bytes.fromhex(digits))


def _shrunk(height: int, width: int, scale: float) -> tuple[int, int]:
    scale = min(1.0, scale)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _resized(picture: np.ndarray, sides: tuple[int, int]) -> np.ndarray:
    """Scaled to (height, width), uint8."""
    height, width = sides
    if picture.shape[:2] == sides:
        return picture
    way = cv2.INTER_AREA if height < picture.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(picture, (width, height), interpolation=way)


def _mean(maps: np.ndarray, radius: int = _RADIUS) -> np.ndarray:
    """The mean of the square of 2 radius + 1 round each pixel, of each channel."""
    side = 2 * radius + 1
    mean = cv2.blur(maps, (side, side), borderType=cv2.BORDER_REFLECT)
    return mean.reshape(maps.shape)  # cv2 drops a last axis of length 1


def _guided(guide: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The linear model of the guided filter: values are about slope * guide + level nearby.

    He, Sun and Tang 2013, equations 19 to 21.

    Args:
        guide: float32 (h, w, 3) in 0..1.
        values: float32 (h, w).
    Returns:
        float32 (4, h, w): the slope of each colour and the level, smoothed.
    """
    mean, mean_value = _mean(guide), _mean(values)
    spread = np.empty((*values.shape, 3, 3), np.float32)
    for i in range(3):
        for j in range(i, 3):
            spread[..., i, j] = spread[..., j, i] = (
                _mean(guide[..., i] * guide[..., j]) - mean[..., i] * mean[..., j]
            )
    spread += _EPSILON * np.eye(3, dtype=np.float32)
    together = _mean(guide * values[..., None]) - mean * mean_value[..., None]
    slope = np.linalg.solve(spread, together[..., None])[..., 0]
    level = mean_value - (slope * mean).sum(axis=-1)
    return np.stack([*np.moveaxis(_mean(slope), -1, 0), _mean(level)])


def _limits(answer: np.ndarray) -> np.ndarray:
    """The least and the greatest opacity by the distance from the network's edge.

    Colours that objects and ground share would else make holes and clouds far from it.

    Args:
        answer: uint8 (h, w), the network's answer.
    Returns:
        float32 (2, h, w) in 0..1.
    """
    inside = (answer > 127).astype(np.uint8)
    # Positive inside; 0 on the edge, half a pixel from the midpoints.
    depth = np.where(inside, 1.0, -1.0) * (
        cv2.distanceTransform(inside, cv2.DIST_L2, 5)
        + cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
        - 0.5
    )
    least, greatest = depth - _REACH / 2, depth + _REACH
    return np.clip(np.stack([least, greatest]) / (_REACH / 2), 0, 1).astype(np.float32)


def _alpha(colours: np.ndarray, model: np.ndarray) -> np.ndarray:
    """How opaque each pixel is, float32 (h, w) in 0..1.

    Args:
        colours: float32 (h, w, 3) in 0..1.
        model: float32 (6, h, w), from `_guided` and `_limits`.
    """
    alpha = sum(colours[..., channel] * model[channel] for channel in range(3)) + model[3]
    alpha = (alpha - _CLEAR) / (1 - 2 * _CLEAR)
    return np.clip(alpha, model[4], model[5])


def _grounds(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Mean colour of the objects and of what is not objects near each pixel, (6, h, w)."""
    parts = []
    for share in (alpha[..., None], 1 - alpha[..., None]):
        parts.append(_mean(colours * share) / np.maximum(_mean(share), 1e-6))
    return np.moveaxis(np.concatenate(parts, axis=-1), -1, 0)


def _unmixed(colours: np.ndarray, alpha: np.ndarray, grounds: np.ndarray) -> np.ndarray:
    """The objects' own colours, float32 (h, w, 3): Forte 2021, equation 7."""
    objects, others = np.moveaxis(grounds.reshape(2, 3, *alpha.shape[:2]), 1, -1)
    return objects + alpha * (colours - alpha * objects - (1 - alpha) * others)


def _bytes(values: np.ndarray) -> np.ndarray:
    """0..1 as uint8."""
    return np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)
