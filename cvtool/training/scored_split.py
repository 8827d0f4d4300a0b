"""Which split's figures a finished training is known by."""

from __future__ import annotations

from cvtool.errors import DatasetError


def scored_split(found, folder):
    """Test where there is one, otherwise dev.

    Args:
        found: the splits of which at least one picture could be read.
        folder: the run's.
    Raises:
        DatasetError: neither is among them.
    """
    for split in ("test", "dev"):
        if split in found:
            return split
    raise DatasetError(
        f"{folder}: no picture of dev or test can be read any more; put them back, and go on "
        f"with: cvtool finetune --resume {folder}"
    )
