"""`cvtool demo`: the default detector and segmenter on photographs that everybody may use."""

from __future__ import annotations

import time
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
body { font: 16px/1.5 system-ui, sans-serif; max-width: 90rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; }
h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem; }
.row { display: grid; grid-template-columns: 1fr 1fr 1fr; gap: 1rem; }
.row img { width: 100%%; height: auto; display: block; border-radius: 4px; }
p.found { margin: .5rem 0 0; }
.quiet { opacity: .65; font-size: .875rem; margin: 0; }
@media (max-width: 40rem) { .row { grid-template-columns: 1fr; } }
</style>
</head>
<body>
<h1>cvtool detect and cvtool segment</h1>
<p class="quiet">Left: the photograph. Middle: the objects that %(detector)s found, with its scores.
Right: the classes that %(segmenter)s gave the pixels, with their shares of the picture.</p>
%(sections)s
</body>
</html>
"""

SECTION = """<h2>%(title)s</h2>
<div class="row">
<img src="%(original)s" width="%(width)d" height="%(height)d" alt="%(title)s">
<img src="%(boxes)s" width="%(width)d" height="%(height)d" alt="%(title)s: %(objects)s">
<img src="%(overlay)s" width="%(width)d" height="%(height)d" alt="%(title)s: %(classes)s">
</div>
<p class="found">Objects: %(objects)s, in %(detect_ms)d ms.
Pixels: %(classes)s, in %(segment_ms)d ms.</p>
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
    """Run the default detector and segmenter on photographs and write a page of the results.

    The photographs come with scikit-image; no network is needed. The page is DIR/index.html.
    """
    from cvtool.detection.detector import Detector
    from cvtool.errors import OutputError
    from cvtool.pictures.writing import check_output_folder, free_name, write_text
    from cvtool.segmentation.segmenter import Segmenter

    if out is None:
        out = DEFAULT_OUT if overwrite else free_name(DEFAULT_OUT)
    page = out / "index.html"
    if page.exists() and not overwrite:
        raise OutputError(f"{page}: already exists; use --overwrite or another --out")
    check_output_folder(out, "name another with --out")
    photographs = load_photographs()
    detector, segmenter = Detector.load(device=device), Segmenter.load(device=device)
    # The first picture that an engine sees takes it longer than the others.
    for model in (detector, segmenter):
        model(photographs[0][-1])
    sections = [show_photograph(detector, segmenter, out, overwrite, *each) for each in photographs]
    facts = {
        "detector": f"{detector.model_name} ({detector.size} pixels, {detector.engine_name})",
        "segmenter": f"{segmenter.model_name} ({segmenter.size} pixels, {segmenter.engine_name})",
    }
    facts = {name: escape(value) for name, value in facts.items()}
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
    detector, segmenter, out: Path, overwrite: bool, name: str, title: str, credit: str, pixels
) -> str:
    """Detect, segment, write the photograph and both results, and return their part of the page."""
    from cvtool.cli.detect_report import summarise
    from cvtool.cli.segment_report import shares
    from cvtool.pictures.drawing import draw_boxes
    from cvtool.pictures.mask_drawing import draw_mask
    from cvtool.pictures.writing import write_picture

    detections, detect_seconds = timed(detector, pixels)
    segmentation, segment_seconds = timed(segmenter, pixels)
    boxes, labels = [d.box for d in detections], [d.label for d in detections]
    pictures = {
        "original": pixels,
        "boxes": draw_boxes(pixels, boxes, labels, [d.score for d in detections]),
        "overlay": draw_mask(pixels, segmentation.mask, segmentation.classes),
    }
    words = {
        "title": title,
        "credit": credit,
        "objects": summarise([d.to_dict() for d in detections]),
        "classes": shares({c["label"]: c["share"] for c in segmentation.to_dict()["classes"]}),
    }
    folders = {"original": "originals", "boxes": "detected", "overlay": "segmented"}
    for key, picture in pictures.items():
        words[key] = f"{folders[key]}/{name}.jpg"
        write_picture(out / words[key], picture, overwrite=overwrite)
    height, width = pixels.shape[:2]
    return SECTION % (
        {key: escape(text) for key, text in words.items()}
        | {"height": height, "width": width}
        | {"detect_ms": round(1000 * detect_seconds), "segment_ms": round(1000 * segment_seconds)}
    )


def timed(model, pixels) -> tuple[Any, float]:
    """What a model finds in a picture, and the seconds that it took."""
    start = time.perf_counter()
    found = model(pixels)
    return found, time.perf_counter() - start
