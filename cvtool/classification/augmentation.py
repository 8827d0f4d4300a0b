"""Training pictures changed at random, for classification.

All changes of shape are one warp and all changes of colour one matrix, and pixels
stay uint8 throughout: this code feeds a training from one or two cores. All
randomness comes from the generator passed in; nothing is written into what was given.
Changes that need two pictures (mixup, CutMix) are in `mixing`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from cvtool.classification.views import centre_view

ASPECTS = (3 / 4, 4 / 3)
# At `colour` 1.
_LARGEST_GAIN = 0.6
_LARGEST_TURN = 36.0
# Displacements are drawn for a grid of this side; the fewer, the wider the waves.
_WARP_GRID = 5
_BASIS_PIXELS = 10_000

# FCC NTSC (1953), YIQ: grey level first, then the plane in which a turn is a change of hue.
_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How strongly training pictures are changed. The defaults change nothing.

    Attributes:
        mirror: half of the pictures are mirrored left to right.
        crop: smallest share of the picture's area that a random crop keeps, in (0, 1], its
            aspect between 3/4 and 4/3 (Szegedy et al. 2015, section 6); 1 takes the square
            in the middle instead.
        rotation: largest turn to either side, degrees, 0 to 180.
        shear: largest slant of the upright lines to either side, degrees, 0 to 60.
        warp: largest shift, across and down, at the points of a coarse grid from which a
            smooth displacement field is made, as a share of the side, 0 to 0.1 (elastic
            distortion, Simard et al. 2003, section 2); above 0.06 pictures may fold over.
        colour: 0 to 1. Brightness, contrast and saturation each change by up to 0.6 of it
            (at 0.5: by a factor 0.7 to 1.3), and hue turns by up to 36 degrees times it.
        pca: standard deviation of AlexNet's colour augmentation (Krizhevsky et al. 2012,
            section 4.1) in standard deviations of the pictures' colours along each
            principal component.
        mixup: alpha of mixup's Beta distribution (Zhang et al. 2018); 0 is off.
        cutmix: alpha of CutMix's Beta distribution (Yun et al. 2019); 0 is off.
    Raises:
        ValueError: a field out of range.
    """

    mirror: bool = False
    crop: float = 1.0
    rotation: float = 0.0
    shear: float = 0.0
    warp: float = 0.0
    colour: float = 0.0
    pca: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.crop <= 1:
            raise ValueError(f"crop is a share above 0 and up to 1, not {self.crop}")
        limits = {"rotation": 180, "shear": 60, "warp": 0.1, "colour": 1}
        for name in ("rotation", "shear", "warp", "colour", "pca", "mixup", "cutmix"):
            value, limit = getattr(self, name), limits.get(name, np.inf)
            if not (0 <= value <= limit and np.isfinite(value)):
                allowed = f"between 0 and {limit}" if name in limits else "at least 0"
                raise ValueError(f"{name} must be {allowed}, not {value}")


AUGMENTATIONS = {
    "none": Augmentation(),
    "light": Augmentation(mirror=True, crop=0.5, rotation=5, colour=0.2),
    "strong": Augmentation(
        mirror=True,
        crop=0.25,
        rotation=15,
        shear=8,
        warp=0.025,
        colour=0.4,
        pca=0.1,
        mixup=0.2,
        cutmix=1.0,
    ),
}


def augment(
    pixels: np.ndarray,
    side: int,
    rng: np.random.Generator,
    augmentation: Augmentation,
    colour_basis: np.ndarray | None = None,
) -> np.ndarray:
    """Change one picture at random and cut it to a square.

    Args:
        pixels: uint8 RGB (H, W, 3) of any size.
        side: of the square that comes out, pixels.
        rng: the same state gives the same picture.
        augmentation: what is changed, and how much; without any change of shape the square
            is `views.centre_view`.
        colour_basis: float (3, 3) as from `colour_basis`; None leaves `pca` out.
    Returns:
        uint8 (side, side, 3). What a turned or slanted square takes from outside the picture
        is the picture reflected at its edge.
    """
    a = augmentation
    if a.crop < 1 or a.rotation or a.shear or a.warp:
        view = _warp(pixels, draw_affine(*pixels.shape[:2], side, rng, a), side, rng, a.warp)
    else:
        view = centre_view(pixels, side)
        if a.mirror and rng.random() < 0.5:
            view = cv2.flip(view, 1)
    if a.colour or (a.pca and colour_basis is not None):
        matrix = draw_colour_matrix(_mean_grey(view), rng, a, colour_basis)
        view = cv2.transform(view, matrix)
    return view


def draw_crop(
    height: int, width: int, rng: np.random.Generator, smallest: float
) -> tuple[float, float, float, float]:
    """Draw a window of a picture (Szegedy et al. 2015, "Going deeper with convolutions", 6).

    Its share of the area is uniform from `smallest` to the largest at which an aspect
    (width / height) from 3/4 to 4/3 fits, and its aspect log-uniform over those that fit
    then. In a picture so long that not even the smallest share can have such an aspect, the
    window keeps that share, with the aspect nearest to them.

    Returns:
        (left, top, width, height) in pixels, not rounded; inside the picture.
    """
    aspect = width / height
    largest = min(1.0, ASPECTS[1] / aspect, aspect / ASPECTS[0])
    share = rng.uniform(smallest, max(smallest, largest))
    # The aspects at which a window with this share of the area fits in the picture.
    low, high = aspect * share, aspect / share
    low, high = (min(max(bound, low), high) for bound in ASPECTS)
    drawn = math.exp(rng.uniform(math.log(low), math.log(high)))
    across = min(1.0, math.sqrt(share * drawn / aspect)) * width
    down = min(1.0, math.sqrt(share * aspect / drawn)) * height
    return rng.random() * (width - across), rng.random() * (height - down), across, down


def draw_affine(
    height: int, width: int, side: int, rng: np.random.Generator, augmentation: Augmentation
) -> np.ndarray:
    """Draw crop, mirroring, slant and turn as one map from the square into the picture.

    The window is turned and slanted about its own middle, so what the square shows keeps
    its size.

    Returns:
        float64 (2, 3): (x, y, 1) of a pixel of the square, counted from pixel centres, to
        the (x, y) in the picture whose colour it gets.
    """
    if augmentation.crop < 1:
        left, top, across, down = draw_crop(height, width, rng, augmentation.crop)
    else:
        across = down = min(height, width)
        left, top = (width - across) // 2, (height - down) // 2
    mirrored = augmentation.mirror and rng.random() < 0.5
    turn = math.radians(rng.uniform(-1, 1) * augmentation.rotation)
    slant = math.tan(math.radians(rng.uniform(-1, 1) * augmentation.shear))
    cos, sin = math.cos(turn), math.sin(turn)
    scales = ((-across if mirrored else across) / side, down / side)
    linear = np.array([[cos, cos * slant - sin], [sin, sin * slant + cos]]) * scales
    # Pixel centres lie half a pixel from the edges that the window is counted from.
    middle = np.array([left + across / 2 - 0.5, top + down / 2 - 0.5])
    return np.column_stack([linear, middle - linear.sum(axis=1) * (side - 1) / 2])


def draw_colour_matrix(
    grey: float,
    rng: np.random.Generator,
    augmentation: Augmentation,
    colour_basis: np.ndarray | None = None,
) -> np.ndarray:
    """Draw brightness, contrast, saturation, hue and PCA shift as one affine map of colours.

    Args:
        grey: the picture's mean grey level, from which contrast moves the pixels away.
        colour_basis: as for `augment`.
    Returns:
        float64 (3, 4): (red, green, blue, 1), each colour 0 to 255, to the new colour, which
        still has to be rounded and cut to that range.
    """
    jitter = rng.uniform(-1, 1, 4) * augmentation.colour
    brightness, contrast, saturation = 1 + _LARGEST_GAIN * jitter[:3]
    turn = math.radians(_LARGEST_TURN * jitter[3])
    cos, sin = saturation * math.cos(turn), saturation * math.sin(turn)
    linear = _FROM_YIQ @ [[1, 0, 0], [0, cos, -sin], [0, sin, cos]] @ _TO_YIQ
    shift = np.full(3, brightness * (1 - contrast) * grey)
    if colour_basis is not None:
        shift += colour_basis @ rng.normal(0, augmentation.pca, 3)
    return np.column_stack([brightness * contrast * linear, shift])


def colour_basis(pictures: Iterable[np.ndarray]) -> np.ndarray:
    """Principal components of the colours of a sample of pictures.

    Each picture weighs the same, whatever its size; of a large one about 10 000 pixels spread
    over it are taken.

    Args:
        pictures: uint8 RGB (H, W, 3) of any sizes; at least one.
    Returns:
        float32 (3, 3), in levels 0 to 255: each column an eigenvector of the covariance of
        (red, green, blue) times the root of its eigenvalue, the largest first.
    Raises:
        ValueError: no picture.
    """
    count, sums, products = 0, np.zeros(3), np.zeros((3, 3))
    for pixels in pictures:
        height, width = pixels.shape[:2]
        step = int(np.ceil(np.sqrt(height * width / _BASIS_PIXELS)))
        colours = pixels[::step, ::step].reshape(-1, 3).astype(np.float64)
        count += 1
        sums += colours.mean(axis=0)
        products += colours.T @ colours / len(colours)
    if not count:
        raise ValueError("a colour basis needs at least one picture")
    mean = sums / count
    values, vectors = np.linalg.eigh(products / count - np.outer(mean, mean))
    # The sign of an eigenvector is the library's choice; one rule makes runs repeatable.
    strongest = vectors[np.abs(vectors).argmax(axis=0), np.arange(3)]
    basis = vectors * np.sign(strongest) * np.sqrt(np.maximum(values, 0))
    return basis[:, ::-1].astype(np.float32)


def _warp(pixels, matrix, side, rng, warp) -> np.ndarray:
    """Sample a picture at matrix @ (x, y, 1), shifted by a random displacement field."""
    pixels, matrix = _shrink(pixels, matrix, side, warp)
    if not warp:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        border = cv2.BORDER_REFLECT_101
        return cv2.warpAffine(pixels, matrix, (side, side), flags=flags, borderMode=border)
    coarse = rng.uniform(-warp * side, warp * side, (_WARP_GRID, _WARP_GRID, 2))
    places = cv2.resize(coarse.astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    along = np.arange(side, dtype=np.float32)
    places[..., 0] += along
    places[..., 1] += along[:, None]
    places = cv2.transform(places, matrix)
    return cv2.remap(pixels, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def _shrink(pixels, matrix, side, warp) -> tuple[np.ndarray, np.ndarray]:
    """Cut out what the matrix reaches, and average it over areas where it shrinks 2 x or more.

    Averaging is by whole factors, many times as quick in OpenCV as by others; bilinear
    sampling does the rest, less than 2 x, without skipping a pixel.
    """
    height, width = pixels.shape[:2]
    scales = np.hypot(matrix[:, 0], matrix[:, 1])
    # Rounded down, as what is shrunk below the square's own pixels comes out blurred.
    factors = np.maximum(scales, 1).astype(int)
    # Between the points of the coarse grid displacements reach up to 1.9 times theirs.
    margin = 2 * factors + 3 * warp * side * scales
    edge = side - 1
    corners = matrix @ [[0, edge, 0, edge], [0, 0, edge, edge], [1, 1, 1, 1]]
    limits = np.array([width, height])
    low = np.clip(np.floor(corners.min(axis=1) - margin), 0, limits - 1).astype(int)
    high = np.clip(np.ceil(corners.max(axis=1) + margin + 1), low + 1, limits).astype(int)
    factors = np.minimum(factors, high - low)
    small = (high - low) // factors
    high = low + small * factors
    pixels = pixels[low[1] : high[1], low[0] : high[0]]
    if factors.max() > 1:
        pixels = cv2.resize(pixels, small.tolist(), interpolation=cv2.INTER_AREA)
    matrix = matrix / factors[:, None]
    matrix[:, 2] += (0.5 - low) / factors - 0.5
    return pixels, matrix


def _mean_grey(pixels: np.ndarray) -> float:
    return float(_TO_YIQ[0] @ cv2.mean(pixels)[:3])
