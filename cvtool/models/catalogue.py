"""All models that there are by name: where each comes from, and what of it is on this machine."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cvtool.errors import ModelError
from cvtool.models.applications import (
    APPLICATIONS,
    IMAGENET_CLASSES,
    application_folder,
    describe_application,
    fetch_application,
)
from cvtool.models.cache import cache_lock, cached_names, models_folder, unwritable
from cvtool.models.near_names import unknown_name
from cvtool.models.presets import (
    MODEL_FILE,
    Preset,
    find_model,
    known_names,
    load_presets,
    pretrained_folder,
    read_model_folder,
)
from cvtool.models.pulling import (
    downloaded_files,
    file_problems,
    is_current,
    pull_preset,
    remove_downloads,
)

Source = Literal["shipped", "download", "imported", "keras.applications", "folder"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One model of the catalogue.

    Attributes:
        name: what `--model` takes.
        source: where it comes from. "download" is a preset that is fetched and converted, on
            this machine already or not.
        preset: its description; of a model that is not on this machine, without files; None
            where model.json is damaged.
        folder: where its files are; None where it is not on this machine.
        classes: how many it knows.
        problem: why it cannot be read, if so.
    """

    name: str
    source: Source
    preset: Preset | None
    folder: Path | None
    classes: int = 0
    problem: str | None = None

    @property
    def bytes(self) -> int | None:
        """Size of its files on this machine, with what they were made from; None without any."""
        if self.folder is None or self.preset is None:
            return None
        kept = downloaded_files(self.preset).values()
        return sum(file.bytes for file in self.preset.files.values()) + sum(
            path.stat().st_size for path in kept
        )

    @property
    def download_bytes(self) -> int | None:
        """Size of what is downloaded for it; None where there is nothing, or nobody knows."""
        files = self.preset.source.get("files", {}).values() if self.preset else ()
        return sum(file["bytes"] for file in files if "url" in file) or None

    def to_dict(self) -> dict[str, Any]:
        """The entry as JSON has it; of a damaged model only what is known."""
        known = {
            "name": self.name,
            "source": self.source,
            "on_disk": self.folder is not None,
            "folder": str(self.folder) if self.folder else None,
            "bytes": self.bytes,
            "download_bytes": self.download_bytes,
            "problem": self.problem,
        }
        if self.preset is None:
            return known
        preset = self.preset
        return known | {
            "task": preset.task,
            "description": preset.description,
            "size": preset.size,
            "class_count": self.classes,
            "classes": list(preset.classes),
            "licence": preset.licence,
            "data": preset.data,
            "scores": dict(preset.scores),
            "recipe": preset.recipe,
            "files": {
                kind: {"path": str(file.path), "sha256": file.sha256, "bytes": file.bytes}
                for kind, file in preset.files.items()
            },
            "made_from": dict(preset.source),
        }


def catalogue() -> list[Entry]:
    """Every model by name: presets, imported models, networks of keras.applications.

    Raises:
        ModelError: presets.json is missing or damaged.
    """
    presets = load_presets()
    entries = [_of_preset(preset) for preset in presets.values()]
    entries += [
        _of_folder(name, "imported", models_folder() / name)
        for name in cached_names()
        if name not in presets
    ]
    return entries + [_of_application(name) for name in APPLICATIONS]


def find_entry(name: str) -> Entry:
    """The entry of a name, or of the folder of a trained model; downloads nothing.

    Raises:
        ModelError: there is neither.
    """
    for entry in catalogue():
        if entry.name == name:
            return entry
    if name and Path(name).is_dir():
        return _of_folder(name, "folder", Path(name))
    if Path(name).exists():
        find_model(name)  # which says what is wrong
    raise ModelError(unknown_name("model", name, known_names(load_presets())))


def pull(entry: Entry) -> bool:
    """Put a model on this machine, or put it right there.

    Returns:
        whether there was anything to do.
    Raises:
        ModelError: it cannot be downloaded, or is of the user's own and not all right.
    """
    if entry.source == "download" and entry.preset is not None:
        before = entry.folder is not None and not problems(entry)
        pull_preset(load_presets()[entry.name], check=True)
        return not before
    if entry.source == "keras.applications":
        if entry.folder is not None and problems(entry):
            remove(entry)
        elif entry.folder is not None:
            return False
        fetch_application(entry.name)
        return True
    wrong = problems(entry)
    if wrong:
        raise ModelError("; ".join(wrong))
    return False


def problems(entry: Entry) -> list[str]:
    """What is wrong with a model's files on this machine, one line each, with the remedy.

    Raises:
        ModelError: it is not on this machine.
    """
    if entry.problem:
        return [entry.problem]
    if entry.folder is None or entry.preset is None:
        raise ModelError(not_here(entry))
    return [f"{line}; {entry.preset.remedy}" for line in file_problems(entry.preset)]


def not_here(entry: Entry) -> str:
    """That a model is not on this machine, and how to get it."""
    return f'model "{entry.name}" is not on this machine; get it: cvtool models pull {entry.name}'


def remove(entry: Entry) -> int:
    """Delete a model from the cache folder, with what it was made from.

    Returns:
        the bytes that were freed.
    Raises:
        ModelError: it is not in the cache folder, or cannot be deleted.
    """
    if entry.source == "shipped":
        raise ModelError(f'model "{entry.name}" ships with cvtool and stays')
    if entry.source == "folder":
        raise ModelError(f"{entry.name}: not in the cache folder; delete your own folder yourself")
    folder = entry.folder
    if entry.source == "download" and (models_folder() / entry.name).is_dir():
        # Even one that today's preset is no longer made from.
        folder = models_folder() / entry.name
    freed = 0
    with cache_lock(entry.name):
        try:
            if entry.preset is not None:
                freed += remove_downloads(entry.preset)
            if folder is not None:
                freed += sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
                # Out of the way first, so that nobody finds half a model.
                gone = folder.with_name(f".{folder.name}.part")
                shutil.rmtree(gone, ignore_errors=True)
                folder.rename(gone)
                shutil.rmtree(gone)
        except OSError as error:
            raise unwritable(folder or models_folder(), error) from error
    if folder is None and not freed:
        raise ModelError(
            f'model "{entry.name}" is not on this machine, so there is nothing to remove'
        )
    return freed


def _of_preset(preset: Preset) -> Entry:
    classes = len(preset.classes)
    if preset.files:
        return Entry(preset.name, "shipped", preset, pretrained_folder(), classes)
    if not is_current(preset):
        return Entry(preset.name, "download", preset, None, classes)
    return _of_folder(preset.name, "download", models_folder() / preset.name)


def _of_folder(name: str, source: Source, folder: Path) -> Entry:
    try:
        preset = read_model_folder(folder)
    except ModelError as error:
        return Entry(name, source, None, folder, problem=str(error))
    return Entry(name, source, preset, folder, len(preset.classes))


def _of_application(name: str) -> Entry:
    folder = application_folder(name)
    if (folder / MODEL_FILE).exists():
        return _of_folder(name, "keras.applications", folder)
    described = describe_application(name) | {"files": {}, "classes": ()}
    return Entry(name, "keras.applications", Preset(**described), None, IMAGENET_CLASSES)
