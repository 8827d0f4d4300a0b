"""The file of a gallery: an SQLite file of cvtool's, opened with care."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cvtool.errors import GalleryError

# In the head of an SQLite file: whose it is, and in which form.
APPLICATION_ID = 0x63764661
VERSION = 1
_MAGIC = b"SQLite format 3\0"
_VERSION_AT, _APPLICATION_AT, _HEAD_BYTES = 60, 68, 100
# How long to wait for another program that writes.
BUSY_SECONDS = 30.0

_TABLES = (
    """CREATE TABLE meta (
        model TEXT NOT NULL,
        weights TEXT NOT NULL,
        dimensions INTEGER NOT NULL,
        cvtool TEXT NOT NULL,
        created TEXT NOT NULL)""",
    "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    """CREATE TABLE faces (
        id INTEGER PRIMARY KEY,
        person INTEGER NOT NULL REFERENCES people (id) ON DELETE CASCADE,
        embedding BLOB NOT NULL,
        picture TEXT NOT NULL,
        x1 REAL NOT NULL, y1 REAL NOT NULL, x2 REAL NOT NULL, y2 REAL NOT NULL,
        pixels TEXT NOT NULL,
        enrolled TEXT NOT NULL,
        UNIQUE (person, pixels))""",
    # By itself, so that nobody who looks for embeddings has to read past pictures.
    """CREATE TABLE portraits (
        face INTEGER PRIMARY KEY REFERENCES faces (id) ON DELETE CASCADE,
        png BLOB NOT NULL)""",
)
# Those that are read through before a gallery is used.
_CHECKED = ("meta", "people", "faces")
# What was removed is overwritten, for embeddings are personal data; and a file from elsewhere
# must not run anything.
_SETTINGS = ("secure_delete = ON", "foreign_keys = ON", "trusted_schema = OFF")


@contextmanager
def open_gallery(path: Path) -> Iterator[sqlite3.Connection]:
    """Lend a connection to a gallery, seen to be one and undamaged.

    Each statement is by itself, unless it follows BEGIN; what is not committed at the end of the
    block is undone.

    Raises:
        GalleryError: missing, damaged, no gallery, or in use by another program for 30 seconds.
    """
    # Before SQLite, which may write to what it opens.
    _check_head(path)
    with _connection(path, path) as connection:
        for table in _CHECKED:
            for (answer,) in connection.execute(f"PRAGMA quick_check({table})"):
                if answer != "ok":
                    raise damaged(path, answer)
        yield connection


@contextmanager
def create_tables(path: Path, called: Path) -> Iterator[sqlite3.Connection]:
    """Lend a connection to a new gallery, in a transaction that ends with the block.

    Args:
        path: an empty file.
        called: what the gallery is called in errors.
    """
    with _connection(path, called) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("BEGIN IMMEDIATE")
        for table in _TABLES:
            connection.execute(table)
        yield connection
        connection.execute("COMMIT")


def damaged(path: Path, reason: str) -> GalleryError:
    """The error of a gallery that does not hold what it should."""
    # What SQLite finds is told over several lines.
    reason = " ".join(reason.split())
    return GalleryError(
        f"{path}: damaged ({reason}), left as it is; take a copy that is not, or enroll the "
        "pictures again into another gallery"
    )


def is_gallery(path: Path) -> bool:
    """Whether a file looks like a gallery; of any version, and perhaps damaged."""
    try:
        _check_head(path)
    except GalleryError:
        return False
    return True


def _check_head(path: Path) -> None:
    # To open a named pipe would wait for somebody who writes to it.
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise GalleryError(f"{path}: no gallery but a pipe or a device; name a gallery's file")
    try:
        with open(path, "rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except FileNotFoundError:
        if path.is_symlink():
            raise GalleryError(
                f"{path}: is a link to {path.readlink()}, which is not there; remove the link, or "
                "put the gallery there"
            ) from None
        raise GalleryError(
            f"{path}: no such gallery; make one with: cvtool faces enroll GALLERY NAME PICTURES"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise GalleryError(f"{path}: cannot be read ({reason}); name a gallery's file") from None
    version, application = (
        int.from_bytes(head[at : at + 4], "big") for at in (_VERSION_AT, _APPLICATION_AT)
    )
    if not head.startswith(_MAGIC) or application != APPLICATION_ID:
        what = "another program's SQLite file" if head.startswith(_MAGIC) else "another file"
        raise GalleryError(
            f"{path}: no gallery but {what if head else 'an empty file'}; the gallery is named "
            "first, before names and pictures"
        )
    if version != VERSION:
        raise GalleryError(f"{path}: written by a newer cvtool; update cvtool to use this gallery")


@contextmanager
def _connection(path: Path, called: Path) -> Iterator[sqlite3.Connection]:
    # Never made by opening it: it may have gone meanwhile.
    address = f"{path.absolute().as_uri()}?mode=rw"
    try:
        with closing(
            sqlite3.connect(address, BUSY_SECONDS, isolation_level=None, uri=True)
        ) as connection:
            for setting in _SETTINGS:
                connection.execute(f"PRAGMA {setting}")
            yield connection
    except sqlite3.DatabaseError as error:
        raise _explained(called, error) from error
    except UnicodeDecodeError as error:
        # In what SQLite itself says of a damaged file.
        raise damaged(called, "text that is no UTF-8") from error


def _explained(path: Path, error: sqlite3.DatabaseError) -> GalleryError:
    """What an error of SQLite means to the user."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return GalleryError(
            f"{path}: another program has been writing for {BUSY_SECONDS:.0f} seconds; try again"
        )
    outside = ("FULL", "IOERR", "READONLY", "CANTOPEN", "PERM")
    if code in [getattr(sqlite3, f"SQLITE_{name}") for name in outside]:
        return GalleryError(f"{path}: cannot be used ({error}); check space and access rights")
    return damaged(path, str(error))
