"""The threshold that a command about faces was told, or the model's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cvtool.cli import console

if TYPE_CHECKING:
    from cvtool.faces.thresholds import Threshold
    from cvtool.faces.verifier import Verifier


def refuse_both(threshold: float | None, far: float | None) -> None:
    """Wrong usage where both options are given."""
    if threshold is not None and far is not None:
        raise typer.BadParameter("choose one of --threshold and --far")


def choose_threshold(verifier: Verifier, distance: float | None, far: float | None) -> Threshold:
    """The threshold that the options ask for, or the most accurate one."""
    from cvtool.faces.thresholds import Threshold

    if distance is not None:
        return Threshold(distance, source="--threshold")
    limit = verifier.threshold(far)
    highest = verifier.calibration["rates"][-1]["far"]
    if far is not None and far > highest:
        console.say(
            f'model "{verifier.model_name}" knows no false accept rate above {highest:g}; took that'
        )
    return limit


def choose_strict(verifier: Verifier, distance: float | None, far: float | None) -> Threshold:
    """The threshold that the options ask for, or that for one face against many."""
    from cvtool.faces.thresholds import STRICT

    if distance is not None or far is not None:
        return choose_threshold(verifier, distance, far)
    limit = verifier.strict_threshold()
    if limit.far > STRICT:
        console.say(
            f'model "{verifier.model_name}" was measured on {limit.source}, too few for a false '
            f"accept rate of {STRICT:g}; took {limit.far:g}, the lowest it knows"
        )
    return limit
