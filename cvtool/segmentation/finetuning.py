"""Train a U-Net on masks: the expanding path first, then, at half the rate, all of it.

What a backbone learnt from many pictures is kept where there are few, and adapted where
there are more (Yosinski 2014). An epoch has some steps whatever the number of pictures:
changed at random each time, few of them teach for long (Ronneberger et al. 2015, section 3.1).

A run folder holds what `cvtool.training.checkpoints` writes, run.json with all settings and
the files of each split, and at the end what `segmentation.finishing` writes. A run that was
killed goes on from its last whole epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import keras
import numpy as np

from cvtool.datasets.masked import MaskDataset
from cvtool.segmentation import unet
from cvtool.segmentation.augmentation import AUGMENTATIONS
from cvtool.segmentation.batches import SegmentationBatches
from cvtool.segmentation.losses import LOSSES
from cvtool.segmentation.metrics import foreground_iou, mean_iou, pixel_accuracy
from cvtool.segmentation.preparation import dataset_from
from cvtool.segmentation.scoring import read_scaled, score_dataset
from cvtool.segmentation.settings import settings_from
from cvtool.segmentation.targets import balanced_weights
from cvtool.segmentation.transfer import find_start, freeze_contracting, started_from
from cvtool.training.balance import repeat_factors
from cvtool.training.checkpoints import Checkpoint, read_state, resume
from cvtool.training.devices import scope_of, training_strategy
from cvtool.training.memory import BoundedCache
from cvtool.training.phases import compile_phase, fit, keep_average, phases_of, words_of_stopping
from cvtool.training.precision import set_precision
from cvtool.training.reports import Progress
from cvtool.training.stopping import StopOnNaN, StopWithoutGain

# The figure of the dev pictures that decides which epoch is best.
METRIC = "dev_miou"
# How much more rare classes' pixels weigh, see `targets.balanced_weights`; the Dice loss weighs
# all classes alike already.
CLASS_POWER = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """What run.json says, ready to be worked on.

    Attributes:
        folder: run folder.
        settings: Settings.
        chosen: dict of `settings.chosen_for`.
        architecture: of the network, as `unet.build` takes it.
        classes: names, the background first.
        splits: split name -> MaskDataset.
        pixels: int64 (N, C), the pixels of each class in the training masks.
        cache: of training pictures and their masks, and of dev pictures as the network sees
            them.
    """

    folder: Path
    settings: object
    chosen: dict
    architecture: dict
    classes: tuple[str, ...]
    splits: dict[str, MaskDataset]
    pixels: np.ndarray
    cache: BoundedCache = field(default_factory=BoundedCache)


class TrainingBatches(SegmentationBatches):
    """Batches of pictures that are read at the size that is needed, whatever their own.

    Args:
        longest: patches are cut out of pictures scaled to this longer side; whole pictures are
            only shrunk to it, for they are scaled again. Pixels.
        others: of `SegmentationBatches`.
    """

    def __init__(self, dataset, *others, longest, **named):
        self.longest = longest
        super().__init__(dataset, *others, **named)

    def read(self, index):
        kept = self.cache.get(index)
        if kept is None:
            example = self.examples[index]
            kept = read_scaled(self.dataset, example, self.longest, enlarge=self.patches)
            self.cache[index] = kept
        return kept


def open_training(folder, run):
    """Make a Training of a run folder and the content of its run.json."""
    classes, colours = tuple(run["classes"]), run["colours"]
    if colours is not None:
        colours = tuple(tuple(colour) for colour in colours)
    return Training(
        folder=Path(folder),
        settings=settings_from(run["settings"]),
        chosen=run["chosen"],
        architecture=run["architecture"],
        classes=classes,
        splits={
            name: dataset_from(part, classes, colours, name) for name, part in run["splits"].items()
        },
        pixels=np.array(run["splits"]["train"]["pixels"], np.int64),
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
    if training.settings.from_scratch is not None:
        return unet.build(len(training.classes), training.architecture)
    return started_from(find_start(training.settings.backbone), training.classes)


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
        freeze_contracting(network, phase.frozen)
    done = max(phase.start, read_state(folder)["epoch"])
    compile_phase(network, phase, settings, chosen["steps"], LOSSES[settings.loss])
    if done > phase.start:
        resume(network, folder)
    elif not scratch:
        what = "the expanding path, the backbone is frozen" if phase.frozen else "all layers"
        say(f"from epoch {phase.start + 1} on: {what}, learning rate {phase.rate:g}")
    if done < phase.end:
        checkpoint = Checkpoint(folder, lambda model: dev_scores(training, model), METRIC)
        checkpoint.total_epochs = chosen["epochs"]
        patience = StopWithoutGain(folder, settings.patience)
        callbacks = [StopOnNaN(), checkpoint, Progress(chosen["epochs"]), patience]
        if not patience.stopped:
            fit(network, training_batches(training, done), done, phase.end, callbacks)
        if patience.stopped:
            return words_of_stopping(folder)
    keep_average(network)
    return None


def training_batches(training, epoch):
    """The training batches from that epoch on."""
    settings, chosen = training.settings, training.chosen
    size, patch = chosen["size"], chosen["patch"]
    weights = factors = None
    if settings.balance:
        weights = balanced_weights(training.pixels.sum(axis=0), CLASS_POWER)
        factors = repeat_factors(training.pixels[:, 1:] > 0)
    return TrainingBatches(
        training.splits["train"],
        patch or size,
        chosen["batch"],
        seed=settings.seed,
        epoch=epoch,
        augmentation=AUGMENTATIONS[chosen["augment"]],
        patches=patch is not None,
        factors=factors,
        steps=chosen["steps"],
        class_weights=weights,
        boundary=settings.boundary,
        cache=training.cache,
        longest=2 * size if patch is None else size,
    )


def dev_scores(training, network):
    """Figures of a network on the dev pictures."""
    confusion = score_dataset(
        network, training.splits["dev"], training.chosen["size"], training.cache
    )
    return {
        "dev_miou": mean_iou(confusion),
        "dev_foreground_iou": foreground_iou(confusion),
        "dev_accuracy": pixel_accuracy(confusion),
    }
