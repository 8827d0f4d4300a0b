"""A gallery of known faces: one SQLite file with the embeddings of people.

Whole or not at all: a new gallery is made beside its place and moved there, and every change is
one transaction, so that two programs may enroll at once and a failure leaves what was there.
"""

from __future__ import annotations

import hashlib
import io
import os
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cvtool import __version__
from cvtool.errors import GalleryError, OutputError
from cvtool.faces.gallery_file import create_tables, open_gallery
from cvtool.faces.gallery_rows import (
    check_names,
    check_places,
    embedding_matrix,
    insert_faces,
    meta_row,
    now,
)
from cvtool.faces.known_faces import KnownFaces
from cvtool.faces.mtcnn import Face
from cvtool.faces.names import checked_name, kept_name, nobody
from cvtool.pictures.writing import check_output_folder, whole_file


@dataclass(frozen=True, slots=True)
class Maker:
    """What embeddings were made by; only those of the same weights can be compared.

    Attributes:
        model: its name.
        weights: sha256 of its weights, 64 hexadecimal digits.
        dimensions: numbers of an embedding.
    """

    model: str
    weights: str
    dimensions: int

    @classmethod
    def of(cls, verifier) -> Maker:
        """The model of a `faces.verifier.Verifier`."""
        weights = verifier.preset.files["weights"].sha256
        return cls(verifier.model_name, weights, verifier.dimensions)


@dataclass(frozen=True, slots=True, eq=False)
class NewFace:
    """A face to enroll; `new_face` makes one of a picture.

    Attributes:
        embedding: float32 (dimensions,) of length 1.
        picture: the picture's file name, without its folder.
        box: x1, y1, x2, y2 in pixels of the picture.
        pixels: sha256 of the picture's pixels, hexadecimal.
        portrait: the aligned face as PNG, to be kept in the gallery; None keeps none.
    """

    embedding: np.ndarray
    picture: str
    box: tuple[float, float, float, float]
    pixels: str
    portrait: bytes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EnrolledFace:
    """A face of a gallery: whose it is, and the rest as in `NewFace`; when, in ISO 8601, UTC."""

    name: str
    embedding: np.ndarray
    picture: str
    box: tuple[float, float, float, float]
    enrolled: str


@dataclass(frozen=True, slots=True)
class Person:
    """Someone in a gallery: how many faces, and of how many the picture is kept."""

    name: str
    faces: int
    kept: int


def new_face(verifier, pixels, face: Face, picture: str, *, keep: bool = False) -> NewFace:
    """Make a face of a picture ready to enroll.

    Args:
        verifier: a `faces.verifier.Verifier`.
        pixels: uint8 RGB (H, W, 3), the whole picture.
        face: one that `verifier.find` found in it.
        picture: its file name.
        keep: put the aligned face into the gallery too.
    """
    aligned = verifier.align(pixels, face)
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels))
    embedding = verifier.embed([aligned])[0]
    box = tuple(float(value) for value in face.box)
    return NewFace(embedding, picture, box, digest.hexdigest(), _png(aligned) if keep else None)


class Gallery:
    """A gallery file. Nothing is opened, or made, before a method needs it.

    All methods raise GalleryError where the file is missing, damaged, no gallery, or in use by
    another program for 30 seconds; it is then as it was.

    Args:
        path: of the file; any name.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)

    def exists(self) -> bool:
        """Whether something is at the path."""
        return os.path.lexists(self.path)

    def maker(self) -> Maker:
        """The model that its embeddings were made by."""
        with open_gallery(self.path) as connection:
            return self._maker(connection)

    def check_writable(self) -> None:
        """Refuse a gallery that nothing can be added to, before any work is done for it.

        Raises:
            OutputError: its folder cannot be written.
            GalleryError: the file cannot.
        """
        folder = Path(os.path.realpath(self.path)).parent
        check_output_folder(folder, "keep the gallery in another one")
        if self.exists():
            with open_gallery(self.path) as connection:
                connection.execute("BEGIN IMMEDIATE")  # undone at the end of the block

    def check_maker(self, maker: Maker) -> None:
        """Refuse another model than the gallery's own.

        Raises:
            GalleryError: saying which it was made by, and how to enroll again.
        """
        with open_gallery(self.path) as connection:
            self._refuse_other(connection, maker)

    def add(self, people: Mapping[str, Sequence[NewFace]], maker: Maker) -> dict[str, list[bool]]:
        """Enroll faces, all or none; makes the gallery if there is none.

        Args:
            people: by name, the faces of each; without a face, nothing is made.
            maker: of the embeddings.
        Returns:
            by the name as kept, for each face whether it is new: False where the same picture is
            enrolled for that person already, which then is left as it was.
        Raises:
            OptionError: see `names.checked_name`.
            GalleryError: made by another model.
            OutputError: a new gallery cannot be written.
        """
        entries: dict[str, list[NewFace]] = {}
        for name, faces in people.items():
            if faces:
                entries.setdefault(checked_name(name), []).extend(faces)
        if not entries:
            return {}
        if not self.exists():
            try:
                return self._create(entries, maker)
            except OutputError:
                # Another program may have made it meanwhile.
                if not self.exists():
                    raise
        with open_gallery(self.path) as connection:
            connection.execute("BEGIN IMMEDIATE")
            self._refuse_other(connection, maker)
            added = insert_faces(connection, entries, maker.dimensions)
            connection.execute("COMMIT")
        return added

    def remove(self, name: str) -> int:
        """Remove a person with all faces and pictures; returns how many faces there were.

        Raises:
            OptionError: see `names.kept_name`.
            GalleryError: nobody of that name; the message offers the nearest.
        """
        name = kept_name(name)
        with open_gallery(self.path) as connection:
            connection.execute("BEGIN IMMEDIATE")
            query = "SELECT count(*) FROM faces JOIN people ON people.id = person WHERE name = ?"
            (faces,) = connection.execute(query, (name,)).fetchone()
            if not connection.execute("DELETE FROM people WHERE name = ?", (name,)).rowcount:
                names = [row[0] for row in connection.execute("SELECT name FROM people")]
                check_names(self.path, names)
                raise GalleryError(f"{self.path}: {nobody(name, names)}")
            connection.execute("COMMIT")
        return faces

    def people(self) -> list[Person]:
        """Everyone in it, by name."""
        query = """SELECT name, count(faces.id), count(face) FROM people
            JOIN faces ON person = people.id LEFT JOIN portraits ON face = faces.id
            GROUP BY people.id ORDER BY name"""
        with open_gallery(self.path) as connection:
            people = [Person(*row) for row in connection.execute(query)]
        check_names(self.path, [person.name for person in people])
        return people

    def made(self) -> tuple[str, str]:
        """The version of cvtool that made it, and when, in ISO 8601, UTC."""
        with open_gallery(self.path) as connection:
            return meta_row(connection, self.path)[3:]

    def faces(self) -> list[EnrolledFace]:
        """All faces, those of a person together, as they were enrolled."""
        query = """SELECT name, embedding, picture, x1, y1, x2, y2, enrolled FROM faces
            JOIN people ON people.id = person ORDER BY person, faces.id"""
        with open_gallery(self.path) as connection:
            dimensions = self._maker(connection).dimensions
            rows = connection.execute(query).fetchall()
        check_names(self.path, [row[0] for row in rows])
        check_places(self.path, [row[2:] for row in rows])
        embeddings = embedding_matrix(self.path, [row[1] for row in rows], dimensions)
        return [
            EnrolledFace(name, embedding, picture, tuple(box), enrolled)
            for embedding, (name, _, picture, *box, enrolled) in zip(embeddings, rows, strict=True)
        ]

    def known_faces(self) -> KnownFaces:
        """All embeddings in one matrix, to search in."""
        with open_gallery(self.path) as connection:
            dimensions = self._maker(connection).dimensions
            names = dict(connection.execute("SELECT id, name FROM people"))
            query = "SELECT person, embedding FROM faces JOIN people ON people.id = person"
            rows = connection.execute(query).fetchall()
        check_names(self.path, names.values())
        embeddings = embedding_matrix(self.path, [row[1] for row in rows], dimensions)
        people = np.array([row[0] for row in rows], np.int64)
        order = np.argsort(people, kind="stable")
        ids, starts = np.unique(people[order], return_index=True)
        return KnownFaces(tuple(names[i] for i in ids.tolist()), embeddings[order], starts)

    def _maker(self, connection: sqlite3.Connection) -> Maker:
        return Maker(*meta_row(connection, self.path)[:3])

    def _create(self, entries, maker: Maker) -> dict[str, list[bool]]:
        with (
            whole_file(self.path) as temporary,
            create_tables(temporary, self.path) as connection,
        ):
            row = (maker.model, maker.weights, maker.dimensions, __version__, now())
            connection.execute("INSERT INTO meta VALUES (?, ?, ?, ?, ?)", row)
            return insert_faces(connection, entries, maker.dimensions)

    def _refuse_other(self, connection: sqlite3.Connection, maker: Maker) -> None:
        own = self._maker(connection)
        # Not by name: a model with thresholds of its own has the same weights.
        if (own.weights, own.dimensions) != (maker.weights, maker.dimensions):
            raise GalleryError(
                f'{self.path}: made by model "{own.model}" (weights {own.weights[:8]}), not by '
                f'"{maker.model}" ({maker.weights[:8]}); give that one as --model, or enroll the '
                "pictures again into another gallery: cvtool faces enroll OTHER NAME PICTURES"
            )


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
