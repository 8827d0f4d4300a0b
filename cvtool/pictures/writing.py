"""Result files, written whole or not at all, and never over the input."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np

from cvtool.errors import OutputError

# Colour is kept at full resolution in JPEG: halved, thin coloured lines turn to mud.
_ENCODERS: dict[str, tuple[str, dict[str, Any]]] = {
    ".jpg": ("JPEG", {"quality": 92, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 92, "subsampling": 0}),
    ".png": ("PNG", {"compress_level": 4}),
    ".webp": ("WEBP", {"quality": 92}),
    ".tif": ("TIFF", {"compression": "tiff_lzw"}),
    ".tiff": ("TIFF", {"compression": "tiff_lzw"}),
    ".bmp": ("BMP", {}),
}
WRITABLE_SUFFIXES = frozenset(_ENCODERS)
# Those of them whose pixels may be transparent.
_TRANSPARENT_SUFFIXES = frozenset([".png", ".webp", ".tif", ".tiff"])

# ImageDescription of EXIF and TIFF.
_DESCRIPTION_TAG = 0x010E


@contextmanager
def whole_file(
    path: str | Path, *, overwrite: bool = False, source: str | Path | None = None
) -> Iterator[Path]:
    """Lend a temporary file beside `path`; rename it to `path` when the block ends well.

    The temporary file exists, is empty, has the suffix of `path` and the access rights that the
    user's umask gives. Where the block raises, it is removed and `path` is as it was. Parent
    folders are made.

    Args:
        path: the file to be.
        overwrite: replace a file that is there.
        source: the input the result was made from; never replaced, even with `overwrite`.
    Yields:
        the path to write to.
    Raises:
        OutputError: `path` exists, is the input, or cannot be written.
    """
    path = Path(path)
    _refuse(path, overwrite, source)
    temporary = path.with_name(f".{path.stem[:40]}-{secrets.token_hex(4)}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileExistsError:
        raise OutputError(
            f"{path}: cannot be written ({path.parent} is a file); choose another output folder"
        ) from None
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from None
    try:
        yield temporary
        _put_in_place(temporary, path, overwrite)
    except BrokenPipeError:  # whoever reads stdout is gone; a file has no such error
        raise
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_picture(
    path: str | Path,
    pixels: np.ndarray,
    *,
    overwrite: bool = False,
    source: str | Path | None = None,
    description: str | None = None,
) -> None:
    """Write a picture in the format that the ending of `path` names.

    Args:
        path: ends in .jpg, .jpeg (quality 92), .png, .webp, .tif, .tiff or .bmp.
        pixels: uint8 array (H, W, 3) RGB, (H, W) grey, or in .png, .webp, .tif and .tiff also
            (H, W, 4) RGBA.
        overwrite, source: as for `whole_file`.
        description: ASCII, at most 65,000 characters, kept in the file: the text "Description"
            of a PNG, the EXIF tag ImageDescription of the others; a BMP has no place for it.
    Raises:
        OutputError: unknown ending, or as for `whole_file`.
        ValueError: pixels of another shape or type.
    """
    from PIL import Image

    path = Path(path)
    if pixels.dtype != np.uint8 or not (
        pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    ):
        raise ValueError(
            f"pixels must be uint8 (H, W, 3 or 4) or (H, W), not {pixels.dtype} {pixels.shape}"
        )
    file_format, options = _encoder(path)
    if pixels.shape[2:] == (4,) and path.suffix.lower() not in _TRANSPARENT_SUFFIXES:
        raise OutputError(f"{path}: {file_format} holds no transparency; write .png instead")
    image = Image.fromarray(np.ascontiguousarray(pixels))
    options = options | _described(file_format, description)
    with whole_file(path, overwrite=overwrite, source=source) as temporary:
        try:
            if file_format == "TIFF":
                # Straight to a full disk, libtiff says its own on stderr and nothing to Pillow.
                buffer = BytesIO()
                image.save(buffer, file_format, **options)
                temporary.write_bytes(buffer.getbuffer())
            else:
                image.save(temporary, file_format, **options)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            height, width = pixels.shape[:2]
            raise OutputError(
                f"{path}: {file_format} cannot hold {width} x {height} pixels "
                f"({' '.join(str(error).split())}); write .png or .tiff instead"
            ) from None


def write_png(stream: IO[bytes], pixels: np.ndarray, *, description: str | None = None) -> None:
    """Write a picture to an open stream as PNG; pixels and description as for `write_picture`."""
    from PIL import Image

    file_format, options = _ENCODERS[".png"]
    options = options | _described(file_format, description)
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, file_format, **options)


def write_text(
    path: str | Path, text: str, *, overwrite: bool = False, source: str | Path | None = None
) -> None:
    """Write text as UTF-8 with line ends as they are; arguments as for `whole_file`."""
    with whole_file(path, overwrite=overwrite, source=source) as temporary:
        # File names may hold bytes that are no UTF-8; they go out as they came in.
        temporary.write_bytes(text.encode("utf-8", "surrogateescape"))


def write_json(
    path: str | Path, value: Any, *, overwrite: bool = False, source: str | Path | None = None
) -> None:
    """Write `value` as JSON; NumPy numbers and arrays and paths in it are converted.

    Raises:
        OutputError: as for `whole_file`.
        ValueError, TypeError: NaN or infinity, or an object that JSON has no form for.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=_plain)
    write_text(path, text + "\n", overwrite=overwrite, source=source)


def same_file(first: str | Path, second: str | Path) -> bool:
    """Whether two paths lead to one file, through links and other spellings as well."""
    try:
        return os.path.samefile(first, second)
    except (OSError, ValueError):
        pass
    try:
        return Path(first).resolve() == Path(second).resolve()
    except (OSError, ValueError, RuntimeError):
        return False


def free_name(path: Path) -> Path:
    """The path itself, or where that is taken "name-2.jpg", "name-3.jpg" ... beside it."""
    free, number = path, 1
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free


def check_output_folder(folder: Path, remedy: str) -> None:
    """Refuse a folder that no file can be made in, or that cannot be made.

    Leaves nothing behind: of a folder that is not there yet, the nearest one above is tried.

    Args:
        folder: where results are to go.
        remedy: what to do if they cannot, for example "name another --out".
    Raises:
        OutputError: naming the folder.
    """
    if str(folder) == "-":
        raise OutputError(f"-: stdout is no folder; {remedy}")
    existing = folder.absolute()
    while not os.path.lexists(existing) and existing != existing.parent:
        existing = existing.parent
    try:
        # Tried, not asked: access rights say nothing of read-only and virtual file systems.
        with TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); {remedy}") from None


def check_suffix(path: str | Path) -> None:
    """Refuse a picture's output path of unknown ending, before any work is done for it.

    Raises:
        OutputError: naming the known endings.
    """
    _encoder(Path(path))


def _encoder(path: Path) -> tuple[str, dict[str, Any]]:
    encoder = _ENCODERS.get(path.suffix.lower())
    if encoder is None:
        known = ", ".join(_ENCODERS)
        what = f"ending {path.suffix}" if path.suffix else "a name without an ending"
        raise OutputError(f"{path}: cannot write a picture with {what}; use one of {known}")
    return encoder


def _described(file_format: str, description: str | None) -> dict[str, Any]:
    """The encoder's options that keep a description in the file."""
    if description is None or file_format == "BMP":
        return {}
    if file_format == "PNG":
        from PIL.PngImagePlugin import PngInfo

        text = PngInfo()
        text.add_text("Description", description)
        return {"pnginfo": text}
    from PIL import Image

    exif = Image.Exif()
    exif[_DESCRIPTION_TAG] = description
    return {"exif": exif}


def _refuse(path: Path, overwrite: bool, source: str | Path | None) -> None:
    if source is not None and same_file(path, source):
        raise OutputError(
            f"{path}: is the input itself, which is never overwritten; choose another output"
        )
    try:
        exists = path.exists() or path.is_symlink()
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from None
    if not exists:
        return
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file for the output")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path}: is a device, not a file; name a file for the output")
    if not overwrite:
        raise OutputError(f"{path}: already exists; use --overwrite or choose another output")


def _put_in_place(temporary: Path, path: Path, overwrite: bool) -> None:
    if overwrite:
        os.replace(temporary, path)
        return
    # A file that appeared meanwhile is not replaced: a hard link fails where the name is taken.
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise OutputError(
            f"{path}: already exists; use --overwrite or choose another output"
        ) from None
    except (OSError, NotImplementedError, AttributeError):  # a file system without hard links
        _refuse(path, overwrite, None)
        os.replace(temporary, path)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _unwritable(path: Path, error: Exception) -> OutputError:
    reason = getattr(error, "strerror", None) or str(error)
    return OutputError(f"{path}: cannot be written ({reason}); choose another output folder")
