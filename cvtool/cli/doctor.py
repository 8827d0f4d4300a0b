"""`cvtool doctor`: is everything in place?"""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import typer

from cvtool import __version__
from cvtool.cli import console
from cvtool.cli.options import JsonOption
from cvtool.errors import CvtoolError

PACKAGES = (
    "tensorflow",
    "keras",
    "ai-edge-litert",
    "opencv-python",
    "pillow",
    "numpy",
)
# It has no wheel for every platform; TensorFlow's own interpreter serves there.
OPTIONAL = ("ai-edge-litert",)


def doctor(as_json: JsonOption = False) -> None:
    """Check the installation: versions, GPU, engines, cache folder and models.

    The exit code is 1 if something is broken; what to do about it is said.
    """
    findings = examine()
    if as_json:
        console.print_json(findings)
    else:
        show(findings)
    for problem in findings["problems"]:
        console.complain(problem)
    if findings["problems"]:
        raise typer.Exit(1)


def examine() -> dict[str, Any]:
    """All findings, as `cvtool doctor --json` prints them."""
    problems: list[str] = []
    versions = package_versions(problems)
    check_opencv(problems)
    gpus, reason = find_gpus(problems)
    return {
        "versions": versions,
        "gpus": gpus,
        "no_gpu_because": reason,
        "cache": cache(problems),
        "models": models(bool(gpus), versions, problems),
        "problems": problems,
    }


def package_versions(problems: list[str]) -> dict[str, str | None]:
    """Version of cvtool, Python and the packages that matter; None for what is not installed."""
    versions: dict[str, str | None] = {
        "cvtool": __version__,
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
            if package not in OPTIONAL:
                problems.append(f"{package} is not installed; pip install {package}")
    return versions


def check_opencv(problems: list[str]) -> None:
    """OpenCV is the package that can be installed and still fail, for want of a system library."""
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        problems.append(
            f"OpenCV cannot be imported ({console.one_line(error)}); "
            "on Debian or Ubuntu: apt install libgl1 libglib2.0-0"
        )


def find_gpus(problems: list[str]) -> tuple[list[str], str | None]:
    """The GPUs that TensorFlow sees, or why it sees none."""
    from cvtool.gpus import visible_gpus

    try:
        return visible_gpus()
    except CvtoolError as error:
        problems.append(str(error))
        return [], "TensorFlow cannot be imported"


def cache(problems: list[str]) -> dict[str, Any]:
    """Where downloads are kept, and if they can be."""
    from cvtool.models.cache import cache_folder, cache_problem

    problem = cache_problem()
    if problem:
        problems.append(f"cache folder: {problem}")
    return {"folder": str(cache_folder()), "writable": problem is None}


def models(gpu: bool, versions: dict[str, str | None], problems: list[str]) -> list[dict[str, Any]]:
    """Each model with the engine that --device auto takes for it, and if its files are intact.

    Networks of keras.applications are listed if they are on this machine.
    """
    from cvtool.models import catalogue

    try:
        entries = catalogue.catalogue()
    except CvtoolError as error:
        problems.append(str(error))
        return []
    rows = []
    for entry in entries:
        here = entry.folder is not None
        if not here and entry.source == "keras.applications":
            continue
        damage = catalogue.problems(entry) if here else []
        problems.extend(damage)
        engine = "tensorflow" if gpu else "litert"
        interpreter = "ai-edge-litert" if versions["ai-edge-litert"] else "tensorflow"
        rows.append(
            {
                "name": entry.name,
                "task": entry.preset.task if entry.preset else None,
                "engine": engine,
                "interpreter": interpreter if engine == "litert" else None,
                "on_disk": here,
                "intact": not damage if here else None,
            }
        )
    return rows


def show(findings: dict[str, Any]) -> None:
    """Print the findings for people."""
    rows = [(name, number or "not installed") for name, number in findings["versions"].items()]
    rows.append(("system", f"{platform.system()} {platform.machine()}"))
    rows.append(("executable", sys.executable))
    for gpu in findings["gpus"]:
        rows.append(("GPU", gpu))
    if not findings["gpus"]:
        rows.append(("GPU", f"none: {findings['no_gpu_because']}"))
    cache = findings["cache"]
    rows.append(("cache", cache["folder"] + ("" if cache["writable"] else " (not writable)")))
    console.print_table(console.table(("what", "found"), rows))

    rows = []
    for model in findings["models"]:
        engine = model["engine"]
        if model["interpreter"]:
            engine += f" (by {model['interpreter']})"
        state = "intact" if model["intact"] else "damaged or missing"
        if not model["on_disk"]:
            state = f"not here; cvtool models pull {model['name']}"
        rows.append((model["name"], model["task"] or "", engine, state))
    console.print_table(console.table(("model", "task", "engine", "files"), rows))
    if not findings["problems"]:
        print("all is well")
