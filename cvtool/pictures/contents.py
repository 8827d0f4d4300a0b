"""What a file is, told from its first bytes, so that an error can name it."""

from __future__ import annotations

HEAD_BYTES = 1024

PICTURE_SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".bmp",
        ".dib",
        ".tif",
        ".tiff",
        ".gif",
        ".avif",
        ".jp2",
        ".ppm",
        ".pgm",
        ".pnm",
    ]
)
VIDEO_SUFFIXES = frozenset(
    [
        ".mp4",
        ".m4v",
        ".mov",
        ".avi",
        ".mkv",
        ".webm",
        ".mpg",
        ".mpeg",
        ".wmv",
        ".flv",
        ".3gp",
        ".mts",
        ".m2ts",
        ".ogv",
    ]
)

_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")
_VIDEO_BRANDS = (b"isom", b"iso", b"mp4", b"M4V", b"qt  ", b"avc1", b"3gp", b"dash", b"MSNV")
_PICTURE_STARTS = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"BM",
    b"II*\x00",
    b"MM\x00*",
    b"II+\x00",
    b"MM\x00+",
    b"\x00\x00\x00\x0cjP  ",
    b"\xff\x4f\xff\x51",
)


def kind_of(head: bytes) -> str:
    """Name what a file that starts with `head` holds, in words for an error message.

    Args:
        head: the first bytes of the file; HEAD_BYTES of them are plenty.
    Returns:
        one of "picture", "video", "web page", "SVG drawing", "PDF document", "HEIC picture",
        "ZIP archive", "JSON text", "plain text", "empty file" or "unknown".
    """
    if not head:
        return "empty file"
    if head[:4] == b"RIFF":
        return {b"WEBP": "picture", b"AVI ": "video"}.get(head[8:12], "unknown")
    if head.startswith(_PICTURE_STARTS):
        return "picture"
    if head[4:8] == b"ftyp":
        brands = head[8:64]
        if any(brand in brands for brand in _AVIF_BRANDS):
            return "picture"
        if brands.startswith(_HEIF_BRANDS):
            return "HEIC picture"
        if brands.startswith(_VIDEO_BRANDS):
            return "video"
        return "unknown"
    if head.startswith((b"\x1aE\xdf\xa3", b"FLV\x01", b"\x00\x00\x01\xba", b"OggS")):
        return "video"
    if head.startswith(b"%PDF"):
        return "PDF document"
    if head.startswith(b"PK\x03\x04"):
        return "ZIP archive"
    return _kind_of_text(head)


def _kind_of_text(head: bytes) -> str:
    if b"\x00" in head:
        return "unknown"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if b"<svg" in start:
        return "SVG drawing"
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in start:
        return "web page"
    if start[:1] in (b"{", b"["):
        return "JSON text"
    # A cut through the last character of UTF-8 text is no reason to call it binary.
    printable = sum(byte >= 32 or byte in b"\t\r\n\f\b\x1b" for byte in head)
    return "plain text" if printable == len(head) and _is_utf8(head) else "unknown"


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.end == len(head) or error.start >= len(head) - 3
    return True


def remedy_for(kind: str) -> str:
    """Say what a picture file that turned out to be `kind` is, and what to do about it."""
    return {
        "empty file": "the file is empty; make or download it again",
        "video": "it holds a video; give the file a video's ending such as .mp4",
        "web page": "it holds a web page (HTML); save the picture itself, not the page around it",
        "SVG drawing": "it holds an SVG drawing; export it as PNG",
        "PDF document": "it holds a PDF document; export its pages as PNG",
        "HEIC picture": "it holds a HEIC picture, which cvtool cannot read; convert it to JPEG",
        "ZIP archive": "it holds a ZIP archive; unpack it and name what is inside",
        "JSON text": "it holds JSON text, not a picture; name a picture",
        "plain text": "it holds text, not a picture; name a picture",
    }.get(
        kind, "not a picture that cvtool can read; convert it to JPEG or PNG, or leave the file out"
    )
