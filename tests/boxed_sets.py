"""Small pictures and label files that several test modules make data sets of."""

from __future__ import annotations

from pathlib import Path

from PIL import Image


def picture(path: Path, width: int = 100, height: int = 80) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), (90, 120, 150)).save(path)
    return path


def text(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def voc(path: Path, *objects, filename=None, size=(100, 80), database="Unknown") -> Path:
    """An XML file; each object is (name, xmin, ymin, xmax, ymax)."""
    filename = f"{path.stem}.jpg" if filename is None else filename
    lines = [
        "<annotation>",
        f"<filename>{filename}</filename><source><database>{database}</database></source>",
        f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>",
    ]
    for name, *corners in objects:
        keys = ("xmin", "ymin", "xmax", "ymax")
        inner = "".join(f"<{k}>{v}</{k}>" for k, v in zip(keys, corners, strict=True))
        lines.append(f"<object><name>{name}</name><bndbox>{inner}</bndbox></object>")
    return text(path, *lines, "</annotation>")


def boxes_of(data) -> dict[str, list]:
    """Picture's file name -> its boxes as (class, x1, y1, x2, y2), rounded, in order."""
    return {
        one.path.name: [
            (data.classes[class_id], *(round(value, 3) for value in box))
            for class_id, box in zip(one.class_ids, one.boxes.tolist(), strict=True)
        ]
        for one in data.examples
    }


def splits_of(data) -> dict[str, str]:
    return {one.path.name: one.split for one in data.examples}
