"""What a model's distances mean, measured on pairs: the threshold, and those at given rates."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from cvtool.errors import OutputError
from cvtool.faces.metrics import best_threshold, threshold_at_far
from cvtool.models.presets import FORMAT, MODEL_FILE, Preset, preset_file
from cvtool.models.saving import fingerprint, replace_text

# False accept rates that are worth a threshold, where there are pairs enough to measure them.
RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)


def calibrate(distances, same, source):
    """Measure thresholds.

    Args:
        distances: float (N,), squared L2 of unit embeddings.
        same: bool (N,): whether a pair is of one person; both kinds are there.
        source: the pairs, in words.
    Returns:
        dict, see `verifier.Verifier`: "source"; "pairs", how many of one person and of two;
        "threshold", that with the highest balanced accuracy; "rates", for each rate of which the
        pairs hold at least one false accept, and for that of the threshold: "far", at most;
        "threshold"; "tar".
    """
    distances, same = np.asarray(distances), np.asarray(same, bool)
    best, _ = best_threshold(distances, same)
    false = int((~same).sum())
    rates = []
    for far in RATES:
        if far * false >= 1:
            threshold, tar = threshold_at_far(distances, same, far)
            rates.append({"far": far, "threshold": round(threshold, 6), "tar": round(tar, 4)})
    at_best = {
        "far": round(float((distances[~same] <= best).mean()), 6),
        "threshold": round(best, 6),
        "tar": round(float((distances[same] <= best).mean()), 4),
    }
    rates = sorted([*rates, at_best], key=lambda rate: (rate["far"], rate["threshold"]))
    return {
        "source": source,
        "pairs": [int(same.sum()), false],
        "threshold": round(best, 6),
        "rates": rates,
    }


def save_calibrated(preset: Preset, calibration, folder):
    """Write a model that is another but for its thresholds, as a folder.

    Args:
        preset: the model.
        calibration: from `calibrate`.
        folder: where to; the model is called by its name. Files of its own are replaced.
    Raises:
        OutputError: it cannot be written.
        ModelError: a file of the model is missing or damaged.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = {}
        for kind in preset.files:
            source = preset_file(preset, kind)
            target = folder / source.name
            shutil.copyfile(source, target)
            files[kind] = fingerprint(target)
        entry = {
            "format": FORMAT,
            "name": folder.resolve().name,
            "task": preset.task,
            "description": f"{preset.name} with thresholds of its own",
            "architecture": dict(preset.architecture),
            "size": preset.size,
            "classes": list(preset.classes),
            "licence": preset.licence,
            "data": preset.data,
            "recipe": "cvtool faces calibrate",
            "calibration": calibration,
            "files": files,
        }
        # Last: without it, the folder is no model.
        replace_text(folder / MODEL_FILE, json.dumps(entry, indent=2) + "\n")
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from error
