"""Pictures in the manner of a painting, made of photographs: styles to train on.

Paintings that may be used are few; what `train_adain.py` needs is many different palettes,
strokes and contours. Each picture is drawn anew from the random numbers given.
"""

from __future__ import annotations

import cv2
import numpy as np


def paint(photo, rng):
    """Redraw a photograph in oriented strokes of the brush, dots, or flat areas with contours.

    Strokes follow the edges, at right angles to the gradient (Litwinowicz 1997, "Processing
    images and video for an impressionist effect", section 2.2), from broad ones to fine ones.

    Args:
        photo: uint8 (H, W, 3), RGB.
        rng: np.random.Generator; all that is random comes from it.
    Returns:
        uint8 (H, W, 3).
    """
    colours = recolour(photo, rng)
    manner = rng.choice(("strokes", "strokes", "strokes", "dots", "flat"))
    if manner == "flat":
        painted = flat_areas(colours, rng)
    else:
        painted = strokes(colours, rng, dots=manner == "dots")
    if rng.random() < (0.8 if manner == "flat" else 0.25):
        painted = contours(painted, photo, rng)
    return grain(painted, rng)


def recolour(photo, rng):
    """Another palette: the colours turned and stretched, sometimes put on a ramp of few."""
    lab = cv2.cvtColor(photo, cv2.COLOR_RGB2LAB).astype(np.float32)
    light, chroma = lab[..., 0], lab[..., 1:] - 128
    contrast = rng.uniform(0.8, 1.6)
    light = (light - light.mean()) * contrast + rng.uniform(70, 185)
    if rng.random() < 0.5:
        # A ramp of some random colours from dark to light.
        knots = np.linspace(0, 255, rng.integers(3, 6))
        ramp = rng.normal(0, 30, (len(knots), 2))
        shades = np.clip(light, 0, 255)
        toned = [np.interp(shades, knots, ramp[:, channel]) for channel in (0, 1)]
        chroma = np.stack(toned, axis=-1) + chroma * rng.uniform(0, 0.6)
    else:
        turn = rng.normal(0, 1.2, (2, 2))
        chroma = chroma @ turn.astype(np.float32) + rng.normal(0, 12, 2)
    lab = np.concatenate([light[..., None], chroma + 128], axis=-1)
    return cv2.cvtColor(np.clip(lab, 0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB)


def stroke_angles(photo, rng):
    """Direction along the edges at each pixel, radians, bent by a smooth random field."""
    grey = cv2.GaussianBlur(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), (0, 0), 2)
    height, width = grey.shape
    dx, dy = (cv2.Sobel(grey, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    # Doubled angles, so that opposite gradients agree when they are averaged.
    tensor = [cv2.GaussianBlur(x, (0, 0), rng.uniform(3, 10)) for x in (dx * dx - dy * dy, dx * dy)]
    angles = 0.5 * np.arctan2(2 * tensor[1], tensor[0]) + np.pi / 2
    coarse = rng.normal(0, rng.choice((0.1, 0.5, 1.5)), (4, 4)).astype(np.float32)
    return angles + cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def strokes(colours, rng, *, dots=False):
    """Layers of strokes or dots, each finer than the one before."""
    height, width = colours.shape[:2]
    angles = stroke_angles(colours, rng)
    finest = rng.uniform(1.5, 5)
    length = rng.uniform(2, 7)
    bend = rng.normal(0, 0.5)
    jitter = rng.uniform(2, 28)
    canvas = cv2.blur(colours, (15, 15))
    for thickness in (finest * 2.5, finest):
        source = cv2.GaussianBlur(colours, (0, 0), thickness / 2)
        spacing = thickness * (1.2 if dots else np.sqrt(length) * 0.75)
        count = min(2500, int(height * width / spacing**2))
        y, x = rng.integers(0, height, count), rng.integers(0, width, count)
        jitters = rng.normal(0, jitter, (count, 1)) + rng.normal(0, jitter / 2, (count, 3))
        shades = np.clip(source[y, x] + jitters, 0, 255).tolist()
        size = max(1, round(thickness))
        if dots:
            for centre, shade in zip(zip(x.tolist(), y.tolist(), strict=True), shades, strict=True):
                cv2.circle(canvas, centre, max(1, size // 2 + 1), shade, -1)
            continue
        angle = angles[y, x] + rng.normal(0, 0.15, count)
        half = thickness * length / 2 * rng.uniform(0.6, 1.2, count)
        ends = [
            np.stack([x + side * half * np.cos(turned), y + side * half * np.sin(turned)], -1)
            for side, turned in ((-1, angle - bend), (1, angle + bend))
        ]
        lines = np.stack([ends[0], np.stack([x, y], -1), ends[1]], axis=1).astype(np.int32)
        for line, shade in zip(lines, shades, strict=True):
            cv2.polylines(canvas, [line], False, shade, size)
    return canvas


def flat_areas(colours, rng):
    """Few levels of colour, as in a woodcut or a poster."""
    smooth = cv2.medianBlur(colours, 7)
    levels = int(rng.integers(3, 7))
    lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB)
    step = 256 / levels
    table = np.clip((np.floor(np.arange(256) / step) + 0.5) * step, 0, 255).astype(np.uint8)
    lab[..., 0] = table[lab[..., 0]]
    lab[..., 1:] = lab[..., 1:] // 12 * 12 + 6
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)


def contours(painted, photo, rng):
    """Dark or light lines along the strongest edges."""
    grey = cv2.GaussianBlur(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), (0, 0), 1.5)
    edges = cv2.Canny(grey, *((20, 60) if rng.random() < 0.5 else (40, 110)))
    edges = cv2.dilate(edges, np.ones((2, 2), np.uint8), iterations=int(rng.integers(1, 3)))
    ink = rng.uniform(0, 70, 3) if rng.random() < 0.8 else rng.uniform(180, 255, 3)
    share = cv2.GaussianBlur(edges, (0, 0), 0.6)[..., None] / np.float32(255)
    return (painted * (1 - share) + ink.astype(np.float32) * share).astype(np.uint8)


def grain(painted, rng):
    """The tooth of canvas or paper."""
    strength = rng.choice((0, 0, 0, 3, 8))
    if not strength:
        return painted
    noise = np.empty(painted.shape[:2], np.int16)
    cv2.setRNGSeed(int(rng.integers(2**31)))
    cv2.randn(noise, 0, int(strength) * 4)
    noise = cv2.blur(noise, (3, 1) if rng.random() < 0.5 else (2, 2))
    return np.clip(painted + noise[..., None], 0, 255).astype(np.uint8)
