"""Models that others trained, made models of cvtool in the cache folder: presets and imports."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cvtool.errors import ModelError
from cvtool.models.applications import APPLICATIONS
from cvtool.models.cache import (
    cache_lock,
    cached_names,
    converted_folder,
    models_folder,
    new_folder,
)
from cvtool.models.downloads import download, downloaded_path, part_of
from cvtool.models.own_network import import_own
from cvtool.models.presets import (
    Preset,
    PresetFile,
    file_problem,
    load_presets,
    read_model_folder,
    verify,
)
from cvtool.models.progress import say
from cvtool.models.saved_models import GRAPH_FILE, is_saved_model

LONGEST_NAME = 64
# Names of devices under Windows, where no file can be called so, whatever its ending.
DEVICES = {"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))}


def pull_preset(preset: Preset, *, check: bool = False) -> Path:
    """The folder of a preset without files of its own, downloaded and converted if need be.

    Args:
        preset: one with a `source`.
        check: compare the hashes of what is there, and make it again where they are wrong.
    Returns:
        a folder with model.json, in the cache folder.
    Raises:
        ModelError: it cannot be downloaded or converted.
    """
    folder = models_folder() / preset.name
    if is_current(preset) and not (check and file_problems(read_model_folder(folder))):
        return folder
    with cache_lock(preset.name):
        # Another process may have been quicker.
        if is_current(preset) and not file_problems(read_model_folder(folder)):
            return folder
        files = {
            kind: download(preset.name, file["url"], file["sha256"], int(file["bytes"]))
            for kind, file in preset.source["files"].items()
        }
        say(f"{preset.name}: converting")
        description = {
            "description": preset.description,
            "licence": preset.licence,
            "data": preset.data,
            "scores": preset.scores,
            "source": preset.source,
        }
        with new_folder(folder) as part:
            _import_darknet()(
                files["configuration"],
                files["weights"],
                part,
                name=preset.name,
                classes=preset.classes,
                description=description,
            )
    return folder


def import_darknet_model(
    configuration: str | Path,
    weights: str | Path,
    *,
    name: str,
    classes: Sequence[str],
    licence: str = "",
    overwrite: bool = False,
) -> Path:
    """Convert a Darknet model of the user's own, and keep it in the cache folder by a name.

    Args:
        configuration, weights: Darknet's .cfg and .weights.
        name: what `--model` takes then.
        classes: labels in the order of the class numbers.
        licence: of the weights, kept with them.
        overwrite: replace a model that was imported by this name.
    Returns:
        a folder with model.json.
    Raises:
        ModelError: a name that cannot be taken, or files that are no such model.
    """
    configuration, weights = Path(configuration), Path(weights)
    description = {
        "description": f"imported from {configuration.name} and {weights.name}",
        "licence": licence,
        "source": {
            "format": "darknet",
            "files": {"configuration": _source_of(configuration), "weights": _source_of(weights)},
        },
    }
    with imported(name, overwrite=overwrite) as folder:
        say(f"{name}: converting")
        _import_darknet()(
            configuration, weights, folder, name=name, classes=classes, description=description
        )
    return models_folder() / name


def import_own_model(
    path: str | Path,
    *,
    name: str,
    classes: Sequence[str],
    pixel_range: tuple[float, float] = (0.0, 255.0),
    size: int | None = None,
    licence: str = "",
    overwrite: bool = False,
) -> Path:
    """Convert a network of the user's own, and keep it in the cache folder by a name.

    Args:
        path, classes, pixel_range, size: see `own_network.import_own`.
        name, licence, overwrite: as for `import_darknet_model`.
    Returns:
        a folder with model.json.
    Raises:
        ModelError: a name that cannot be taken, or a network that cannot be used.
    """
    path = Path(path)
    kind = "saved_model" if is_saved_model(path) else "keras"
    file = path / GRAPH_FILE if kind == "saved_model" else path
    description = {
        "licence": licence,
        "source": {"format": kind, "files": {kind: _source_of(file)}},
    }
    with imported(name, overwrite=overwrite) as folder:
        say(f"{name}: converting")
        import_own(
            path,
            folder,
            name=name,
            classes=classes,
            pixel_range=pixel_range,
            size=size,
            description=description,
        )
    return models_folder() / name


def kept_own_model(path: str | Path, classes: Sequence[str]) -> Path:
    """The folder of a model made of a user's own network, which is converted the first time.

    The network is shown pixels from 0 to 255, at its own size or a usual one; others are for
    `import_own_model`.

    Args:
        path, classes: see `own_network.import_own`.
    Returns:
        a folder with model.json, in the cache folder; another one if either has changed.
    Raises:
        ModelError: a network that cannot be used.
    """
    path = Path(path)
    digest = hashlib.sha256("\n".join(classes).encode())
    try:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file():
                digest.update(file.read_bytes())
    except OSError as error:
        raise ModelError(f"{error.filename}: cannot be read ({error.strerror})") from None
    stem = re.sub(r"[^\w.-]", "_", path.stem, flags=re.A)[:LONGEST_NAME] or "model"
    folder = converted_folder() / f"{stem}-{digest.hexdigest()[:16]}"
    with cache_lock(folder.name):
        try:
            if not verify(read_model_folder(folder)):
                return folder
        except ModelError:
            pass  # Not there, or not whole: it is made.
        say(f"{path}: converting, once; it is shown pixels from 0 to 255")
        with new_folder(folder) as part:
            import_own(path, part, name=stem, classes=classes)
    return folder


@contextmanager
def imported(name: str, *, overwrite: bool = False) -> Iterator[Path]:
    """Lend a folder to write a model into; it becomes that of the name when the block ends well.

    Args:
        name: of the model, which `check_new_name` must accept.
        overwrite: replace a model that was imported by this name.
    Raises:
        ModelError: the name cannot be taken, or the cache folder cannot be written.
    """
    check_new_name(name, overwrite=overwrite)
    with cache_lock(name):
        check_new_name(name, overwrite=overwrite)
        with new_folder(models_folder() / name) as part:
            yield part


def check_new_name(name: str, *, overwrite: bool = False) -> None:
    """Refuse a name that a model cannot be imported by.

    Raises:
        ModelError: it is no plain name, or that of another model.
    """
    if len(name) > LONGEST_NAME or not re.fullmatch(
        r"[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?", name, re.A
    ):
        raise ModelError(
            f'"{name}" cannot be a model\'s name; take letters, digits, ".", "_" and "-", at most '
            f"{LONGEST_NAME}, with a letter or digit first and last"
        )
    if name.partition(".")[0].casefold() in DEVICES:
        raise ModelError(f'"{name}" is the name of a device under Windows; take another name')
    # Upper and lower case are alike on some file systems.
    taken = {known.casefold(): known for known in (*load_presets(), *APPLICATIONS)}
    if name.casefold() in taken:
        raise ModelError(
            f'there is a model "{taken[name.casefold()]}" that comes with cvtool; take another name'
        )
    there = {known.casefold(): known for known in cached_names()}.get(name.casefold())
    if there is not None and not (overwrite and there == name):
        raise ModelError(
            f'there is a model "{there}" already; take another name'
            + (", or replace it with --overwrite" if there == name else "")
        )


def is_current(preset: Preset) -> bool:
    """Whether the cache folder has the model that a preset's `source` describes today."""
    try:
        model = read_model_folder(models_folder() / preset.name)
    except ModelError:
        return False
    return _hashes(model.source) == _hashes(preset.source)


def file_problems(preset: Preset) -> list[str]:
    """What is wrong with a model's files and with what was downloaded for them, a line each."""
    kept = (
        PresetFile(path, sha256, path.stat().st_size)
        for sha256, path in downloaded_files(preset).items()
    )
    return verify(preset) + [problem for file in kept if (problem := file_problem(file))]


def downloaded_files(preset: Preset) -> dict[str, Path]:
    """What was downloaded for a preset and is still in the cache folder: sha256 to path."""
    return {sha256: path for sha256, path in _download_paths(preset).items() if path.exists()}


def remove_downloads(preset: Preset) -> int:
    """Delete what was downloaded for a preset, whole or not.

    Returns:
        the bytes that were freed.
    Raises:
        OSError: it cannot be deleted.
    """
    freed = 0
    for whole in _download_paths(preset).values():
        for path in (whole, part_of(whole)):
            if path.exists():
                freed += path.stat().st_size
                path.unlink()
    return freed


def _download_paths(preset: Preset) -> dict[str, Path]:
    return {
        file["sha256"]: downloaded_path(file["url"], file["sha256"])
        for file in preset.source.get("files", {}).values()
        if "url" in file
    }


def _import_darknet():
    # Imported late: it needs Keras.
    from cvtool.models.darknet.importing import import_darknet

    return import_darknet


def _source_of(path: Path) -> dict[str, Any]:
    if path.exists() and not path.is_file():
        # Of a device or a pipe, nothing is left when it is read again to convert it.
        raise ModelError(f"{path}: not a file; give the model's file")
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"file": path.name, "sha256": digest, "bytes": path.stat().st_size}
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); check the path") from None


def _hashes(source: Mapping[str, Any]) -> dict[str, str]:
    return {kind: file["sha256"] for kind, file in source.get("files", {}).items()}
