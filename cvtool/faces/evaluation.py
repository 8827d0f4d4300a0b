"""Score a face model on pairs, and save what explains the score."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cvtool.datasets.face_pairs import FacePairs
from cvtool.errors import CvtoolError, DatasetError
from cvtool.faces.alignment import TEMPLATE, align
from cvtool.faces.drawing import side_by_side
from cvtool.faces.metrics import auc, best_threshold, equal_error_rate, right, threshold_at_far
from cvtool.faces.mtcnn import central_face
from cvtool.faces.plots import plot_pairs
from cvtool.pictures.reading import read_picture
from cvtool.pictures.sources import read_each
from cvtool.pictures.writing import whole_file, write_json, write_picture
from cvtool.training.intervals import wilson_interval

if TYPE_CHECKING:
    from cvtool.faces.verifier import Verifier

WORST = 20
SUMMARY_FILE = "evaluation.json"
PLOT_FILE = "roc.png"
WORST_FOLDER = "worst"
# False accept rates whose true accept rate is told.
RATES = (0.01, 0.001)
# Of a picture without a detected face, this middle part is taken, as a share of its shorter
# side: about what is cut out of LFW's pictures of 250 pixels where a face is found.
MIDDLE = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How a face model did.

    Attributes:
        summary: ready for JSON, see docs/evaluate.md.
        pairs: those that were scored.
        distances: float (N,), squared L2 of each pair.
        thresholds: float (N,): the threshold that decided each pair.
    """

    summary: dict[str, Any]
    pairs: FacePairs
    distances: np.ndarray
    thresholds: np.ndarray

    @property
    def same(self) -> np.ndarray:
        """Whether each pair is of one person, bool (N,)."""
        return np.array([pair.same for pair in self.pairs.pairs])


@dataclass(frozen=True, slots=True)
class Embedded:
    """Pictures as numbers: embeddings by path, and the pictures in which no face was found."""

    rows: dict[Path, np.ndarray]
    no_face: tuple[Path, ...]


def embed_pictures(
    verifier: Verifier,
    paths,
    *,
    on_picture: Callable[[], None] | None = None,
    on_error: Callable[[CvtoolError], None] | None = None,
) -> Embedded:
    """Embed the central face of each picture; where none is found, the picture's middle.

    Args:
        verifier: the model.
        paths: picture files.
        on_picture: called after each picture, for a progress bar.
        on_error: called with the error of each picture that cannot be read, which is left out;
            None raises it.
    """
    rows, no_face = {}, []
    for index, picture in read_each(paths, on_error=on_error):
        pixels = picture.pixels
        aligned, found = central_aligned(verifier, pixels)
        if not found:
            no_face.append(paths[index])
        rows[paths[index]] = verifier.embed([aligned])[0]
        if on_picture is not None:
            on_picture()
    return Embedded(rows, tuple(no_face))


def central_aligned(verifier: Verifier, pixels) -> tuple[np.ndarray, bool]:
    """The aligned central face of a picture, or its middle; and whether a face was found."""
    height, width = pixels.shape[:2]
    faces = verifier.find(pixels)
    if faces:
        return verifier.align(pixels, central_face(faces, height, width)), True
    side = MIDDLE * min(height, width)
    corner = np.array([width - side, height - side]) / 2
    return align(pixels, corner + TEMPLATE * side - 0.5, verifier.size), False


def evaluate_verifier(
    verifier: Verifier,
    data: FacePairs,
    *,
    on_picture: Callable[[], None] | None = None,
    on_error: Callable[[CvtoolError], None] | None = None,
) -> Evaluation:
    """Compare the two pictures of each pair and score the distances.

    With one fold, the model's own threshold decides; without one, and with several folds, each
    fold is decided by the threshold that is most accurate on the others (LFW's protocol).

    Args:
        verifier: the model.
        data: the pairs.
        on_picture: called after each picture, for a progress bar.
        on_error: called with the error of each picture that cannot be read; its pairs are left
            out; None raises it.
    Raises:
        DatasetError: nothing is left of the pairs of one person, or of those of two.
        PictureError: a picture cannot be read, where `on_error` is None.
    """
    start = time.perf_counter()
    embedded = embed_pictures(verifier, data.paths, on_picture=on_picture, on_error=on_error)
    seconds = time.perf_counter() - start
    kept = tuple(p for p in data.pairs if p.one in embedded.rows and p.other in embedded.rows)
    if {pair.same for pair in kept} != {True, False}:
        raise DatasetError(
            f"{data.pairs[0].one}: of {len(data.pairs)} pairs, those whose pictures can be read "
            "are not of both kinds; check the folder of the pictures (--pictures)"
        )
    same = np.array([pair.same for pair in kept])
    folds = np.array([pair.fold for pair in kept])
    one, other = (np.stack([embedded.rows[getattr(p, k)] for p in kept]) for k in ("one", "other"))
    distances = ((one.astype(float) - other) ** 2).sum(axis=1)
    thresholds, how = choose_thresholds(verifier, distances, same, folds)
    correct = right(distances, same, thresholds)
    found = sorted(set(folds.tolist()))
    per_fold = [
        {
            "pairs": int((folds == fold).sum()),
            "accuracy": round(float(correct[folds == fold].mean()), 4),
            "threshold": round(float(thresholds[folds == fold].mean()), 6),
        }
        for fold in found
    ]
    rates = {str(far): round(threshold_at_far(distances, same, far)[1], 4) for far in RATES}
    summary = {
        "accuracy": round(float(correct.mean()), 4),
        "interval": [round(v, 4) for v in wilson_interval(int(correct.sum()), len(correct))],
        "auc": round(auc(distances, same), 4),
        "eer": round(equal_error_rate(distances, same), 4),
        "tar_at_far": rates,
        "best_accuracy": round(best_threshold(distances, same)[1], 4),
        "threshold": round(float(thresholds.mean()), 6),
        "threshold_from": how,
        "false_accepts": int((~correct & ~same).sum()),
        "false_rejects": int((~correct & same).sum()),
        "pairs": len(kept),
        "same": int(same.sum()),
        "unreadable_pairs": len(data.pairs) - len(kept),
        "pictures": len(embedded.rows),
        "no_face": len(embedded.no_face),
        "no_face_pictures": [str(path) for path in embedded.no_face],
        "per_fold": per_fold,
        "seconds": round(seconds, 3),
        "model": verifier.model_name,
        "engine": verifier.engine_name,
        "size": verifier.size,
    }
    return Evaluation(summary, FacePairs(kept, data.folds), distances, thresholds)


def choose_thresholds(verifier, distances, same, folds):
    """The threshold that decides each pair, float (N,), and where it comes from, in words."""
    numbers = sorted(set(folds.tolist()))
    if len(numbers) == 1 and verifier.calibration.get("rates"):
        threshold = verifier.threshold()
        return np.full(len(distances), threshold.distance), threshold.source
    if len(numbers) == 1:
        # In turn, so that each part has pairs of both kinds wherever the list has.
        folds = np.zeros(len(same), int)
        for kind in (True, False):
            folds[same == kind] = np.arange((same == kind).sum()) % 10
        numbers = sorted(set(folds.tolist()))
    thresholds = np.empty(len(distances))
    for fold in numbers:
        others = folds != fold
        if set(same[others].tolist()) != {True, False}:
            others = np.ones(len(folds), bool)  # too few pairs to be strict
        thresholds[folds == fold] = best_threshold(distances[others], same[others])[0]
    return thresholds, f"the other {len(numbers) - 1} parts of these pairs"


def save_evaluation(
    evaluation: Evaluation, verifier: Verifier, folder: str | Path, *, overwrite: bool = False
) -> list[Path]:
    """Write the summary, the ROC and the worst mistakes.

    Args:
        evaluation: from `evaluate_verifier`.
        verifier: the model, which cuts the faces out for the pictures.
        folder: written: evaluation.json, roc.png and worst/*.jpg, wrongly decided pairs.
        overwrite: replace files that are there.
    Returns:
        the paths written.
    Raises:
        OutputError: a file is there already or cannot be written.
    """
    folder = Path(folder)
    write_json(folder / SUMMARY_FILE, evaluation.summary, overwrite=overwrite)
    plot = folder / PLOT_FILE
    with whole_file(plot, overwrite=overwrite) as part:
        plot_pairs(evaluation.distances, evaluation.same, evaluation.thresholds.mean(), part)
    worst = folder / WORST_FOLDER
    if overwrite:
        # Those of an earlier, longer list would pass for this one's.
        for old in worst.glob("[0-9][0-9]-*.jpg"):
            old.unlink()
    mistakes = worst_mistakes(evaluation)
    for rank, index in enumerate(mistakes, 1):
        write_pair(evaluation, verifier, index, worst, rank, overwrite=overwrite)
    return [folder / SUMMARY_FILE, plot] + ([worst] if mistakes else [])


def worst_mistakes(evaluation: Evaluation) -> list[int]:
    """Positions of the wrongly decided pairs that lie farthest from their threshold."""
    wrong = ~right(evaluation.distances, evaluation.same, evaluation.thresholds)
    by = np.abs(evaluation.distances - evaluation.thresholds)
    order = np.argsort(-by, kind="stable")
    return [int(i) for i in order if wrong[i]][:WORST]


def write_pair(evaluation, verifier, index, folder, rank, *, overwrite):
    """Write the two faces of a pair side by side."""
    pair = evaluation.pairs.pairs[index]
    faces = [central_aligned(verifier, read_picture(path))[0] for path in (pair.one, pair.other)]
    kind = "one-person-taken-for-two" if pair.same else "two-people-taken-for-one"
    words = f"{kind.replace('-', ' ')}: {evaluation.distances[index]:.2f}"
    sheet = side_by_side(faces, False, words)
    write_picture(folder / f"{rank:02}-{kind}.jpg", sheet, overwrite=overwrite)
