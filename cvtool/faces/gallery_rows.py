"""The rows of a gallery's tables: written, and seen to hold what they should when read.

A gallery may come from elsewhere, and SQLite lets a column hold anything.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from cvtool.faces.gallery_file import damaged
from cvtool.faces.names import is_one_line

# How much the square of an embedding's length may differ from 1 by rounding.
_LENGTH_TOLERANCE = 1e-3


def insert_faces(
    connection: sqlite3.Connection, people: Mapping[str, Sequence], dimensions: int
) -> dict[str, list[bool]]:
    """Insert faces within a transaction.

    Args:
        connection: to a gallery.
        people: by name as kept, `gallery.NewFace`s.
        dimensions: of an embedding.
    Returns:
        see `gallery.Gallery.add`.
    """
    insert = """INSERT INTO faces
        (person, embedding, picture, x1, y1, x2, y2, pixels, enrolled)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (person, pixels) DO NOTHING"""
    added: dict[str, list[bool]] = {}
    time = now()
    for name, faces in people.items():
        added[name] = []
        connection.execute("INSERT INTO people (name) VALUES (?) ON CONFLICT DO NOTHING", (name,))
        query = "SELECT id FROM people WHERE name = ?"
        (person,) = connection.execute(query, (name,)).fetchone()
        for face in faces:
            if face.embedding.shape != (dimensions,):
                raise ValueError(f"embedding {face.embedding.shape}, not ({dimensions},)")
            embedding = face.embedding.astype("<f4").tobytes()
            # Names of files may hold bytes that are no UTF-8.
            picture = face.picture.encode("utf-8", "backslashreplace").decode()
            row = (person, embedding, picture, *face.box, face.pixels, time)
            cursor = connection.execute(insert, row)
            added[name].append(cursor.rowcount == 1)
            if added[name][-1] and face.portrait is not None:
                portrait = (cursor.lastrowid, face.portrait)
                connection.execute("INSERT INTO portraits VALUES (?, ?)", portrait)
    return added


def meta_row(connection: sqlite3.Connection, path: Path) -> tuple[str, str, int, str, str]:
    """Model, weights, dimensions, version of cvtool and time of making.

    Raises:
        GalleryError: they are not there.
    """
    query = "SELECT model, weights, dimensions, cvtool, created FROM meta"
    rows = connection.execute(query).fetchall()
    kinds = [str, str, int, str, str]
    if len(rows) != 1 or [type(value) for value in rows[0]] != kinds or rows[0][2] < 1:
        raise damaged(path, "it does not say by which model it was made")
    return rows[0]


def check_names(path: Path, names: Iterable[object]) -> None:
    """Refuse people's names that are none.

    Raises:
        GalleryError: naming the gallery.
    """
    if not all(is_one_line(name) for name in names):
        raise damaged(path, "a name that is none")


def check_places(path: Path, rows: Iterable[Sequence]) -> None:
    """Refuse what is no picture's name, box and time of enrolment.

    Args:
        path: of the gallery.
        rows: picture, x1, y1, x2, y2, enrolled.
    Raises:
        GalleryError: naming the gallery.
    """
    for picture, *box, enrolled in rows:
        texts = isinstance(picture, str) and isinstance(enrolled, str)
        if not texts or not all(isinstance(v, float) and math.isfinite(v) for v in box):
            raise damaged(path, "a face that does not say of which picture it is")


def embedding_matrix(path: Path, blobs: Sequence[bytes], dimensions: int) -> np.ndarray:
    """Embeddings as float32 (N, dimensions), seen to be of length 1.

    Raises:
        GalleryError: they are not; naming the gallery.
    """
    if any(type(blob) is not bytes or len(blob) != 4 * dimensions for blob in blobs):
        raise damaged(path, "an embedding of another length")
    matrix = np.frombuffer(b"".join(blobs), "<f4").astype(np.float32, copy=False)
    matrix = matrix.reshape(-1, dimensions)
    lengths = np.einsum("ij,ij->i", matrix, matrix)
    # Not the other way round, for comparisons with NaN are false.
    if not (np.abs(lengths - 1) < _LENGTH_TOLERANCE).all():
        raise damaged(path, "an embedding that is none")
    return matrix


def now() -> str:
    """The time as a gallery keeps it: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
