"""The folder for what cvtool downloads and can fetch again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The cache folder; it may not exist yet.

    The user's cache folder of the operating system, or the folder that the
    environment variable CVTOOL_CACHE names.
    """
    chosen = os.environ.get("CVTOOL_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("cvtool", appauthor=False))


def cache_problem() -> str | None:
    """Why nothing can be kept in the cache folder, as a phrase; None when all is well.

    Creates nothing: of a folder that does not exist yet, the nearest one above counts.
    """
    folder = cache_folder()
    existing = folder
    # os.path, because a folder above that may not be looked into is no error there.
    while not os.path.exists(existing) and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        return f"{existing} is not a folder; set CVTOOL_CACHE to another one"
    if not os.access(existing, os.W_OK | os.X_OK):
        return f"{existing} is not writable; set CVTOOL_CACHE to another folder"
    return None
