"""What a model's distances mean, measured on pairs: the threshold, and those at given rates."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cvtool.datasets.face_pairs import FacePair, FacePairs
from cvtool.errors import DatasetError, OutputError
from cvtool.faces.metrics import best_threshold, threshold_at_far
from cvtool.models.presets import FORMAT, MODEL_FILE, Preset, preset_file
from cvtool.models.saving import fingerprint, replace_text
from cvtool.pictures.writing import check_output_folder, same_file

if TYPE_CHECKING:
    from cvtool.faces.evaluation import Evaluation

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
        pairs hold at least one false accept, and for that of the threshold: "far", at most, and
        never less than one of the pairs of two people, for so few show no lower one;
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
        "far": round(max(float((distances[~same] <= best).mean()), 1 / false), 6),
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


def distinct_pairs(data: FacePairs) -> FacePairs:
    """The pairs of a list, each once; pairs of a file with itself are left out.

    Raises:
        DatasetError: a pair is listed as one person's and as two people's.
    """
    kept: dict[frozenset[str], FacePair] = {}
    files = {path: os.path.realpath(path) for path in data.paths}
    for pair in data.pairs:
        both = frozenset([files[pair.one], files[pair.other]])
        if len(both) == 2 and kept.setdefault(both, pair).same != pair.same:
            raise DatasetError(
                f"{pair.one} and {pair.other}: listed both as one person and as two; correct the "
                "list"
            )
    return FacePairs(tuple(kept.values()), data.folds)


def pairs_with_faces(evaluation: Evaluation):
    """The distances, float (N,), and kinds, bool (N,), of the pairs with a face in each picture.

    Raises:
        DatasetError: nothing is left of the pairs of one person, or of those of two.
    """
    pairs, without = evaluation.pairs.pairs, set(evaluation.summary["no_face_pictures"])
    shown = np.array([without.isdisjoint([str(p.one), str(p.other)]) for p in pairs])
    same = evaluation.same[shown]
    if set(same.tolist()) != {True, False}:
        raise DatasetError(
            f"{pairs[0].one}: of {len(pairs)} pairs, those with a face in both pictures are not of "
            "both kinds; give more pairs"
        )
    return evaluation.distances[shown], same


def check_calibrated_folder(preset: Preset, folder: str | Path, *, overwrite: bool) -> None:
    """Refuse a folder that `save_calibrated` is not to write to, before any work is done.

    Args:
        preset: the model.
        folder: where to.
        overwrite: a model that is there may be replaced; never the one that is calibrated.
    Raises:
        OutputError: naming the folder.
    """
    folder = Path(folder)
    if any(same_file(folder, file.path.parent) for file in preset.files.values()):
        raise OutputError(f"{folder}: is the model itself; name another with --out")
    if folder.is_dir() and any(folder.iterdir()):
        is_model = (folder / MODEL_FILE).exists()
        if not (overwrite and is_model):
            advice = "use --overwrite" if is_model else "name another"
            raise OutputError(f"{folder}: is not empty; {advice}")
    check_output_folder(folder, "name another with --out")


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
