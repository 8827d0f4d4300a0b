"""Presets: the named models, as `pretrained/presets.json` describes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvtool.errors import ModelError
from cvtool.models.applications import APPLICATIONS, fetch_application
from cvtool.models.cache import cached_names, models_folder
from cvtool.models.near_names import unknown_name
from cvtool.models.preset_checks import check_files, check_preset

PRESETS_FILE = "presets.json"
MODEL_FILE = "model.json"
# Of model.json. A cvtool that knows a lower one cannot read what a newer cvtool wrote.
FORMAT = 1
REMEDY = "install cvtool again"


@dataclass(frozen=True, slots=True)
class PresetFile:
    """One file of a preset.

    Attributes:
        path: where it is.
        sha256: 64 hexadecimal digits.
        bytes: its size.
    """

    path: Path
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Preset:
    """A named model; see pretrained/README.md for what each is good for.

    Attributes:
        name: what `--model` takes.
        task: "detect", "classify", "segment", "verify", "stylize": which command the model is
            for; "features": a network that others compare pictures with.
        files: by kind: "litert" for the LiteRT interpreter, "weights" for Keras.
        size: side of the square that the network sees by default, pixels; for segmentation,
            the longer side of the picture that it sees; for faces, the side of the aligned face;
            for styles, the longer side of the pictures that it was scored on.
        classes: labels in the order of the class numbers.
        architecture: what to build the network with, as its builder takes it.
        anchors: detection only: for each scale, (width, height) of its anchors in
            pixels of the network's input.
        strides: detection only: pixels a grid cell, for each scale.
        decoding: detection only: for each scale, what `cvtool.detection.grid.Decoding` takes;
            empty for cvtool's own YOLO.
        fit: detection only: how a picture is brought to the network's square: "letterbox",
            its shape kept, or "stretch".
        score: detection only: keep boxes that score at least this, in [0, 1]; None where the
            model has no threshold of its own.
        several: classification only: a picture may have several of the classes.
        calibration: faces only: what distances mean, see `faces.verifier.Verifier`.
        scores: data set and figures, measured with `cvtool evaluate`.
        licence, data, recipe: of the weights; training data; the script that made them.
        source: what the files were made from where cvtool did not train them: "format", and
            "files", whose values have "sha256", "bytes" and, where they can be downloaded,
            "url". A preset without files is downloaded and converted, see `models.pulling`.
        described_in: presets.json, or model.json for a model of the user's own.
    """

    name: str
    task: str
    description: str
    files: Mapping[str, PresetFile]
    size: int
    classes: tuple[str, ...]
    architecture: Mapping[str, Any] = field(default_factory=dict)
    anchors: tuple[tuple[tuple[float, float], ...], ...] = ()
    strides: tuple[int, ...] = ()
    decoding: tuple[Mapping[str, Any], ...] = ()
    fit: str = "letterbox"
    score: float | None = None
    several: bool = False
    calibration: Mapping[str, Any] = field(default_factory=dict)
    licence: str = ""
    data: str = ""
    scores: Mapping[str, Any] = field(default_factory=dict)
    recipe: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)
    described_in: str = PRESETS_FILE

    @property
    def remedy(self) -> str:
        """What to do about a damaged file."""
        if self.described_in == PRESETS_FILE:
            return REMEDY
        if not self.source:
            return "copy the model's folder again, or train it again"
        files = self.source.get("files", {}).values()
        if all("url" in file for file in files):
            return f"get it again: cvtool models pull {self.name}"
        return "import it again, see cvtool models import --help"


def pretrained_folder() -> Path:
    """The folder of the models that ship with cvtool.

    In an installed wheel it lies inside the package; in a source checkout, and so
    in an editable install, beside it.
    """
    package = Path(__file__).resolve().parent.parent
    inside = package / "_pretrained"
    return inside if inside.is_dir() else package.parent / "pretrained"


def load_presets(folder: str | Path | None = None) -> dict[str, Preset]:
    """All presets by name, in the order of presets.json. Opens no model file.

    Args:
        folder: the folder with presets.json; None for the models that ship.
    Raises:
        ModelError: presets.json is missing or not what it should be.
    """
    folder = Path(folder) if folder is not None else pretrained_folder()
    path = folder / PRESETS_FILE
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{path}: missing, so no model is known; {REMEDY}") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); {REMEDY}") from error
    try:
        return {name: _preset(name, entry, folder) for name, entry in entries.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: damaged ({error!r}); {REMEDY}") from error


def find_model(model: str | Path, folder: str | Path | None = None) -> Preset:
    """The preset of that name, or the model in that folder.

    Args:
        model: a preset's name, which may have to be downloaded first; the name of a model
            that was imported; a name of `applications.APPLICATIONS`; or a folder with a
            model.json, as a training leaves it: one entry of presets.json with its "name",
            its files beside it. A Path is always a folder.
        folder: as for `load_presets`.
    Raises:
        ModelError: no such preset or folder, a damaged model.json, or a model that is not on
            this machine and cannot be downloaded.
    """
    name, path = str(model), Path(model)
    # A preset comes first: a folder of the same name can be given as ./name.
    bare = isinstance(model, str) and path.name == name
    presets = load_presets(folder) if bare or not path.exists() else {}
    if bare and name in presets:
        return presets[name] if presets[name].files else _downloaded(presets[name])
    if bare and name in cached_names():
        return read_model_folder(models_folder() / name)
    if bare and name in APPLICATIONS and not path.exists():
        return read_model_folder(fetch_application(name))
    if name and path.is_dir():
        return read_model_folder(path)
    if path.is_file():
        raise ModelError(f"{path}: is a file; give the model's folder, the one with its model.json")
    hint = "" if bare else " (nor is there such a folder)"
    raise ModelError(unknown_name("model", name, known_names(presets)) + hint)


def known_names(presets: Mapping[str, Preset]) -> list[str]:
    """All names that `find_model` knows: presets, models in the cache, keras.applications."""
    return list(dict.fromkeys((*presets, *cached_names(), *APPLICATIONS)))


def read_model_folder(folder: str | Path) -> Preset:
    """The model that a training left in a folder.

    Raises:
        ModelError: no model.json there, or not what it should be.
    """
    path = Path(folder) / MODEL_FILE
    remedy = "give the folder that a training made"
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        if entry.get("format", FORMAT) > FORMAT:
            raise ModelError(f"{path}: written by a newer cvtool; update cvtool to use this model")
        return _preset(entry["name"], entry, Path(folder), MODEL_FILE)
    except FileNotFoundError:
        raise ModelError(f"{folder}: no model.json in it; {remedy}") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise ModelError(f"{path}: not the description of a model ({reason}); {remedy}") from error


def preset_file(preset: Preset, kind: str) -> Path:
    """Path of one of a preset's files, seen to be there and undamaged.

    The size is compared first, then the sha256: hashing costs a few milliseconds
    for ten megabytes, and a damaged file would give wrong answers without a word.

    Args:
        preset: the model.
        kind: "litert" or "weights".
    Raises:
        ModelError: the preset has no such file, or it is missing or damaged.
    """
    if kind not in preset.files:
        raise ModelError(
            f'model "{preset.name}" has no {kind} file, only {", ".join(preset.files) or "none"}'
        )
    problem = file_problem(preset.files[kind], preset.described_in)
    if problem:
        raise ModelError(f"{problem}; {preset.remedy}")
    return preset.files[kind].path


def verify(preset: Preset) -> list[str]:
    """What is wrong with a preset's files, one line each; empty when all is well."""
    problems = (file_problem(file, preset.described_in) for file in preset.files.values())
    return [problem for problem in problems if problem]


def file_problem(file: PresetFile, described_in: str = PRESETS_FILE) -> str | None:
    """What is wrong with a model file: missing, of another size, of another sha256; or None."""
    try:
        size = file.path.stat().st_size
        if size != file.bytes:
            return f"{file.path}: damaged, {size} bytes instead of {file.bytes}"
        with file.path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return f"{file.path}: missing"
    except OSError as error:
        return f"{file.path}: cannot be read ({error.strerror})"
    if digest != file.sha256:
        return f"{file.path}: damaged, its sha256 is not the one in {described_in}"
    return None


def _downloaded(preset: Preset) -> Preset:
    # Imported here, since pulling is made of what this module offers.
    from cvtool.models.pulling import pull_preset

    return read_model_folder(pull_preset(preset))


def _preset(
    name: str, entry: Mapping[str, Any], folder: Path, described_in: str = PRESETS_FILE
) -> Preset:
    source = entry.get("source", {})
    if not isinstance(source, Mapping):
        raise ValueError("its source is no object")
    to_download = bool(source) and described_in == PRESETS_FILE
    entries = entry.get("files", {}) if to_download else entry["files"]
    files = {
        kind: PresetFile(folder / file["file"], file["sha256"], int(file["bytes"]))
        for kind, file in entries.items()
    }
    check_files(entries, source)
    preset = Preset(
        name=name,
        task=entry["task"],
        description=entry["description"],
        files=files,
        size=int(entry["size"]),
        classes=tuple(entry["classes"]),
        architecture=entry.get("architecture", {}),
        anchors=tuple(
            tuple((float(w), float(h)) for w, h in scale) for scale in entry.get("anchors", ())
        ),
        strides=tuple(int(s) for s in entry.get("strides", ())),
        decoding=tuple(dict(scale) for scale in entry.get("decoding", ())),
        fit=entry.get("fit", "letterbox"),
        score=entry.get("score"),
        several=bool(entry.get("several", False)),
        calibration=entry.get("calibration", {}),
        licence=entry.get("licence", ""),
        data=entry.get("data", ""),
        scores=entry.get("scores", {}),
        recipe=entry.get("recipe", ""),
        source=source,
        described_in=described_in,
    )
    # Of a preset to download, anchors and strides are in the files to come.
    check_preset(preset, whole=bool(files) or not to_download)
    return preset
