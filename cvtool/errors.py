"""Errors that a user can cause and mend.

Each message is one line that names the file concerned and says what to do. The
command line prints it and exits with 1, or 2 for an OptionError; anything that is not
a CvtoolError is a bug and shows its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence


class CvtoolError(Exception):
    """Base of every error that the user can act on."""


class OptionError(CvtoolError):
    """A value given for an option or argument that makes no sense, whatever the pictures are."""


class PictureError(CvtoolError):
    """A picture or video that cannot be read."""


class SourceError(CvtoolError):
    """A source that holds no picture: a missing file, an empty folder, a dead URL."""


class OutputError(CvtoolError):
    """A result that cannot be written."""


class ModelError(CvtoolError):
    """A model that is unknown, missing, damaged or not of the kind asked for."""


class DatasetError(CvtoolError):
    """A data set that cannot be read."""


class GalleryError(CvtoolError):
    """A gallery of faces that cannot be read or written, or was made by another model."""


class DeviceError(CvtoolError):
    """A device that was asked for and is not there."""


class TrainingError(CvtoolError):
    """A training that cannot go on."""


def few(names: Sequence[str], most: int = 5) -> str:
    """The first names as words of a message, for example "car, cat and 12 more"."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
