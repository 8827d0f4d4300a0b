"""How a detector's fine-tuning starts, and what it brings to the mechanism of runs."""

from __future__ import annotations

import numpy as np

from cvtool.detection.anchors import kmeans_anchors, mean_best_iou
from cvtool.detection.batches import AUGMENTATIONS
from cvtool.detection.finetuning import open_training, train, training_batches
from cvtool.detection.finishing import RUN_FILES, SHEET_FILE, finish, pictures_to_predict
from cvtool.detection.preparation import prepare, split_lists
from cvtool.detection.settings import SCRATCH, chosen_for, small_object
from cvtool.detection.sheet import training_sheet
from cvtool.errors import ModelError
from cvtool.models.presets import find_model
from cvtool.pictures.writing import check_output_folder, write_picture
from cvtool.training import runs
from cvtool.training.devices import training_strategy
from cvtool.training.page import counted
from cvtool.training.run_folder import choose_folder
from cvtool.training.runs import name_of, silent

# The model whose network a training from scratch takes over, without its weights.
PATTERN = "everyday"

# Mean best IoU with the new boxes under which the anchors that came with the model are
# given up: what its head knows of them is then worth less than a better fit.
LOW_FIT = 0.55


def start_run(
    dataset,
    settings,
    *,
    out=None,
    overwrite=False,
    pictures=None,
    split=None,
    test=None,
    force=False,
    say,
    on_picture=None,
):
    """Prepare a data set and the run folder of its training.

    Args:
        dataset, pictures, split, test, force: see `preparation.prepare`.
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
    source = find_detector(PATTERN if scratch else settings.backbone)
    training_strategy(settings.gpus)
    folder = choose_folder(
        name_of(dataset),
        out,
        overwrite=overwrite,
        read=(dataset, test, pictures),
        kept=(None if scratch else settings.backbone,),
    )
    check_output_folder(folder, "name another with --out")
    prepared = prepare(
        dataset,
        pictures=pictures,
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
    train_part = prepared.splits["train"]
    chosen = chosen_for(
        settings,
        pictures=len(train_part.examples),
        small_object=small_object(train_part),
        native_size=source.size,
    )
    anchors, words = fitting_anchors(train_part, chosen["size"], np.array(source.anchors), scratch)
    say(words)
    model = f"{SCRATCH} from scratch" if scratch else source.name
    frozen, epochs = chosen["frozen_epochs"], chosen["epochs"]
    held = "" if scratch else f", the backbone frozen in {frozen or 'none'} of them"
    say(
        f"{model}; size {chosen['size']}, batch {chosen['batch']}, "
        f"{counted(epochs, 'epoch', 'epochs')}{held}, "
        f"learning rate {chosen['learning_rate']:g}"
    )
    run = {
        "dataset": str(dataset),
        "model": model,
        "settings": settings.to_dict(),
        "chosen": chosen,
        "architecture": dict(source.architecture),
        "anchors": anchors.tolist(),
        "strides": list(source.strides),
        "classes": list(prepared.classes),
        "how": prepared.how,
        "remarks": [*prepared.remarks, words],
        "splits": split_lists(prepared.splits),
    }
    runs.write_new_run(folder, TASK, run)
    return folder


def go_on(folder, *, say, progress=silent):
    """Train a prepared run, or go on with one; see `training.runs.go_on`."""
    return runs.go_on(folder, TASK, say=say, progress=progress)


def find_detector(name):
    """The preset of a detector to start from.

    Raises:
        ModelError: no such model, or one for another task.
    """
    preset = find_model(name)
    if preset.task != "detect":
        raise ModelError(
            f'--backbone: model "{preset.name}" is for {preset.task}, and the data set has boxes; '
            "give a detector"
        )
    if "darknet" in preset.architecture:
        raise ModelError(
            f'--backbone: model "{preset.name}" was imported from Darknet, and cvtool cannot train '
            "such a network; give everyday or a model that cvtool trained"
        )
    return preset


def fitting_anchors(dataset, size, anchors, scratch):
    """The anchors to train with, and a sentence about them.

    Those that came with the model are kept as long as they fit, since its head was trained
    for them.

    Args:
        dataset: DetectionDataset to train on, with at least one object.
        size: side of the network's input, pixels.
        anchors: float (S, A, 2), of the model, pixels.
        scratch: whether no weights are taken over, so that nothing speaks for the old ones.
    """
    boxes = np.concatenate(
        [e.boxes[~e.crowd] * (size / max(e.width, e.height)) for e in dataset.examples]
    )
    sizes = boxes[:, 2:] - boxes[:, :2]
    old = mean_best_iou(sizes, anchors.reshape(-1, 2))
    count = anchors.shape[0] * anchors.shape[1]
    enough = len(np.unique(sizes, axis=0)) >= count
    if (old >= LOW_FIT and not scratch) or not enough:
        return anchors, f"anchors kept: mean best IoU {old:.2f} with the training boxes"
    new = kmeans_anchors(sizes, count).round(1).reshape(anchors.shape)
    fit = mean_best_iou(sizes, new.reshape(-1, 2))
    return (
        new,
        f"anchors fitted anew: mean best IoU {fit:.2f} with the training boxes, was {old:.2f}",
    )


def write_sheet(training):
    """augmented.jpg: training pictures with their boxes, as the network sees them."""
    path = training.folder / SHEET_FILE
    if path.exists():
        return
    batches = training_batches(training, 0, AUGMENTATIONS[training.settings.augment])
    sheet = training_sheet(batches, training.classes)
    write_picture(path, sheet, overwrite=True)


TASK = runs.Task(
    name="detect",
    files=RUN_FILES,
    open=open_training,
    write_sheet=write_sheet,
    train=train,
    count=pictures_to_predict,
    finish=finish,
)
