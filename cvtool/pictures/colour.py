"""Any pixel layout that Pillow decodes, turned into 8-bit sRGB."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

# What an ICC profile calls its colour space, for each Pillow mode a profile is applied to.
_PROFILE_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK", "LAB": "Lab"}
_SRGB_NAMES = ("srgb iec61966-2", "srgb built-in", "srgb profile")


def to_rgb(image: Image.Image) -> Image.Image:
    """Turn a decoded picture into mode RGB, in sRGB, transparency laid over white.

    16-bit grey is scaled from 0..65535; 32-bit integers and floats by `scale_to_bytes`. An
    embedded ICC profile is applied; one that is broken or belongs to another kind of pixels
    is ignored, as browsers do.
    """
    profile = image.info.get("icc_profile")
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        image = Image.fromarray(scale_to_bytes(np.asarray(image)))
    image, alpha = _split_alpha(image)
    rgb = _apply_profile(image, profile)
    if alpha is None:
        return rgb
    white = Image.new("RGB", rgb.size, (255, 255, 255))
    white.paste(rgb, mask=alpha)
    return white


def scale_to_bytes(values: np.ndarray) -> np.ndarray:
    """Scale grey or colour values of any number type to uint8.

    Args:
        values: array (...). uint8 is kept; uint16 is read as 0..65535. Other types carry no
            range, so it is told from the values: floats up to 2 are 0..1 with highlights cut
            off, then 0..255, then 0..65535, and anything else is stretched from its lowest to
            its highest value. NaN and infinities become 0.
    Returns:
        uint8 array (...).
    """
    if values.dtype == np.uint8:
        return values
    # Of either byte order.
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        # v / 257 rounded, in integers: 65535 = 255 * 257.
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    numbers = values.astype(np.float64)
    numbers[~np.isfinite(numbers)] = 0
    low, high = (float(numbers.min()), float(numbers.max())) if numbers.size else (0.0, 0.0)
    if low < 0 or high > 65535:
        span = high - low
        numbers = (numbers - low) * (255 / span if span > 0 else 0)
    elif high > 255:
        numbers *= 255 / 65535
    elif high <= 2 and np.issubdtype(values.dtype, np.floating):
        numbers *= 255
    return np.clip(np.rint(numbers), 0, 255).astype(np.uint8)


def _split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Split into opaque pixels (mode L, RGB, CMYK or LAB) and an alpha channel, if any."""
    if image.has_transparency_data:
        grey = image.mode in ("LA", "La", "L")
        image = image.convert("LA" if grey else "RGBA")
        return image.convert("L" if grey else "RGB"), image.getchannel("A")
    if image.mode in _PROFILE_SPACES:
        return image, None
    return image.convert("L" if image.mode in ("1", "LA") else "RGB"), None


def _apply_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    if image.mode == "LAB":
        return ImageCms.applyTransform(image, _lab_transform())
    if profile:
        transform = _transform(profile, image.mode)
        if transform is None and image.mode == "L":
            # Some cameras and scanners store grey pixels with an RGB profile.
            transform = _transform(profile, "RGB")
            image = image.convert("RGB") if transform else image
        if transform is not None:
            return ImageCms.applyTransform(image, transform)
    return image.convert("RGB")


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Build the way from a profile to sRGB; None where there is nothing to do or no way."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if source.profile.xcolor_space.strip() != _PROFILE_SPACES[mode]:
            return None
        name = (source.profile.profile_description or "").strip().lower()
        if mode == "RGB" and (name == "srgb" or name.startswith(_SRGB_NAMES)):
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


@lru_cache(maxsize=1)
def _lab_transform() -> ImageCms.ImageCmsTransform:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(lab, srgb, "LAB", "RGB")
