"""Put trained models among those that ship: their files, presets.json entries, cards."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

from cvtool.models.saving import replace_text

PRETRAINED = Path(__file__).resolve().parent.parent


def ship(entry, staging, out):
    """Copy a saved model's files and put its entry into presets.json.

    Args:
        entry: what `cvtool.models.saving.save_model` returned, with "scores".
        staging: the folder that it was saved to.
        out: the folder with presets.json, pretrained/ itself.
    """
    entry = dict(entry)
    entry.pop("format")
    for file in entry["files"].values():
        part = Path(out) / f"part-{file['file']}"
        shutil.copyfile(Path(staging) / file["file"], part)
        os.replace(part, Path(out) / file["file"])
    presets = Path(out) / "presets.json"
    entries = json.loads(presets.read_text(encoding="utf-8")) if presets.exists() else {}
    entries[entry.pop("name")] = entry
    replace_text(presets, json.dumps(entries, indent=2) + "\n")


def write_card(path, name, lines):
    """Replace the part of the model cards between a model's two marks.

    Args:
        path: README.md with the cards.
        name: the model's; its scores stand between `<!-- NAME scores -->` and
            `<!-- end of NAME scores -->`.
        lines: the new text.
    """
    begin, end = f"<!-- {name} scores -->", f"<!-- end of {name} scores -->"
    card = path.read_text(encoding="utf-8")
    before, _, rest = card.partition(begin)
    after = rest.partition(end)[2]
    replace_text(path, before + "\n".join([begin, *lines, end]) + after)


def ship_again(names, source, out):
    """Copy models from one folder of shipped models to another.

    Args:
        names: of the models; of their cards only the scores are copied.
        source, out: folders with presets.json, README.md and the models' files.
    """
    entries = json.loads((source / "presets.json").read_text(encoding="utf-8"))
    card = (source / "README.md").read_text(encoding="utf-8")
    for name in names:
        ship(entries[name] | {"name": name, "format": None}, source, out)
        # A model may have several scores: "tiny200 scores", "tiny200 fine-tuned scores".
        pattern = rf"<!-- ({name}(?: [^>]*)?) scores -->\n(.*?)\n<!-- end of"
        for mark, text in re.findall(pattern, card, re.DOTALL):
            write_card(out / "README.md", mark, text.splitlines())
