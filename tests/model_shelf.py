"""A small catalogue for tests: presets of its own, a server with their files, an empty cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cvtool.models.presets import FORMAT
from cvtool.models.saving import fingerprint
from file_server import FileServer, serve

CONTENTS = {"tiny.cfg": b"[net]\n", "tiny.weights": b"\1\2\3" * 5000}
NAMES = ["cat", "dog"]


@dataclass
class Shelf:
    """What a test sees.

    Attributes:
        server: has the files of "tiny".
        cache: the cache folder.
        pretrained: the folder with presets.json; ships "ours", lists "tiny" to download.
        converted: the names of the models that were converted so far.
    """

    server: FileServer
    cache: Path
    pretrained: Path
    converted: list[str]


def write_model(folder: Path, name: str, **changes) -> dict:
    """Write a detector's model.json, with files of random content, and return the entry."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for kind, ending in (("litert", "tflite"), ("weights", "weights.h5")):
        path = folder / f"{name}.{ending}"
        path.write_bytes(f"{kind} of {name}".encode() * 100)
        files[kind] = fingerprint(path)
    entry = {
        "format": FORMAT,
        "name": name,
        "task": "detect",
        "description": "a small model",
        "size": 64,
        "classes": NAMES,
        "anchors": [[[8, 8]]],
        "strides": [8],
        "files": files,
    }
    entry |= changes
    (folder / "model.json").write_text(json.dumps(entry))
    return entry


def pretend_to_import(converted):
    """In place of `import_darknet`: needs no Keras, and writes what it was given."""

    def import_darknet(configuration, weights, folder, *, name, classes, description):
        converted.append(name)
        assert Path(configuration).exists() and Path(weights).exists()
        return write_model(Path(folder), name, classes=list(classes), **description)

    return import_darknet


@contextmanager
def a_shelf(folder: Path) -> Iterator[Shelf]:
    """Make one, in place of the presets that ship and of the user's cache."""
    with (
        serve({f"/{name}": content for name, content in CONTENTS.items()}) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        shelf = Shelf(server, folder / "cache", folder / "pretrained", [])
        ours = write_model(shelf.pretrained, "ours", licence="Apache-2.0")
        (shelf.pretrained / "model.json").unlink()
        files = {
            kind: {
                "url": f"{server.url}/{name}",
                "sha256": hashlib.sha256(CONTENTS[name]).hexdigest(),
                "bytes": len(CONTENTS[name]),
            }
            for kind, name in (("configuration", "tiny.cfg"), ("weights", "tiny.weights"))
        }
        tiny = {
            "task": "detect",
            "description": "to be downloaded",
            "size": 64,
            "classes": NAMES,
            "licence": "public domain",
            "scores": {"dataset": "a set", "mAP50": 0.5},
            "source": {"format": "darknet", "files": files},
        }
        presets = {"ours": ours, "tiny": tiny}
        (shelf.pretrained / "presets.json").write_text(json.dumps(presets))
        patch.setenv("CVTOOL_CACHE", str(shelf.cache))
        for name in ("CVTOOL_OFFLINE", "CVTOOL_MIRROR"):
            patch.delenv(name, raising=False)
        patch.setattr("cvtool.models.presets.pretrained_folder", lambda: shelf.pretrained)
        patch.setattr("cvtool.models.catalogue.pretrained_folder", lambda: shelf.pretrained)
        convert = pretend_to_import(shelf.converted)
        patch.setattr("cvtool.models.pulling._import_darknet", lambda: convert)
        patch.setattr("cvtool.models.downloads.PAUSES", (0, 0, 0))
        yield shelf
