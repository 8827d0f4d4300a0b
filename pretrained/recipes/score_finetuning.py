"""Measure a classifier as a start: fine-tune it on Imagenette with default settings.

    python pretrained/recipes/score_finetuning.py --model runs/backbone/model \
        --data imagenette --run runs/imagenette

`--data` holds train/CLASS/*.JPEG and val/CLASS/*.JPEG. Does what `cvtool finetune train --test val`
does, and puts the accuracy on val into tiny200's entry in presets.json and into its model card.
Start it again with the same arguments to go on after an interruption.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from cvtool.classification.runs import go_on, start_run
from cvtool.classification.settings import Settings
from cvtool.models.saving import replace_text
from cvtool.training.run_folder import RUN_FILE, read_run
from running import run_main
from ship import PRETRAINED, write_card

NAME = "tiny200"
CARD = "tiny200 fine-tuned"


def main():
    args = parse_arguments()
    folders = {split: args.data / split for split in ("train", "val")}
    if args.limit:
        folders = {
            split: part(folder, args.run.with_name(f"{args.run.name}-pictures") / split, args.limit)
            for split, folder in folders.items()
        }
    run = finetuned(args.model, folders["train"], folders["val"], args.run, args)
    if not run["finished"]:
        raise SystemExit(f"{args.run}: interrupted; start it again to go on")
    chosen, test = run["chosen"], run["scores"]["test"]
    presets = args.out / "presets.json"
    entries = json.loads(presets.read_text(encoding="utf-8"))
    entries[NAME]["scores"]["imagenette"] = round(test["top1"], 4)
    replace_text(presets, json.dumps(entries, indent=2) + "\n")
    write_card(args.out / "README.md", CARD, card_lines(chosen, test))
    print(json.dumps({"imagenette": test["top1"]}))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="model folder of tiny200")
    parser.add_argument("--data", type=Path, required=True, help="the folder of Imagenette")
    parser.add_argument("--run", type=Path, required=True, help="run folder of the fine-tuning")
    parser.add_argument("--out", type=Path, default=PRETRAINED)
    parser.add_argument("--epochs", type=int, help="in place of the defaults, of the head too")
    parser.add_argument("--size", type=int, help="in place of the default")
    parser.add_argument("--limit", type=int, help="use only so many pictures (a rehearsal)")
    return parser.parse_args()


def part(folder, copy, count):
    """Copy about `count` pictures of a folder of classes, the same number of each class."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    for name in classes:
        for path in sorted(name.iterdir())[: max(3, count // len(classes))]:
            (copy / name.name).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy / name.name / path.name)
    return copy


def finetuned(model, train, test, run, options):
    """What `cvtool finetune train --test test --backbone model --out run` does.

    Returns:
        dict: what the run's run.json says.
    """
    if (run / RUN_FILE).exists():
        content = read_run(run)
        if content["finished"]:
            return content
    else:
        settings = Settings(
            backbone=str(model),
            epochs=options.epochs,
            head_epochs=options.epochs,
            size=options.size,
        )
        start_run(train, settings, out=run, test=test, say=say)
    return go_on(run, say=say)


def say(line):
    print(line, flush=True)


def card_lines(chosen, test):
    """The score as the model card shows it."""
    low, high = test["interval"]
    return [
        f"With default settings ({chosen['size']} px, {chosen['epochs']} epochs): accuracy "
        f"{test['top1']:.3f} on {test['pictures']:,} pictures of Imagenette's val (95 % interval "
        f"{low:.3f} to {high:.3f})."
    ]


if __name__ == "__main__":
    run_main(main)
