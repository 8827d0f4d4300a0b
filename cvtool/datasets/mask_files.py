"""Files of masks: a class for every pixel."""

from __future__ import annotations

import numpy as np
from PIL import Image, UnidentifiedImageError

from cvtool.errors import DatasetError


def read_mask(path):
    """Read a mask of class ids: a grey or palette picture whose values are the ids.

    Args:
        path: the file.
    Returns:
        uint8 (H, W).
    Raises:
        DatasetError: missing, damaged, or a picture of colours.
    """
    try:
        with Image.open(path) as image:
            if image.mode not in ("L", "P", "1"):
                raise DatasetError(f"{path}: its pixels are {image.mode}, not class ids")
            return np.array(image, np.uint8)
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such mask") from None
    except (OSError, UnidentifiedImageError) as error:
        raise DatasetError(f"{path}: not a mask that can be read ({error})") from None
