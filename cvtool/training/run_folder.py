"""The folder of one training: what it holds in words is run.json."""

from __future__ import annotations

import json
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
PACKAGES = ("tensorflow", "keras", "numpy", "opencv-python", "pillow")


def new_run(name, out=None, *, overwrite=False):
    """The folder for a new training, made.

    Args:
        name: of the data set; the folder is runs/NAME, or the next free runs/NAME-2.
        out: another folder, or None.
        overwrite: `out` may hold a run already, which is then replaced.
    Returns:
        pathlib.Path.
    Raises:
        OutputError: it holds a run already, is not empty, or cannot be made.
    """
    folder = free_name(RUNS / name) if out is None else Path(out)
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / RUN_FILE).exists():
            raise OutputError(f"{folder}: is not empty and holds no run; name another --out")
        if not overwrite:
            raise OutputError(
                f"{folder}: holds a run; go on with it by --resume {folder}, use --overwrite, or "
                "name another --out"
            )
        for file in folder.iterdir():
            if file.is_file():
                file.unlink()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be made ({error.strerror}); name another --out"
        ) from error
    return folder


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
    except FileNotFoundError:
        raise TrainingError(f"{folder}: no run to go on with, it has no {RUN_FILE}") from None
    except NotADirectoryError:
        raise TrainingError(f"{folder}: is a file; give the folder of a run") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path}: damaged ({error}); start the training anew") from None
    if newer:
        raise TrainingError(f"{path}: written by a newer cvtool; update cvtool to go on")
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
