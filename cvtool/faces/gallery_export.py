"""Write a gallery's embeddings to files that other programs read."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np

from cvtool.errors import OptionError
from cvtool.faces.gallery import Gallery
from cvtool.pictures.writing import whole_file, write_text

SUFFIXES = (".npz", ".json", ".csv")


def export_gallery(gallery: Gallery, path: str | Path, *, overwrite: bool = False) -> int:
    """Write all faces of a gallery but their pictures; returns how many.

    Args:
        gallery: to read.
        path: its ending names the format. .npz: NumPy arrays "embeddings" float32
            (N, dimensions), "names", "pictures" (N,), "boxes" (N, 4), "model", "weights".
            .json: an object with "model", "weights", "dimensions" and "faces", a list. .csv: a
            line a face; a text that spreadsheets would take for a formula follows an apostrophe.
        overwrite: replace a file that is there; never the gallery itself.
    Raises:
        OptionError: another ending.
        GalleryError: as for `Gallery`.
        OutputError: the file cannot be written.
    """
    path = Path(path)
    suffix = check_export_suffix(path)
    maker, faces = gallery.maker(), gallery.faces()
    options = {"overwrite": overwrite, "source": gallery.path}
    if suffix == ".npz":
        arrays = {
            "embeddings": np.array([f.embedding for f in faces], np.float32).reshape(
                len(faces), maker.dimensions
            ),
            "names": np.array([face.name for face in faces], str),
            "pictures": np.array([face.picture for face in faces], str),
            "boxes": np.array([face.box for face in faces], np.float32).reshape(-1, 4),
            "model": np.array(maker.model),
            "weights": np.array(maker.weights),
        }
        with whole_file(path, **options) as temporary:
            np.savez(temporary, **arrays)
    elif suffix == ".json":
        whole = {
            "model": maker.model,
            "weights": maker.weights,
            "dimensions": maker.dimensions,
            "faces": [
                {
                    "name": face.name,
                    "picture": face.picture,
                    "box": list(face.box),
                    "enrolled": face.enrolled,
                    "embedding": face.embedding.tolist(),
                }
                for face in faces
            ],
        }
        write_text(path, json.dumps(whole, ensure_ascii=False) + "\n", **options)
    else:
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        numbers = [f"e{number}" for number in range(maker.dimensions)]
        table.writerow(["name", "picture", "enrolled", "x1", "y1", "x2", "y2", *numbers])
        for face in faces:
            texts = [no_formula(text) for text in (face.name, face.picture, face.enrolled)]
            table.writerow([*texts, *face.box, *face.embedding.tolist()])
        write_text(path, text.getvalue(), **options)
    return len(faces)


def no_formula(text: str) -> str:
    """A text that no spreadsheet takes for a formula, with an apostrophe before it if it would."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def check_export_suffix(path: Path) -> str:
    """The ending of a file to export to, in lower case.

    Raises:
        OptionError: no format has it.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise OptionError(f"{path}: no format to export to; end it in {', '.join(SUFFIXES)}")
    return suffix
