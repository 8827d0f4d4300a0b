"""Fine-tune a detector: the head and neck first, then, at half the rate, all of it.

What a backbone learnt from many pictures is kept where there are few, and adapted where
there are more (Yosinski 2014). The last epochs go without mosaics, so that the network ends
with pictures as it will meet them (as in YOLOX, Ge et al. 2021, section 2.1).

A run folder holds what `cvtool.training.checkpoints` writes, run.json with all settings and
the boxes of each split, and at the end what `detection.finishing` writes. A run that was
killed goes on from its last whole epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import keras
import numpy as np

from cvtool.backbones import freeze_backbone
from cvtool.datasets.boxed import DetectionDataset
from cvtool.detection.batches import AUGMENTATIONS, DetectionBatches
from cvtool.detection.detector import build
from cvtool.detection.loss import YoloLoss
from cvtool.detection.metrics import evaluate_detections
from cvtool.detection.preparation import dataset_from
from cvtool.detection.scoring import predict_dataset
from cvtool.detection.settings import settings_from
from cvtool.detection.transfer import transferred
from cvtool.detection.yolo import yolo
from cvtool.models.presets import find_model, preset_file
from cvtool.training.checkpoints import Checkpoint, read_state, resume
from cvtool.training.devices import scope_of, training_strategy
from cvtool.training.memory import BoundedCache
from cvtool.training.phases import compile_phase, fit, keep_average, phases_of, words_of_stopping
from cvtool.training.precision import set_precision
from cvtool.training.reports import Progress
from cvtool.training.stopping import StopOnNaN, StopWithoutGain

# The figure of the dev pictures that decides which epoch is best: mAP50 is soon full on few
# pictures and says nothing of how well the boxes fit.
METRIC = "dev_mAP50_95"
# A released backbone has half of the head's rate, see `settings.chosen_for`.
BALANCE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """What run.json says, ready to be worked on.

    Attributes:
        folder: run folder.
        settings: Settings.
        chosen: dict of `settings.chosen_for`.
        architecture: of the network, as `yolo` takes it.
        anchors: float64 (S, A, 2), pixels.
        strides: S strides, pixels.
        classes: names.
        splits: split name -> DetectionDataset.
        cache: of decoded training pictures, and of dev pictures as the network sees them.
    """

    folder: Path
    settings: object
    chosen: dict
    architecture: dict
    anchors: np.ndarray
    strides: tuple[int, ...]
    classes: tuple[str, ...]
    splits: dict[str, DetectionDataset]
    cache: BoundedCache = field(default_factory=BoundedCache)


def open_training(folder, run):
    """Make a Training of a run folder and the content of its run.json."""
    classes = tuple(run["classes"])
    return Training(
        folder=Path(folder),
        settings=settings_from(run["settings"]),
        chosen=run["chosen"],
        architecture=run["architecture"],
        anchors=np.array(run["anchors"]),
        strides=tuple(run["strides"]),
        classes=classes,
        splits={name: dataset_from(part, classes, name) for name, part in run["splits"].items()},
    )


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
        CvtoolError: a picture or file went missing, a disk is full ...
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
        for phase in phases_of(training.chosen):
            if done > phase.end:
                continue
            stopped = train_phase(training, network, phase, say)
            if stopped:
                return stopped
    return None


def start_network(training):
    """The network with the weights that the training begins with."""
    settings, anchors = training.settings, training.anchors
    if settings.from_scratch is not None:
        return yolo(len(training.classes), num_anchors=anchors.shape[1], **training.architecture)
    source = find_model(settings.backbone)
    donor = build(source)
    donor.load_weights(preset_file(source, "weights"))
    return transferred(
        donor,
        source.classes,
        training.classes,
        num_anchors=anchors.shape[1],
        architecture=training.architecture,
    )


def train_phase(training, network, phase, say):
    """Train the epochs of one phase that are still to do; the averaged weights are left behind.

    Returns:
        why it ended early, or None.
    """
    settings, chosen, folder = training.settings, training.chosen, training.folder
    scratch = settings.from_scratch is not None
    if scratch:
        network.trainable = True
    else:
        freeze_backbone(network, phase.frozen)
    done = max(phase.start, read_state(folder)["epoch"])
    plain = replace(AUGMENTATIONS[settings.augment], mosaic=0.0, mixup=0.0)
    plain_from = max(phase.start, chosen["epochs"] - chosen["plain_epochs"])
    plain_from = min(plain_from, phase.end)
    parts = [
        (phase.start, plain_from, AUGMENTATIONS[settings.augment]),
        (plain_from, phase.end, plain),
    ]
    steps = len(training_batches(training, phase.start, plain))
    loss = YoloLoss(training.anchors, chosen["size"], len(training.classes), training.strides)
    compile_phase(network, phase, settings, steps, loss)
    if done > phase.start:
        resume(network, folder)
    elif not scratch:
        what = "head and neck, the backbone is frozen" if phase.frozen else "all layers"
        say(f"from epoch {phase.start + 1} on: {what}, learning rate {phase.rate:g}")
    checkpoint = Checkpoint(folder, lambda model: dev_scores(training, model), METRIC)
    checkpoint.total_epochs = chosen["epochs"]
    progress = Progress(chosen["epochs"])
    patience = StopWithoutGain(folder, settings.patience)
    for start, end, augmentation in parts:
        if done >= end:
            continue
        if patience.stopped:
            break
        if done == start > phase.start:
            # Keras ends each `fit` with the averaged weights; a run resumed here does likewise.
            keep_average(network)
        batches = training_batches(training, done, augmentation)
        fit(network, batches, done, end, [StopOnNaN(), checkpoint, progress, patience])
        done = end
    if patience.stopped:
        return words_of_stopping(folder)
    keep_average(network)
    return None


def training_batches(training, epoch, augmentation):
    """The training batches from that epoch on."""
    return DetectionBatches(
        training.splits["train"],
        training.anchors,
        training.chosen["size"],
        training.chosen["batch"],
        seed=training.settings.seed,
        epoch=epoch,
        augmentation=augmentation,
        strides=training.strides,
        cache=training.cache,
        balance=BALANCE if training.settings.balance else 0.0,
    )


def dev_scores(training, network):
    """Figures of a network on the dev pictures."""
    dev = training.splits["dev"]
    predictions = predict_dataset(
        network,
        dev,
        size=training.chosen["size"],
        anchors=training.anchors,
        strides=training.strides,
        cache=training.cache,
    )
    report = evaluate_detections(dev, predictions)
    return {f"dev_{name}": report[name] for name in ("mAP50", "mAP50_95")}
