"""Pieces of a self-contained HTML page, whatever it reports."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from cvtool.errors import PictureError
from cvtool.pictures.reading import read_picture

SHEET_SIDE = 1400

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%(title)s</title>
<style>
:root { color-scheme: light dark; --line: #8885; --bar: #4a88c4; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.3; margin-bottom: 0; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
.headline { font-size: 1.2rem; margin: 1rem 0 .5rem; }
.quiet { opacity: .7; font-size: .875rem; margin: .25rem 0; }
.wide { overflow-x: auto; }
.wide + .wide { margin-top: 1rem; }
code { white-space: nowrap; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .2rem 1rem .2rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: normal; }
th.number, td.number { text-align: right; white-space: nowrap; }
td.text { min-width: 7rem; overflow-wrap: anywhere; }
td.bar { width: 60%%; min-width: 8rem; }
.bar span { display: block; height: 1rem; margin-top: .25rem; background: var(--bar);
  border-radius: 2px; }
img { max-width: 100%%; height: auto; display: block; border-radius: 4px; }
.plot { background: #fff; }
.mistakes { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); }
figure { margin: 0; font-size: .875rem; break-inside: avoid; }
figure img { width: 100%%; aspect-ratio: 1; object-fit: contain; background: #8883; }
.pairs { grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); }
.pairs img { aspect-ratio: auto; }
pre { padding: .75rem; background: #8882; border-radius: 4px; white-space: pre-wrap; }
summary { cursor: pointer; margin: .5rem 0; }
</style>
</head>
<body>
%(body)s
</body>
</html>
"""


def section(title: str, content: str) -> str:
    """A part of the page under its title; nothing where there is no content."""
    return f"<section>\n<h2>{escaped(title)}</h2>\n{content}\n</section>" if content else ""


def data_table(head: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """A table whose first `texts` columns are words, the others numbers; cells are escaped."""
    kinds = ["text" if column < texts else "number" for column in range(len(head))]

    def line(tag: str, cells: Sequence[str]) -> str:
        pairs = zip(cells, kinds, strict=True)
        return f"<tr>{''.join(f'<{tag} class={k}>{escaped(c)}</{tag}>' for c, k in pairs)}</tr>"

    lines = "".join(line("td", row) for row in rows)
    return f'<div class="wide"><table>{line("th", head)}{lines}</table></div>'


def pairs(values: dict[str, Any]) -> str:
    """A table of names and values; nothing where there are none."""
    return (
        data_table(["name", "value"], [[k, plain_words(v)] for k, v in values.items()], 2)
        if values
        else ""
    )


def sentences_list(sentences: Sequence[str], ordered: bool = False) -> str:
    """Sentences as a list, with the options of commands marked."""
    tag = "ol" if ordered else "ul"
    items = "".join(f"<li>{options_marked(escaped(words))}</li>" for words in sentences)
    return f"<{tag}>{items}</{tag}>" if items else ""


def options_marked(html: str) -> str:
    """Keep options of the command, such as --weight-decay, from breaking at a line's end."""
    return re.sub(r"(?<![\w-])--[a-z][a-z-]*", r"<code>\g<0></code>", html)


def picture_file(path: Path | None, description: str, kind: str = "") -> str:
    """A picture file as part of the page; "" for none, a note where it cannot be read."""
    if path is None:
        return ""
    try:
        if kind != "plot":
            return image_tag(jpeg(path, SHEET_SIDE), "jpeg", description)
        return image_tag(png(path), "png", description, kind)
    except PictureError:
        return quiet(f"{path.name} could not be read.")


def jpeg(path: Path, side: int) -> bytes:
    """A picture file as JPEG, at most `side` pixels high and wide; raises PictureError."""
    from PIL import Image

    image = Image.fromarray(read_picture(path))
    image.thumbnail((side, side))
    stream = BytesIO()
    image.save(stream, "JPEG", quality=85)
    return stream.getvalue()


def png(path: Path) -> bytes:
    """A picture file as PNG, whole; raises PictureError."""
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(read_picture(path)).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def image_tag(data: bytes, subtype: str, description: str, kind: str = "") -> str:
    """A picture inside the page, "jpeg" or "png"."""
    source = f"data:image/{subtype};base64,{base64.b64encode(data).decode('ascii')}"
    return f'<img class="{kind}" src="{source}" alt="{escaped(description)}">'


def quiet(words: str) -> str:
    """A remark in small print."""
    return f'<p class="quiet">{escaped(words)}</p>'


def escaped(words: object) -> str:
    """Words as HTML shows them literally."""
    # Bytes of a file name that are no UTF-8 would make the whole page invalid.
    return escape(str(words).encode("utf-8", "replace").decode("utf-8"))


def percent(share: float) -> str:
    """A share in [0, 1], for example "93.1 %"."""
    return f"{100 * share:.1f} %"


def counted(number: int, one: str, many: str) -> str:
    """For example "1 class", "1,200 classes"."""
    return f"{number:,} {one if number == 1 else many}"


def duration(minutes: float) -> str:
    """For example "40 seconds", "12 minutes", "2.5 hours"."""
    if minutes < 1.5:
        return counted(max(1, round(60 * minutes)), "second", "seconds")
    if minutes < 90:
        return f"{round(minutes)} minutes"
    return f"{minutes / 60:.1f} hours"


def plain_words(value: Any) -> str:
    """A setting as a person reads it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(plain_words, value)) or "none"
    return str(value)
