"""The folder of one training: what it holds in words is run.json."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cvtool import __version__
from cvtool.errors import OutputError, TrainingError
from cvtool.pictures.writing import free_name, write_json

RUN_FILE = "run.json"
RUNS = Path("runs")
# Of run.json. A cvtool that knows a lower one cannot go on with what a newer cvtool began.
FORMAT = 1
KEYS = ("name", "dataset", "settings", "chosen", "splits", "minutes", "finished")
PACKAGES = ("tensorflow", "keras", "numpy", "opencv-python", "pillow")


def choose_folder(name, out=None, *, overwrite=False, read=(), kept=()):
    """The folder for a new training. Nothing is made or removed yet.

    Args:
        name: of the data set; the folder is runs/NAME, or the next free runs/NAME-2.
        out: another folder, or None.
        overwrite: `out` may hold a run already, which `clear_run` then removes.
        read: data sets, whose folders are read to the bottom; None among them is left out.
        kept: other folders that the training needs, such as the run it starts from.
    Returns:
        pathlib.Path.
    Raises:
        OutputError: it holds a run already, is not empty, lies within a data set, or has
            something in it that is read or kept.
    """
    folder = free_name(RUNS / name) if out is None else Path(out)
    for given in (*read, *kept):
        if given is not None and os.path.exists(given):
            _refuse_overlap(folder, Path(given), inside=given in read)
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / RUN_FILE).exists():
            raise OutputError(f"{folder}: is not empty and holds no run; name another --out")
        if not overwrite:
            raise OutputError(
                f"{folder}: holds a run; go on with it by --resume {folder}, use --overwrite, or "
                "name another --out"
            )
    return folder


def clear_run(folder, files):
    """Make the folder, and remove what an earlier run wrote into it.

    Args:
        folder: from `choose_folder`.
        files: glob patterns of the files that runs write; others are left alone.
    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for pattern in files:
            for file in folder.glob(pattern):
                file.unlink()
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror}); name another --out"
        ) from error


def _refuse_overlap(folder, given, inside):
    """A run inside a data set would be read as a class of it; one around it could replace it."""
    run, source = folder.resolve(), given.resolve()
    if inside and source.is_dir() and run.is_relative_to(source):
        raise OutputError(
            f"{folder}: lies in {given}, which is read; name a folder outside of it with --out"
        )
    if source.is_relative_to(run):
        raise OutputError(f"{folder}: {given} lies in it; name another --out")


def write_run(folder, content):
    """Replace run.json."""
    write_json(Path(folder) / RUN_FILE, {"format": FORMAT} | content, overwrite=True)


def read_run(folder):
    """The content of run.json.

    Raises:
        TrainingError: there is none, it is damaged, or of a newer cvtool.
    """
    path = Path(folder) / RUN_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        newer = content["format"] > FORMAT
        missing = [key for key in KEYS if key not in content]
    except FileNotFoundError:
        raise TrainingError(f"{folder}: no run to go on with, it has no {RUN_FILE}") from None
    except NotADirectoryError:
        raise TrainingError(f"{folder}: is a file; give the folder of a run") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path}: damaged ({error}); start the training anew") from None
    if newer:
        raise TrainingError(f"{path}: written by a newer cvtool; update cvtool to go on")
    if missing:
        raise TrainingError(f"{path}: damaged, it has no {missing[0]}; start the training anew")
    return content


def versions():
    """Versions of what a training depends on."""
    found = {"cvtool": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue  # TensorFlow has several names, such as tensorflow-cpu
    return found
