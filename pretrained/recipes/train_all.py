"""Make the default models, all or some, from the data to the model cards.

    python pretrained/recipes/train_all.py --data data --out runs

Checks that the data sets are there, then runs the recipes in the order of plan.py, each as a
process of its own: training, conversion to LiteRT, scores with the code of `cvtool evaluate`.
Weights, LiteRT files, presets.json and the cards (README.md) come to OUT/pretrained; with `--ship`
they replace those in this project's pretrained/ at the end. A step that is done is not done
again, and one that was interrupted goes on from its last epoch: start the same command again.
`--schedule short` is for two CPU cores, `--schedule smoke` runs all of it on 1 % of the data.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout

from cvtool.models.saving import replace_text
from cvtool.training.precision import PRECISIONS
from data_sets import missing_data
from plan import GOALS, MODELS, PRESETS, SCHEDULES, steps_for
from running import run_main
from ship import PRETRAINED, ship_again

RECIPES = Path(__file__).resolve().parent
# What TensorFlow writes to stderr whatever its log level.
NOISE = re.compile(r"[IWE]\d{4} |WARNING: All log messages|To enable the following instructions")


def main():
    args = parse_arguments()
    steps = steps_for(args.only or MODELS)
    needed = dict.fromkeys(name for step in steps for name in step.data)
    lacking = missing_data(args.data, needed)
    if lacking:
        sys.exit("\n".join(lacking))
    args.out.mkdir(parents=True, exist_ok=True)
    out = args.out / "pretrained"
    try:
        with FileLock(args.out / ".lock", timeout=0):
            copy_shipped(out)
            run_steps(steps, args.schedule, args.precision, data=args.data, runs=args.out, out=out)
    except Timeout:
        sys.exit(f"{args.out}: another train_all.py is at work there; wait or change --out")
    if args.ship:
        names = [name for model in args.only or MODELS for name in PRESETS[model]]
        ship_again(names, out, PRETRAINED)
        print("README.md: the texts around the scores are still those of before", file=sys.stderr)
    print(table(json.loads((out / "presets.json").read_text(encoding="utf-8"))))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument(
        "--only",
        action="append",
        choices=MODELS,
        help="this model, and what it needs; may be given several times. adain: and vgg-small",
    )
    parser.add_argument("--schedule", default="full", choices=SCHEDULES)
    parser.add_argument("--precision", default="auto", choices=PRECISIONS)
    parser.add_argument("--ship", action="store_true", help="replace the models that ship")
    return parser.parse_args()


def copy_shipped(out):
    """Begin with the models that ship; those that are trained replace them."""
    if out.exists():
        return
    part = out.with_name("part-pretrained")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(PRETRAINED, part, ignore=shutil.ignore_patterns("recipes"))
    part.rename(out)


def run_steps(steps, schedule, precision, **folders):
    """Run steps in order, but for those that have been run before.

    Args:
        steps: list of plan.Step.
        schedule, precision: for all of them.
        folders: data, runs, out: Path.
    Raises:
        SystemExit: a step failed, or was begun with other settings.
    """
    path = folders["runs"] / "steps.json"
    record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for step in steps:
        settings = step.settings(schedule, precision)
        known = record.setdefault(step.name, {"settings": settings, "seconds": None})
        if known["settings"] != settings:
            sys.exit(
                f"{path}: {step.name} was begun with other settings ({known['settings']}); choose "
                "another --out, or the same --schedule and --precision"
            )
        if known["seconds"] is not None:
            print(f"{step.name}: done before", file=sys.stderr)
            continue
        replace_text(path, json.dumps(record, indent=2) + "\n")
        arguments = step.arguments(settings, **folders)
        print(f"{step.name}: {step.recipe} {' '.join(arguments)}", file=sys.stderr, flush=True)
        began = time.monotonic()
        run_recipe(step, arguments, folders["runs"] / f"{step.name}.log")
        # Of an interrupted step, the time since it was last started.
        known["seconds"] = round(time.monotonic() - began, 1)
        replace_text(path, json.dumps(record, indent=2) + "\n")


def run_recipe(step, arguments, log):
    """Run a recipe; what it says goes to a file and, but for TensorFlow's notes, to stderr.

    Raises:
        SystemExit: it failed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(RECIPES / step.recipe), *arguments]
    # Only trainings run on JAX and torch as well.
    backend = {} if step.trains else {"KERAS_BACKEND": "tensorflow"}
    with (
        log.open("a", encoding="utf-8", buffering=1) as file,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | backend,
        ) as process,
    ):
        try:
            for line in process.stdout:
                file.write(line)
                if not NOISE.match(line):
                    print(line, end="", file=sys.stderr, flush=True)
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        sys.exit(
            f"{step.name}: {step.recipe} failed ({process.returncode}), see {log}; start the same "
            "command again to go on"
        )


def table(presets):
    """Scores against goals, a line each."""
    rows = [f"{'model':14} {'measure':15} {'data':28} {'score':>7} {'goal':>6}"]
    for model, measure, data, goal in GOALS:
        score = presets[model]["scores"].get(measure)
        shown = "-" if score is None else f"{score:.4f}"
        reached = "reached" if score is not None and score > goal else ""
        rows.append(f"{model:14} {measure:15} {data:28} {shown:>7} {goal:6.3f} {reached}".rstrip())
    return "\n".join(rows)


if __name__ == "__main__":
    # What `kill` sends ends the recipe that runs as well, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run_main(main)
