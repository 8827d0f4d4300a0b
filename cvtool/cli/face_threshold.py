"""The threshold that a command about faces was told, or the model's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from cvtool.faces.verifier import Threshold, Verifier


def refuse_both(threshold: float | None, far: float | None) -> None:
    """Wrong usage where both options are given."""
    if threshold is not None and far is not None:
        raise typer.BadParameter("choose one of --threshold and --far")


def choose_threshold(verifier: Verifier, distance: float | None, far: float | None) -> Threshold:
    """The threshold that the options ask for."""
    from cvtool.faces.verifier import Threshold

    if distance is not None:
        return Threshold(distance, source="--threshold")
    return verifier.threshold(far)
