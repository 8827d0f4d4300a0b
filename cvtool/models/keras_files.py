"""Read a user's .keras file, and run none of the code that could be in it.

A .keras file is a zip archive with config.json, which names the layers, and an HDF5 file of
weights. A Lambda layer holds compiled Python, and a layer that is not Keras's own names a
module to import: both are refused before Keras sees the file, as is what makes its parts come
from elsewhere.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtool.errors import ModelError
from cvtool.tensorflow_import import import_tensorflow

if TYPE_CHECKING:
    import keras

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
ENTRIES = {"metadata.json", CONFIG, WEIGHTS}
# A description of layers is text of some kilobytes each.
MOST_CONFIG_BYTES = 64_000_000
# Floats hardly shrink, so a tiny file of a huge network is a trap.
MOST_SHRINKING, MOST_OF_A_TINY_FILE = 100, 100_000_000
# Where Keras keeps what networks are made of, and not what reads, writes and downloads.
PARTS = re.compile(
    r"keras|keras(\.src)?\.(layers|models|ops|random|activations|initializers|regularizers"
    r"|constraints|quantizers|dtype_policies|optimizers|losses|metrics)(\..+)?"
)
# Layers of Keras that run what a file brings along.
RUNS_CODE = {
    "Lambda": "it holds Python code",
    "__lambda__": "it holds Python code",
    "function": "it names a function to import",
    "TFSMLayer": "it loads another file",
    "TorchModuleWrapper": "it holds pickled code",
    "FlaxLayer": "it holds Python code",
    "JaxLayer": "it holds Python code",
}
REMEDY = "save the model without it"


def load_keras_file(path: str | Path) -> keras.Model:
    """The network in a .keras file, not compiled.

    Args:
        path: the file, as `keras.Model.save` writes it.
    Raises:
        ModelError: it cannot be read, is something else, or holds code; the message says which
            layer.
    """
    path = Path(path)
    check_keras_file(path)
    import_tensorflow()
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        # Of any kind: a config may have any value anywhere.
        raise ModelError(
            f"{path}: Keras cannot load it ({_first_line(error)}); save it again with Keras 3"
        ) from None


def check_keras_file(path: str | Path) -> None:
    """See that a file is a .keras archive without code; loads nothing.

    Raises:
        ModelError: it is not.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            _check_entries(path, archive)
            config = json.loads(archive.read(CONFIG))
            with archive.open(WEIGHTS) as weights:
                _check_weights(path, weights)
    except zipfile.BadZipFile:
        raise ModelError(
            f"{path}: not a .keras file, which is a zip archive; save the model with "
            'model.save("NAME.keras")'
        ) from None
    except OSError as error:
        reason = error.strerror or _first_line(error)
        raise ModelError(f"{path}: cannot be read ({reason}); give another file") from None
    except (ValueError, RuntimeError, NotImplementedError) as error:
        raise ModelError(f"{path}: damaged ({_first_line(error)}); save it again") from None
    _check_config(path, config)


def _check_entries(path: Path, archive: zipfile.ZipFile) -> None:
    names = [entry.filename for entry in archive.infolist()]
    for needed in (CONFIG, WEIGHTS):
        if needed not in names:
            raise ModelError(f"{path}: no {needed} in it, so not a .keras file of Keras 3")
    if len(set(names)) != len(names):
        raise ModelError(f"{path}: holds a file twice; refused, save the model again")
    strange = [name for name in names if name not in ENTRIES]
    if strange:
        raise ModelError(
            f'{path}: holds "{strange[0]}", which a network of plain layers has no use for; refused'
        )
    unpacked = sum(entry.file_size for entry in archive.infolist())
    packed = path.stat().st_size  # Not what the entries say of themselves.
    config_bytes = archive.getinfo(CONFIG).file_size
    if config_bytes > MOST_CONFIG_BYTES or _shrinks_too_well(unpacked, packed):
        raise ModelError(
            f"{path}: unpacks from {packed:,} to {unpacked:,} bytes; refused, no network does"
        )


def _shrinks_too_well(unpacked: int, packed: int) -> bool:
    return unpacked > max(MOST_SHRINKING * packed, MOST_OF_A_TINY_FILE)


def _check_weights(path: Path, stream: Any) -> None:
    """HDF5 can point to other files on the disk, and be far larger than what is stored of it."""
    import h5py

    def outside(group: h5py.Group) -> bool:
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                return True
            item = group[name]
            if isinstance(item, h5py.Group) and outside(item):
                return True
            if isinstance(item, h5py.Dataset):
                if item.external or item.is_virtual:
                    return True
                if _shrinks_too_well(item.nbytes, item.id.get_storage_size()):
                    raise ModelError(
                        f"{path}: its weights unpack to {item.nbytes:,} bytes; refused, no "
                        "network's do"
                    )
        return False

    with h5py.File(stream, "r") as file:
        if outside(file):
            raise ModelError(f"{path}: its weights point to other files; refused")


def _check_config(path: Path, config: Any) -> None:
    if isinstance(config, dict):
        # How the whole was trained is not loaded; of a network within it, it is.
        config = {key: value for key, value in config.items() if key != "compile_config"}
    for part in _objects(config):
        kind, module = part.get("class_name"), part.get("module")
        if not isinstance(kind, str):
            continue
        inner = part.get("config")
        name = inner.get("name") if isinstance(inner, dict) else None
        named = f'layer "{name}" ({kind})' if name else f'"{kind}"'
        if kind in RUNS_CODE:
            raise ModelError(
                f"{path}: {named} is refused: {RUNS_CODE[kind]}, which cvtool does not run; "
                + REMEDY
            )
        foreign = isinstance(module, str) and not PARTS.fullmatch(module)
        # Layers are classes; by its name Keras would take a function for one.
        foreign = foreign or kind[:1].islower()
        if foreign or (part.get("registered_name") or kind).partition(">")[1]:
            raise ModelError(
                f"{path}: {named} is not one of Keras's own and needs code that is not in the "
                f"file; refused, {REMEDY}"
            )


def _objects(value: Any) -> Iterator[dict]:
    """Every JSON object inside a value; without recursion, for depth is the file's choice."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
