"""How a training on people starts, and what it brings to the mechanism of runs."""

from __future__ import annotations

from cvtool.faces.augmentation import AUGMENTATIONS
from cvtool.faces.batches import FaceBatches
from cvtool.faces.finetuning import find_start, open_training, train
from cvtool.faces.finishing import RUN_FILES, SHEET_FILE, faces_to_score, finish
from cvtool.faces.preparation import keep_faces, prepare, split_lists
from cvtool.faces.settings import chosen_for
from cvtool.faces.sheet import training_sheet
from cvtool.pictures.writing import check_output_folder, write_picture
from cvtool.training import runs
from cvtool.training.devices import training_strategy
from cvtool.training.page import counted
from cvtool.training.run_folder import choose_folder
from cvtool.training.runs import name_of, silent

# People on the sheet of training pictures, and pictures of each.
SHEET_SIDE = 4


def start_run(
    dataset,
    settings,
    *,
    out=None,
    overwrite=False,
    split=None,
    test=None,
    say,
    on_picture=None,
):
    """Prepare folders of people and the run folder of a training.

    Args:
        dataset, split, test: see `preparation.prepare`.
        settings: Settings.
        out, overwrite: see `training.run_folder.choose_folder`.
        say: function(str), for what a person wants to know.
        on_picture: called after each picture is looked at.
    Returns:
        the run folder, whose run.json says everything that `go_on` needs.
    Raises:
        CvtoolError: a mistake in the data set or the settings; nothing is left behind.
    """
    start = find_start(settings.backbone)
    training_strategy(settings.gpus)
    folder = choose_folder(
        name_of(dataset),
        out,
        overwrite=overwrite,
        read=(dataset, test),
        kept=(settings.backbone,),
    )
    check_output_folder(folder, "name another with --out")
    prepared = prepare(
        dataset,
        size=start.size,
        split=split,
        test=test,
        seed=settings.seed,
        on_picture=on_picture,
    )
    for remark in prepared.remarks:
        say(remark)
    say(f"people: {prepared.how}")
    train = prepared.splits["train"]
    people = len(set(train.people))
    chosen = chosen_for(settings, people=people, pictures=len(train.files))
    say(f"{start.name}; {words_of(chosen, settings)}")
    run = {
        "dataset": str(dataset),
        "model": start.name,
        "settings": settings.to_dict(),
        "chosen": chosen,
        "architecture": dict(start.architecture),
        "size": start.size,
        "how": prepared.how,
        "remarks": prepared.remarks,
        "left_out": prepared.left_out,
        "splits": split_lists(prepared),
    }
    runs.write_new_run(folder, TASK, run)
    keep_faces(folder, prepared.faces)
    return folder


def words_of(chosen, settings):
    """What was chosen, as a person reads it."""
    return ", ".join(
        [
            f"batches of {chosen['people']} people with {chosen['pictures']} pictures",
            f"{counted(chosen['epochs'], 'epoch', 'epochs')} "
            f"of {counted(chosen['steps'], 'step', 'steps')}",
            f"augmentation {settings.augment}",
            f"the backbone frozen in {chosen['frozen_epochs'] or 'none'} of them",
            f"learning rate {chosen['learning_rate']:g}",
        ]
    )


def go_on(folder, *, say, progress=silent):
    """Train a prepared run, or go on with one; see `training.runs.go_on`."""
    return runs.go_on(folder, TASK, say=say, progress=progress)


def write_sheet(training):
    """augmented.jpg: the faces of some people as the network sees them."""
    path = training.folder / SHEET_FILE
    if path.exists():
        return
    batches = FaceBatches(
        training.faces["train"],
        training.splits["train"].numbers,
        training.size,
        people=SHEET_SIDE,
        pictures=SHEET_SIDE,
        steps=1,
        seed=training.settings.seed,
        augmentation=AUGMENTATIONS[training.settings.augment],
    )
    write_picture(path, training_sheet(batches), overwrite=True)


TASK = runs.Task(
    name="verify",
    files=RUN_FILES,
    open=open_training,
    write_sheet=write_sheet,
    train=train,
    count=faces_to_score,
    finish=finish,
)
