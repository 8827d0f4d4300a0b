"""Fine-tune a face network on folders of people, by triplets.

The embedding is trained first while the backbone is frozen, then all layers at a lower rate
(Yosinski 2014). Triplets (Schroff et al. 2015, section 3) rather than a softmax over the people:
that one pulls an embedding that has learnt from thousands of people towards the few there are.
The network that it starts from is epoch 0, and stays the best one where nothing is gained.

A run folder holds what `cvtool.training.checkpoints` writes, run.json with all settings
and the faces of each split, and at the end what `faces.finishing` writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import keras
import numpy as np

from cvtool.backbones import freeze_backbone
from cvtool.errors import ModelError
from cvtool.faces.augmentation import AUGMENTATIONS
from cvtool.faces.batches import FaceBatches
from cvtool.faces.facenet import DIMENSIONS
from cvtool.faces.metrics import auc, best_threshold, equal_error_rate
from cvtool.faces.preparation import BORDER, FaceSet, aligned_faces, faces_from
from cvtool.faces.scoring import all_pairs
from cvtool.faces.settings import settings_from
from cvtool.faces.triplets import semi_hard_loss
from cvtool.faces.verifier import build, embed_faces
from cvtool.models.presets import find_model, preset_file
from cvtool.training.checkpoints import (
    Checkpoint,
    append_history,
    read_state,
    resume,
    save_weights,
    write_state,
)
from cvtool.training.devices import scope_of, training_strategy
from cvtool.training.phases import compile_phase, fit, keep_average, phases_of, words_of_stopping
from cvtool.training.precision import set_precision
from cvtool.training.reports import Progress
from cvtool.training.seeds import SeedEachEpoch
from cvtool.training.stopping import StopOnNaN, StopWithoutGain

# The figure of the dev people that decides which epoch is best.
METRIC = "dev_auc"


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """What run.json says, ready to be worked on.

    Attributes:
        folder: run folder.
        settings: Settings.
        chosen: dict of `settings.chosen_for`.
        architecture, size: of the network, see `facenet.build`.
        splits: split name -> FaceSet.
        faces: split name -> uint8 (N, S, S, 3), aligned, with a border.
    """

    folder: Path
    settings: object
    chosen: dict
    architecture: dict
    size: int
    splits: dict[str, FaceSet]
    faces: dict[str, np.ndarray]


def open_training(folder, run):
    """Make a Training of a run folder and the content of its run.json."""
    splits = {name: faces_from(part) for name, part in run["splits"].items()}
    size = run["size"]
    return Training(
        folder=Path(folder),
        settings=settings_from(run["settings"]),
        chosen=run["chosen"],
        architecture=run["architecture"],
        size=size,
        splits=splits,
        faces=aligned_faces(folder, splits, size),
    )


def find_start(name):
    """The model to start from: Preset.

    Raises:
        ModelError: no such model, or not one for faces.
    """
    preset = find_model(name)
    if preset.task != "verify":
        raise ModelError(
            f'--backbone: model "{preset.name}" is for {preset.task}; give one that compares '
            "faces, such as facenet-lfw"
        )
    return preset


def train(training, *, say):
    """Train, or go on training, up to the last epoch.

    Args:
        training: Training.
        say: function(str), for what a person wants to know.
    Returns:
        why it ended early, or None. best.weights.h5 holds the best network so far, also
        when this is interrupted.
    Raises:
        TrainingError: the loss became NaN.
        CvtoolError: a file went missing, a disk is full ...
    """
    settings = training.settings
    # OpenCV's threads would compete with the training for the same cores.
    cv2.setNumThreads(1)
    keras.utils.set_random_seed(settings.seed)
    set_precision(settings.precision)
    with scope_of(training_strategy(settings.gpus)):
        network = start_network(training)
        done = read_state(training.folder)["epoch"]
        if done:
            say(f"going on after epoch {done} of {training.chosen['epochs']}")
        else:
            keep_start(training, network, say)
        for phase in phases_of(training.chosen):
            if done > phase.end:
                continue
            stopped = train_phase(training, network, phase, say)
            if stopped:
                return stopped
    return None


def start_network(training):
    """The network with the weights that the training begins with."""
    start = find_start(training.settings.backbone)
    network = build(start)
    network.load_weights(preset_file(start, "weights"))
    return network


def keep_start(training, network, say):
    """Score the network that the training begins with, as epoch 0: the best so far."""
    figures = dev_scores(training, network)
    say(
        "the model to start from, on the dev people: "
        + "  ".join(f"{name} {value:.4f}" for name, value in figures.items())
    )
    save_weights(network, training.folder / "best.weights.h5")
    append_history(training.folder / "history.csv", {"epoch": 0} | figures)
    write_state(training.folder, {"epoch": 0, "best": figures[METRIC], "best_epoch": 0})


def train_phase(training, network, phase, say):
    """Train the epochs of one phase that are still to do; the averaged weights are left behind.

    Returns:
        why it ended early, or None.
    """
    settings, chosen, folder = training.settings, training.chosen, training.folder
    freeze_backbone(network, phase.frozen)
    done = max(phase.start, read_state(folder)["epoch"])
    compile_phase(network, phase, settings, chosen["steps"], semi_hard_loss)
    if done > phase.start:
        resume(network, folder)
    else:
        what = "the embedding, the backbone is frozen" if phase.frozen else "all layers"
        say(f"from epoch {phase.start + 1} on: {what}, learning rate {phase.rate:g}")
    if done < phase.end:
        checkpoint = Checkpoint(folder, lambda model: dev_scores(training, model), METRIC)
        checkpoint.total_epochs = chosen["epochs"]
        patience = StopWithoutGain(folder, settings.patience)
        callbacks = [SeedEachEpoch(settings.seed), StopOnNaN(), checkpoint]
        callbacks += [Progress(chosen["epochs"]), patience]
        if not patience.stopped:
            fit(network, training_batches(training, done), done, phase.end, callbacks)
        if patience.stopped:
            return words_of_stopping(folder)
    keep_average(network)
    return None


def training_batches(training, epoch):
    """The training batches from that epoch on."""
    settings, chosen = training.settings, training.chosen
    return FaceBatches(
        training.faces["train"],
        training.splits["train"].numbers,
        training.size,
        people=chosen["people"],
        pictures=chosen["pictures"],
        steps=chosen["steps"],
        seed=settings.seed,
        epoch=epoch,
        augmentation=AUGMENTATIONS[settings.augment],
    )


def dev_scores(training, network):
    """Figures of a network on all pairs of the dev people."""
    pairs = all_pairs(training.splits["dev"].numbers, training.settings.seed)
    rows = embed_faces(
        network.predict_on_batch,
        without_border(training.faces["dev"][pairs.faces]),
        training.architecture.get("dimensions", DIMENSIONS),
    )
    distances = pairs.distances(rows)
    return {
        "dev_auc": auc(distances, pairs.same),
        "dev_eer": equal_error_rate(distances, pairs.same),
        "dev_accuracy": best_threshold(distances, pairs.same)[1],
    }


def without_border(faces):
    """Aligned faces as a network sees them outside of training, uint8 (N, size, size, 3)."""
    return faces[:, BORDER:-BORDER, BORDER:-BORDER]
