"""Keep the colours of the photograph (Gatys et al. 2016, "Preserving color in neural artistic
style transfer").
"""

from __future__ import annotations

import cv2
import numpy as np

KEEP_COLOURS = ("no", "luminance", "histogram")


def keep_luminance(result, content):
    """The lightness of one picture in the colours of another (section 3 of the paper).

    Args:
        result: uint8 (H, W, 3), RGB, whose lightness is taken.
        content: uint8 (H, W, 3), whose colours are taken.
    Returns:
        uint8 (H, W, 3).
    """
    mixed = cv2.cvtColor(content, cv2.COLOR_RGB2YCrCb)
    mixed[..., 0] = cv2.cvtColor(result, cv2.COLOR_RGB2YCrCb)[..., 0]
    return cv2.cvtColor(mixed, cv2.COLOR_YCrCb2RGB)


def grey_like(picture, content):
    """The lightness of a picture, with the mean and spread of another's (section 3, equation 4).

    Args:
        picture, content: uint8 (H, W, 3), RGB, of any two sizes.
    Returns:
        uint8 (H, W, 3), three equal channels.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    aim = cv2.cvtColor(content, cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = (grey - grey.mean()) * (aim.std() / max(float(grey.std()), 1.0)) + aim.mean()
    return np.repeat(to_bytes(grey)[..., None], 3, axis=-1)


def match_histogram(style, content):
    """The style picture in the content's colours: equal mean and covariance (section 2).

    The linear map is the symmetric one of the paper's "image analogies" variant,
    S_c^(1/2) S_s^(-1/2), which turns colours least.

    Args:
        style, content: uint8 (H, W, 3), RGB, of any two sizes.
    Returns:
        uint8 like `style`.
    """
    flat = style.reshape(-1, 3).astype(np.float64)
    aim = content.reshape(-1, 3).astype(np.float64)
    matrix = _root(np.cov(aim.T, ddof=0)) @ _root(np.cov(flat.T, ddof=0), inverse=True)
    moved = (flat - flat.mean(0)) @ matrix.T + aim.mean(0)
    return to_bytes(moved).reshape(style.shape)


def _root(covariance, inverse=False):
    """The symmetric square root of a covariance (3, 3), or its inverse."""
    values, vectors = np.linalg.eigh(covariance)
    # A grey or plain picture has no spread along some axis; one level keeps it invertible.
    values = np.sqrt(np.maximum(values, 1.0))
    return (vectors * (1 / values if inverse else values)) @ vectors.T


def to_bytes(values):
    """Float levels to uint8, rounded and kept within [0, 255]."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
