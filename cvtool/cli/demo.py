"""`cvtool demo`: the default models on photographs that everybody may use."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Annotated, Any

import typer

from cvtool.cli.options import DeviceOption, OverwriteOption
from cvtool.errors import CvtoolError

# Function of skimage.data, title, and who made the picture. All lie inside scikit-image's
# wheel, so that no network is needed.
PHOTOGRAPHS = (
    ("astronaut", "Astronaut", "Eileen Collins, by NASA; public domain"),
    ("chelsea", "Cat", "Chelsea, by Stefan van der Walt; CC0"),
    ("camera", "Photographer", "by Lav Varshney; CC0"),
    ("coffee", "Coffee", "by Rachel Michetti; CC0"),
    ("rocket", "Rocket, of no class the model knows", "by SpaceX; public domain"),
)

DEFAULT_OUT = Path("demo")

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>cvtool demo</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; }
h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
.pair img { width: 100%%; height: auto; display: block; border-radius: 4px; }
p.found { margin: .5rem 0 0; }
.quiet { opacity: .65; font-size: .875rem; margin: 0; }
@media (max-width: 40rem) { .pair { grid-template-columns: 1fr; } }
</style>
</head>
<body>
<h1>cvtool detect</h1>
<p class="quiet">Model %(model)s at %(size)s pixels on %(engine)s.
Left: the photograph. Right: what the model found, with its scores.</p>
%(sections)s
</body>
</html>
"""

SECTION = """<h2>%(title)s</h2>
<div class="pair">
<img src="%(original)s" width="%(width)d" height="%(height)d" alt="%(title)s">
<img src="%(result)s" width="%(width)d" height="%(height)d" alt="%(title)s: %(found)s">
</div>
<p class="found">%(found)s, in %(milliseconds)d ms</p>
<p class="quiet">Photograph: %(credit)s</p>
"""


def demo(
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            show_default="demo, or the next free demo-2, ...",
            help="Folder for the page.",
        ),
    ] = None,
    device: DeviceOption = "auto",
    overwrite: OverwriteOption = False,
) -> None:
    """Run the default models on photographs from scikit-image and write a page of the results.

    Needs no network. The page is DIR/index.html.
    """
    from cvtool.detection.detector import Detector
    from cvtool.errors import OutputError
    from cvtool.pictures.writing import check_output_folder, free_name, write_text

    if out is None:
        out = DEFAULT_OUT if overwrite else free_name(DEFAULT_OUT)
    page = out / "index.html"
    if page.exists() and not overwrite:
        raise OutputError(f"{page}: already exists; use --overwrite or another --out")
    check_output_folder(out, "name another with --out")
    photographs = load_photographs()
    detector = Detector.load(device=device)
    sections = [show_photograph(detector, out, overwrite, *each) for each in photographs]
    facts = {"model": detector.model_name, "size": detector.size, "engine": detector.engine_name}
    facts = {name: escape(str(value)) for name, value in facts.items()}
    write_text(page, PAGE % (facts | {"sections": "\n".join(sections)}), overwrite=overwrite)
    print(page)


def load_photographs() -> list[tuple[str, str, str, Any]]:
    """Name, title, credit and pixels, uint8 (H, W, 3) RGB, of each photograph.

    Raises:
        CvtoolError: scikit-image is not installed.
    """
    try:
        from skimage import data
    except ImportError:
        raise CvtoolError(
            'the photographs come with scikit-image, which is not installed; pip install ".[demo]"'
        ) from None
    import numpy as np

    photographs = []
    for name, title, credit in PHOTOGRAPHS:
        pixels = getattr(data, name)()
        if pixels.ndim == 2:
            pixels = np.stack([pixels] * 3, axis=-1)
        photographs.append((name, title, credit, pixels))
    return photographs


def show_photograph(
    detector, out: Path, overwrite: bool, name: str, title: str, credit: str, pixels
) -> str:
    """Detect, write the photograph and the result, and return their part of the page."""
    import time

    from cvtool.cli.detect_report import summarise
    from cvtool.pictures.drawing import draw_boxes
    from cvtool.pictures.writing import write_picture

    start = time.perf_counter()
    detections = detector(pixels)
    seconds = time.perf_counter() - start
    boxes, labels = [d.box for d in detections], [d.label for d in detections]
    drawn = draw_boxes(pixels, boxes, labels, [d.score for d in detections])
    original, result = f"originals/{name}.jpg", f"detected/{name}.jpg"
    write_picture(out / original, pixels, overwrite=overwrite)
    write_picture(out / result, drawn, overwrite=overwrite)
    found = summarise([d.to_dict() for d in detections])
    words = {"title": title, "credit": credit, "original": original, "result": result}
    words = {key: escape(text) for key, text in (words | {"found": found}).items()}
    height, width = pixels.shape[:2]
    sizes = {"height": height, "width": width, "milliseconds": round(1000 * seconds)}
    return SECTION % (words | sizes)
