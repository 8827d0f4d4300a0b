"""Training faces for a person to judge."""

from __future__ import annotations

import numpy as np

from cvtool.training.sheets import lay_out


def training_sheet(batches, side=112):
    """Lay out the first batch as the network sees it, a person a row as far as they fit.

    Args:
        batches: FaceBatches of as many people as pictures of each.
        side: of each face on the sheet, pixels.
    Returns:
        uint8 RGB (H, W, 3).
    """
    import cv2

    faces, _ = batches[0]
    return lay_out([cv2.resize(np.asarray(face), (side, side)) for face in faces], side)
