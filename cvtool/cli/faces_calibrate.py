"""`cvtool faces calibrate`: measure a threshold on one's own pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cvtool.cli import console
from cvtool.cli.options import DeviceOption, JsonOption, ModelOption, OverwriteOption
from cvtool.cli.verify import DEFAULT_MODEL
from cvtool.errors import CvtoolError, OutputError

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
    from cvtool.faces.calibration import calibrate as measure
    from cvtool.faces.calibration import save_calibrated
    from cvtool.faces.evaluation import evaluate_verifier
    from cvtool.faces.verifier import Verifier
    from cvtool.pictures.writing import check_output_folder

    if out.is_dir() and any(out.iterdir()) and not (overwrite and (out / "model.json").exists()):
        advice = "use --overwrite" if (out / "model.json").exists() else "name another"
        raise OutputError(f"{out}: is not empty; {advice}")
    check_output_folder(out, "name another with --out")
    data = read_pairs(pairs, pictures)
    verifier = Verifier.load(model, device=device)
    problems: list[CvtoolError] = []
    with console.progress("measuring", len(data.paths)) as advance:
        result = evaluate_verifier(verifier, data, on_picture=advance, on_error=problems.append)
    for problem in problems:
        console.complain(problem)
    found = measure(result.distances, result.same, f"{len(result.distances)} pairs of {pairs}")
    save_calibrated(verifier.preset, found, out)
    same, different = found["pairs"]
    if min(same, different) < FEW:
        console.say(
            f"{pairs}: {same} pairs of one person and {different} of two; with fewer than {FEW} "
            "of a kind, the threshold is a guess"
        )
    if result.summary["no_face"]:
        console.say(
            f"no face found in {result.summary['no_face']} pictures; their middle was compared: "
            + ", ".join(result.summary["no_face_pictures"][:5])
        )
    if as_json:
        console.print_json(found | {"model": str(out)})
    else:
        show(found)
        print(f"written: {out}")
    if problems:
        raise typer.Exit(1)


def show(found) -> None:
    """Print the thresholds for people."""
    rows = [
        (f"{100 * rate['far']:.3g} %", f"{rate['threshold']:.3f}", f"{rate['tar']:.3f}")
        for rate in found["rates"]
    ]
    columns = ("false accepts", "distance", "true accepts")
    console.print_table(console.table(columns, rows, right=columns))
    print(f"threshold {found['threshold']:.3f}, from {found['source']}")
