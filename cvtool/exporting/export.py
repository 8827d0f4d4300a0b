"""Export a model: convert, check, and only then write."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cvtool.errors import OptionError, OutputError, SourceError
from cvtool.exporting.agreement import Agreement
from cvtool.exporting.formats import Format, check_format, description_path, output_path
from cvtool.pictures.writing import check_output_folder, whole_file, write_json

# Pictures that are compared, and with which int8 is calibrated.
MOST_CHECKED = 16
MOST_CALIBRATED = 200
# Of the calibration pictures as the network sees them.
MOST_BYTES = 500_000_000


@dataclass(frozen=True, slots=True)
class Exported:
    """A model in a file that answers as the model does.

    Attributes:
        path: the file; the folder that a SavedModel is.
        described: the JSON beside it, with all one needs to run it elsewhere.
        bytes: size of all its files.
        agreement: how near its answers are.
        description: what is in that JSON.
    """

    path: Path
    described: Path
    bytes: int
    agreement: Agreement
    description: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The export as the documented JSON object."""
        keys = ("model", "task", "format", "precision", "inputs", "output", "size", "check")
        return {"file": str(self.path), "description": str(self.described), "bytes": self.bytes} | {
            key: self.description[key] for key in keys
        }


def export_model(
    model: str | Path,
    format: str = "onnx",
    *,
    precision: str = "float32",
    size: int | None = None,
    free: bool = False,
    batch: int | None = 1,
    pictures: Iterable[np.ndarray] | None = None,
    out: Path | None = None,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda message: None,
) -> Exported:
    """Write a model for other programs, checked by running what was written.

    Args:
        model: a preset's name or the folder of a trained model.
        format: a key of `formats.FORMATS`.
        precision: "float32"; "float16" for files of half the size, computed in float32 all the
            same; "int8" (LiteRT), stored and computed.
        size: side of the square input, pixels; None for the model's own.
        free: leave height and width free.
        batch: pictures at a time; None for any number.
        pictures: uint8 (H, W, 3) each, to compare on, and for int8 to calibrate with; None for
            some that are always there.
        out: file or folder, see `formats.output_path`.
        overwrite: replace what is there.
        say: gets a remark at the start of each step.
    Raises:
        OptionError: what the format or the network does not take, or int8 without pictures.
        ModelError: no such model; a package is missing; the file cannot be made or is wrong.
        SourceError: no picture.
        OutputError: the file is there already or cannot be written.
    """
    chosen = check_format(format, precision)
    if precision == "int8" and pictures is None:
        raise OptionError(
            "int8 is calibrated on pictures such as the model will see; name some dozens or more: "
            "--pictures DIR"
        )
    if precision == "int8" and free:
        raise OptionError("int8 needs a fixed size; leave out --size free")
    from cvtool.models.presets import find_model

    name = find_model(model).name
    path = output_path(out, name, chosen)
    check_output(path, chosen, overwrite)

    from cvtool.exporting.checking import check_exported
    from cvtool.exporting.converting import convert
    from cvtool.exporting.describing import describe
    from cvtool.exporting.source import load_source
    from cvtool.exporting.views import network_inputs, network_views, sample_pictures

    say(f"loading {name}")
    source = load_source(model, size=size, free=free, batch=batch)
    most = MOST_CHECKED
    if precision == "int8":
        most = max(most, min(MOST_CALIBRATED, MOST_BYTES // (3 * source.size**2)))
    taken = islice(sample_pictures() if pictures is None else pictures, most)
    views = network_views(source.preset, taken, source.size)
    if not len(views):
        raise SourceError("no picture can be read, so nothing can be compared; name others")
    inputs = network_inputs(source.preset, views)
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        made = Path(folder) / path.name
        say(f"converting to {chosen.title}")
        convert(source, made, format, precision=precision, calibration=inputs)
        say(f"comparing on {min(len(views), MOST_CHECKED)} pictures")
        checked = tuple(part[:MOST_CHECKED] for part in inputs)
        agreement = check_exported(source, made, format, precision, checked)
        files = fingerprints(made, chosen)
        description = describe(source, files, format, precision, agreement)
        put_in_place(made, path, chosen, description, overwrite)
    size_of_all = sum(file["bytes"] for file in files)
    return Exported(path, description_path(path), size_of_all, agreement, description)


def check_output(path: Path, chosen: Format, overwrite: bool) -> None:
    """Refuse an export's place before the work for it is done.

    Raises:
        OutputError: something is there that may not be replaced, or nothing can be made there.
    """
    remedy = "use --overwrite or choose another --out"
    files = [path, description_path(path), *(path.with_suffix(e) for e in chosen.companions)]
    for file in files:
        if not os.path.lexists(file):
            continue
        if not overwrite:
            raise OutputError(f"{file}: already exists; {remedy}")
        whole_folder = chosen.is_folder and file == path
        if whole_folder and not (file / "saved_model.pb").exists():
            raise OutputError(
                f"{file}: is no SavedModel, so it is not replaced; name another --out"
            )
        if file.is_dir() and not whole_folder:
            raise OutputError(f"{file}: is a folder; name another --out")
    check_output_folder(path.parent, "name another --out")


def fingerprints(path: Path, chosen: Format) -> list[dict[str, Any]]:
    """Name, sha256 and bytes of each file of an export; in a folder, names below it."""
    from cvtool.models.saving import fingerprint

    if chosen.is_folder:
        found = sorted(file for file in path.rglob("*") if file.is_file())
        return [fingerprint(f) | {"file": f.relative_to(path).as_posix()} for f in found]
    return [fingerprint(path), *(fingerprint(path.with_suffix(e)) for e in chosen.companions)]


def put_in_place(
    made: Path, path: Path, chosen: Format, description: dict[str, Any], overwrite: bool
) -> None:
    """Copy what was made to where it belongs, the JSON last.

    Raises:
        OutputError: it cannot be written; what was there is as it was.
    """
    if chosen.is_folder:
        replace_folder(made, path, overwrite)
    else:
        with ExitStack() as stack:
            endings = (chosen.ending, *chosen.companions)
            for ending in endings:
                part = stack.enter_context(
                    whole_file(path.with_suffix(ending), overwrite=overwrite)
                )
                shutil.copyfile(made.with_suffix(ending), part)
    write_json(description_path(path), description, overwrite=overwrite)


def replace_folder(made: Path, path: Path, overwrite: bool) -> None:
    """Copy a folder beside its place and rename it there, over the SavedModel that is there.

    Raises:
        OutputError: it cannot be written.
    """
    mark = secrets.token_hex(4)
    part, old = (path.with_name(f".{path.stem[:40]}-{mark}.{kind}") for kind in ("part", "old"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(made, part)
        if os.path.lexists(path):
            if not overwrite:
                raise OutputError(f"{path}: already exists; use --overwrite")
            os.replace(path, old)
        os.replace(part, path)
    except OSError as error:
        if old.exists() and not path.exists():
            with suppress(OSError):
                os.replace(old, path)
        raise OutputError(
            f"{path}: cannot be written ({error.strerror or error}); name another --out"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
