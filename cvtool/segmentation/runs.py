"""How a training on masks starts, and what it brings to the mechanism of runs."""

from __future__ import annotations

from cvtool.pictures.writing import check_output_folder, write_picture
from cvtool.segmentation.finetuning import open_training, train, training_batches
from cvtool.segmentation.finishing import RUN_FILES, SHEET_FILE, finish, pictures_to_predict
from cvtool.segmentation.preparation import prepare, split_lists
from cvtool.segmentation.settings import SCRATCH, base_for, chosen_for
from cvtool.segmentation.sheet import training_sheet
from cvtool.segmentation.transfer import architecture_of, find_start
from cvtool.training import runs
from cvtool.training.devices import training_strategy
from cvtool.training.page import counted
from cvtool.training.run_folder import choose_folder
from cvtool.training.runs import name_of, silent


def start_run(
    dataset,
    settings,
    *,
    out=None,
    overwrite=False,
    pictures=None,
    masks=None,
    classes=None,
    split=None,
    test=None,
    force=False,
    say,
    on_picture=None,
):
    """Prepare a data set and the run folder of its training.

    Args:
        dataset, pictures, masks, classes, split, test, force: see `preparation.prepare`.
        settings: Settings.
        out, overwrite: see `training.run_folder.choose_folder`.
        say: function(str), for what a person wants to know.
        on_picture: called after each picture is checked.
    Returns:
        the run folder, whose run.json says everything that `go_on` needs.
    Raises:
        CvtoolError: a mistake in the data set or the settings; nothing is left behind.
    """
    scratch = settings.from_scratch is not None
    start = None if scratch else find_start(settings.backbone)
    training_strategy(settings.gpus)
    folder = choose_folder(
        name_of(dataset),
        out,
        overwrite=overwrite,
        read=(dataset, test, pictures, masks),
        kept=(classes, None if scratch else settings.backbone),
    )
    check_output_folder(folder, "name another with --out")
    prepared = prepare(
        dataset,
        pictures=pictures,
        masks=masks,
        classes=classes,
        split=split,
        test=test,
        seed=settings.seed,
        force=force,
        say=say,
        on_picture=on_picture,
    )
    for remark in prepared.remarks:
        say(remark)
    say(f"{counted(len(prepared.classes), 'class', 'classes')}: {prepared.how}")
    count = len(prepared.splits["train"].examples)
    chosen = chosen_for(settings, pictures=count, detail=prepared.detail, longest=prepared.longest)
    if scratch:
        architecture = {"network": "plain", "base": base_for(count)}
        model = f"{SCRATCH} from scratch, {architecture['base']} channels at first"
    else:
        architecture, model = architecture_of(start), start.name
    say(f"{model}; {words_of(chosen, scratch)}")
    run = {
        "dataset": str(dataset),
        "model": model,
        "settings": settings.to_dict(),
        "chosen": chosen,
        "architecture": architecture,
        "classes": list(prepared.classes),
        "colours": prepared.colours,
        "how": prepared.how,
        "remarks": prepared.remarks,
        "splits": split_lists(prepared),
    }
    runs.write_new_run(folder, TASK, run)
    return folder


def words_of(chosen, scratch):
    """What was chosen, as a person reads it."""
    patch, frozen = chosen["patch"], chosen["frozen_epochs"]
    parts = [
        f"size {chosen['size']}" + (f" in patches of {patch}" if patch else ""),
        f"batch {chosen['batch']}",
        f"{counted(chosen['epochs'], 'epoch', 'epochs')} "
        f"of {counted(chosen['steps'], 'step', 'steps')}",
        f"augmentation {chosen['augment']}",
    ]
    if not scratch:
        parts.append(f"the backbone frozen in {frozen or 'none'} of them")
    return ", ".join([*parts, f"learning rate {chosen['learning_rate']:g}"])


def go_on(folder, *, say, progress=silent):
    """Train a prepared run, or go on with one; see `training.runs.go_on`."""
    return runs.go_on(folder, TASK, say=say, progress=progress)


def write_sheet(training):
    """augmented.jpg: training pictures with their masks, as the network sees them."""
    path = training.folder / SHEET_FILE
    if path.exists():
        return
    sheet = training_sheet(training_batches(training, 0), training.classes)
    write_picture(path, sheet, overwrite=True)


TASK = runs.Task(
    name="segment",
    files=RUN_FILES,
    open=open_training,
    write_sheet=write_sheet,
    train=train,
    count=pictures_to_predict,
    finish=finish,
)
