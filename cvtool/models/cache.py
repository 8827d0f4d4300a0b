"""The folder for what cvtool downloads and can fetch again, and for models that were imported.

Below it lie `models/NAME`, `applications/NAME` (those of keras.applications) and
`converted/NAME-HASH`, model folders as a training leaves them; `downloads/SHA256-FILENAME`, what
was downloaded; `locks`, which keep two processes from doing the same work.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cvtool.errors import ModelError, OutputError
from cvtool.models.progress import say


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
    """Why nothing can be kept in the cache folder, in one line; None when all is well."""
    from cvtool.pictures.writing import check_output_folder

    try:
        check_output_folder(cache_folder(), "set CVTOOL_CACHE to another folder")
    except OutputError as error:
        return str(error)
    return None


def models_folder() -> Path:
    """Where downloaded presets and imported models are, a folder for each."""
    return cache_folder() / "models"


def converted_folder() -> Path:
    """Where networks are that `--model FILE` named, a folder for each version of a file."""
    return cache_folder() / "converted"


def cached_names() -> list[str]:
    """The models in `models_folder`, in the order of their names."""
    try:
        # A name that starts with a dot is one that is being written.
        names = [path.name for path in models_folder().iterdir() if path.is_dir()]
    except OSError:
        return []
    return sorted(name for name in names if not name.startswith("."))


@contextmanager
def cache_lock(name: str) -> Iterator[None]:
    """Hold a lock of the cache folder while the block runs; other processes wait.

    Args:
        name: what is locked; usable as a file name.
    Raises:
        ModelError: the cache folder cannot be written.
    """
    from filelock import FileLock, Timeout

    path = cache_folder() / "locks" / f"{name}.lock"
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say(f"waiting for another process that fetches or converts {name}")
            lock.acquire()
    except OSError as error:
        raise unwritable(path.parent, error) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Lend the name of a folder to be made; rename it to `folder` when the block ends well.

    The lock of the model's name must be held: what lies where this one works is left over.
    """
    workplace = folder.with_name(f".{folder.name}.part")
    part, old = workplace / folder.name, workplace / "old"
    try:
        shutil.rmtree(workplace, ignore_errors=True)
        workplace.mkdir(parents=True)
        yield part
        if folder.exists():
            os.rename(folder, old)
        try:
            os.rename(part, folder)
        except OSError:
            if old.exists():
                os.rename(old, folder)
            raise
    except OSError as error:
        raise unwritable(folder.parent, error) from error
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


def unwritable(path: Path, error: OSError) -> ModelError:
    """The error of a place in the cache folder that cannot be written."""
    reason = error.strerror or str(error)
    return ModelError(f"{path}: cannot be written ({reason}); set CVTOOL_CACHE to another folder")
