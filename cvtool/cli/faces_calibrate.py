"""`cvtool faces calibrate`: measure a threshold on one's own pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cvtool.cli import console
from cvtool.cli.faces_input import complain
from cvtool.cli.options import DeviceOption, JsonOption, ModelOption, OverwriteOption
from cvtool.cli.verify import DEFAULT_MODEL
from cvtool.errors import CvtoolError, OutputError, PictureError

# Fewer pairs of a kind give a threshold that the next ones would change.
FEW = 50


def calibrate(
    pairs: Annotated[
        Path,
        typer.Argument(metavar="PAIRS", help="A list of pairs: a CSV of file,file,1|0, or LFW's."),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", help="Folder for the model with its threshold."),
    ],
    pictures: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the pictures. Default: that of the list."),
    ] = None,
    model: ModelOption = DEFAULT_MODEL,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Measure a model's thresholds on pairs of your own pictures.

    Writes a model folder that `--model` of verify and faces takes: the same network
    with the new thresholds.
    """
    from cvtool.datasets.face_pairs import read_pairs
    from cvtool.faces import calibration
    from cvtool.faces.evaluation import evaluate_verifier
    from cvtool.faces.verifier import Verifier
    from cvtool.models.presets import find_model

    calibration.check_calibrated_folder(find_model(model), out, overwrite=overwrite)
    listed = read_pairs(pairs, pictures)
    data = calibration.distinct_pairs(listed)
    if len(data.pairs) < len(listed.pairs):
        console.say(
            f"{pairs}: {len(listed.pairs) - len(data.pairs)} pair(s) left out, listed before or of "
            "a picture with itself"
        )
    verifier = Verifier.load(model, device=device)
    problems: list[CvtoolError] = []
    with console.progress("measuring", len(data.paths)) as advance:
        result = evaluate_verifier(verifier, data, on_picture=advance, on_error=problems.append)
    problems += [
        PictureError(f"{picture}: no face found; its pairs are left out")
        for picture in result.summary["no_face_pictures"]
    ]
    try:
        distances, kinds = calibration.pairs_with_faces(result)
    except CvtoolError:
        # They tell why.
        for problem in problems:
            console.complain(problem)
        raise
    found = calibration.calibrate(distances, kinds, f"{len(distances)} pairs of {pairs}")
    written = None
    try:
        calibration.save_calibrated(verifier.preset, found, out)
        written = str(out)
    except OutputError as error:
        problems.append(error)
    same, different = found["pairs"]
    if min(same, different) < FEW:
        console.say(
            f"{pairs}: {same} pairs of one person and {different} of two; with fewer than {FEW} "
            "of a kind, the threshold is a guess"
        )
    if as_json:
        console.print_json(found | {"model": written})
    else:
        show(found)
        if written is not None:
            print(f"written: {written}")
    complain(problems)


def show(found) -> None:
    """Print the thresholds for people."""
    rows = [
        (f"{100 * rate['far']:.3g} %", f"{rate['threshold']:.3f}", f"{rate['tar']:.3f}")
        for rate in found["rates"]
    ]
    columns = ("false accepts", "distance", "true accepts")
    console.print_table(console.table(columns, rows, right=columns))
    print(f"threshold {found['threshold']:.3f}, from {found['source']}")
