"""Pictures as a model's network sees them: for calibration, and to compare what it answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from cvtool.errors import ModelError
from cvtool.models.presets import Preset
from cvtool.pictures.reading import read_picture


def sample_pictures() -> Iterator[np.ndarray]:
    """Eight pictures that are always there: a photograph of Matplotlib's, its parts, mirrored.

    Yields:
        uint8 (H, W, 3), RGB.
    Raises:
        ModelError: this Matplotlib has come without its sample data.
    """
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    if not path.exists():
        raise ModelError(f"{path}: missing, so there is no picture to compare on; give --pictures")
    photograph = read_picture(path)
    height, width = photograph.shape[:2]
    low, high = slice(0, height * 2 // 3), slice(height // 3, height)
    left, right = slice(0, width * 2 // 3), slice(width // 3, width)
    yield photograph
    for rows in (low, high):
        for columns in (left, right):
            yield photograph[rows, columns]
    yield photograph[:, ::-1]
    yield photograph[::-1]
    yield photograph[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4, ::-1]


def network_views(preset: Preset, pictures: Iterable[np.ndarray], size: int) -> np.ndarray:
    """Pictures as the network's square input, prepared as the model's own command does it.

    A picture that segmentation or detection would not make square is completed with grey.

    Args:
        preset: the model.
        pictures: uint8 (H, W, 3) each.
        size: side of the square, pixels.
    Returns:
        uint8 (N, size, size, 3).
    """
    prepare = _preparation(preset)
    views = [np.ascontiguousarray(prepare(np.ascontiguousarray(p), size)) for p in pictures]
    return np.stack(views) if views else np.zeros((0, size, size, 3), np.uint8)


def network_inputs(preset: Preset, views: np.ndarray) -> tuple[np.ndarray, ...]:
    """The inputs of a network: the views, and for a style transfer also the next view as style.

    Args:
        preset: the model.
        views: uint8 (N, size, size, 3).
    Returns:
        one or two uint8 (N, size, size, 3).
    """
    return (views, np.roll(views, -1, axis=0)) if preset.task == "stylize" else (views,)


def _preparation(preset: Preset):
    """The function from a picture and a side to the network's square."""
    if preset.task == "detect":
        from cvtool.detection.letterbox import FITS

        fit = FITS[preset.fit]
        return lambda pixels, size: fit(pixels, size)[0]
    if preset.task == "segment":
        from cvtool.segmentation.segmenter import extended, scaled

        return lambda pixels, size: extended(scaled(pixels, size), size)
    if preset.task == "verify":
        return _face_view()
    from cvtool.classification.views import centre_view

    return centre_view


def _face_view():
    """The largest face of a picture, aligned; the middle of a picture without one."""
    from cvtool.classification.views import centre_view
    from cvtool.faces.alignment import align
    from cvtool.faces.mtcnn_networks import load_networks
    from cvtool.faces.verifier import find_turned

    networks = load_networks()

    def prepare(pixels, size):
        faces = find_turned(pixels, networks)
        return align(pixels, faces[0].landmarks, size) if faces else centre_view(pixels, size)

    return prepare
