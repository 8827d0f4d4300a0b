"""Fine-tune a classifier: the head on cached features, then the released layers.

The recipe is that of Donahue 2014 ("DeCAF") for the head and of Yosinski 2014 for the
rest: what a backbone learnt on many pictures is kept where there are few, and adapted at
a low learning rate where there are more.

A run folder holds what `cvtool.training.checkpoints` writes, run.json with all settings
and the pictures of each split, and at the end what `classification.finishing` writes. A
run that was killed goes on from its last whole epoch, or with the cached features.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import keras
import numpy as np

from cvtool.classification import networks
from cvtool.classification.augmentation import AUGMENTATIONS, colour_basis
from cvtool.classification.batches import ClassificationBatches, one_hot
from cvtool.classification.features import cached_features, train_head
from cvtool.classification.losses import training_loss
from cvtool.classification.release import backbone_of, release
from cvtool.classification.scoring import activate, predict_logits, scores_of
from cvtool.classification.settings import settings_from
from cvtool.classification.store import PictureStore
from cvtool.models.applications import APPLICATIONS
from cvtool.models.presets import find_model, preset_file
from cvtool.training.checkpoints import (
    Checkpoint,
    append_history,
    load_checkpoint,
    read_state,
    resume,
    save_weights,
    write_state,
)
from cvtool.training.devices import scope_of, training_strategy
from cvtool.training.optimizers import fit_to, optimizer_named, schedule_named
from cvtool.training.page import counted
from cvtool.training.phases import fit, words_of_stopping
from cvtool.training.precision import set_precision
from cvtool.training.reports import Progress
from cvtool.training.seeds import SeedEachEpoch
from cvtool.training.stopping import StopOnNaN, StopWithoutGain

FEATURES_FILES = ("features.npz", "features-mirrored.npz", "features-dev.npz")


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """What run.json says, ready to be worked on.

    Attributes:
        folder: run folder.
        settings: Settings.
        chosen: dict of `settings.chosen_for`.
        architecture: of the network, as `networks.classifier` takes it.
        classes: labels.
        several: several labels a picture.
        store: PictureStore of all pictures.
        targets: float32 (N, C).
        splits: split name -> int array of positions in the store.
    """

    folder: Path
    settings: object
    chosen: dict
    architecture: dict
    classes: tuple[str, ...]
    several: bool
    store: PictureStore
    targets: np.ndarray
    splits: dict[str, np.ndarray]

    @property
    def train_size(self):
        """Side of the squares that are trained on, pixels."""
        # Runs of earlier versions do not say; theirs were of the network's size.
        return self.chosen.get("train_size", self.chosen["size"])

    @property
    def metric(self):
        """The figure of the dev pictures that decides which epoch is best."""
        return "dev_map" if self.several else "dev_top1"


def open_training(folder, run):
    """Make a Training of a run folder and the content of its run.json."""
    settings = settings_from(run["settings"])
    paths, labels, splits = [], [], {}
    for name, part in run["splits"].items():
        splits[name] = np.arange(len(paths), len(paths) + len(part["files"]))
        paths += part["files"]
        labels += part["labels"]
    several = run["several"]
    if several:
        labels = [[np.nan if value is None else value for value in row] for row in labels]
    return Training(
        folder=Path(folder),
        settings=settings,
        chosen=run["chosen"],
        architecture=run["architecture"],
        classes=tuple(run["classes"]),
        several=several,
        store=PictureStore(paths, run["chosen"]["size"]),
        targets=one_hot(labels, len(run["classes"])),
        splits=splits,
    )


def train(training, *, say):
    """Train, or go on with it, until the last epoch.

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
    strategy = training_strategy(settings.gpus)
    with scope_of(strategy):
        network = start_network(training)
    before = 0
    if settings.from_scratch is None:
        before = training.chosen["head_epochs"]
        if read_state(training.folder)["epoch"] == 0:
            # On one device: a layer on cached features is not worth the communication.
            begin_with_head(training, network, say)
    with scope_of(strategy):
        return train_released(training, network, before, say)


def start_network(training):
    """The classifier with the weights that the training begins with."""
    settings = training.settings
    public = settings.from_scratch is None and settings.backbone in APPLICATIONS
    network = networks.classifier(
        training.architecture,
        len(training.classes),
        several=training.several,
        weights="imagenet" if public else None,
    )
    if settings.from_scratch is None and not public:
        source = find_model(settings.backbone)
        donor = networks.build(source)
        donor.load_weights(preset_file(source, "weights"))
        backbone_of(network).set_weights(backbone_of(donor).get_weights())
    return network


def begin_with_head(training, network, say):
    """Train the last layer on cached features; leaves a scored best.weights.h5 behind."""
    settings, chosen, size = training.settings, training.chosen, training.chosen["size"]
    extractor = networks.features_of(network)
    head_only = chosen["unfreeze"] == "head"
    key = f"{settings.backbone} {size} {training.architecture}"
    wanted = [("train", False, FEATURES_FILES[0]), ("dev", False, FEATURES_FILES[2])]
    if head_only and AUGMENTATIONS[settings.augment].mirror:
        wanted.insert(1, ("train", True, FEATURES_FILES[1]))
    start = time.perf_counter()
    parts = [
        cached_features(
            extractor,
            training.store,
            training.splits[split],
            training.folder / file,
            mirrored=mirrored,
            key=f"{key} {mirrored}",
        )
        for split, mirrored, file in wanted
    ]
    say(
        f"features of {sum(map(len, parts))} pictures computed and cached in "
        f"{time.perf_counter() - start:.0f} s"
    )
    epochs = chosen["head_epochs"]
    train_targets = np.nan_to_num(training.targets[training.splits["train"]], nan=-1.0)
    dev_targets = training.targets[training.splits["dev"]]
    start = time.perf_counter()
    kernel, bias, history = train_head(
        np.concatenate(parts[:-1]),
        np.concatenate([train_targets] * (len(parts) - 1)),
        dev=(parts[-1], np.nan_to_num(dev_targets, nan=-1.0)),
        several=training.several,
        epochs=epochs,
        batch=chosen["batch"],
        dropout=settings.dropout,
        label_smoothing=settings.label_smoothing,
        weight_decay=settings.weight_decay,
        seed=settings.seed,
    )
    network.get_layer(networks.LOGITS).set_weights([kernel, bias])
    probabilities = activate(parts[-1] @ kernel + bias, training.several)
    figures = scores_of(probabilities, dev_targets, training.several)
    say(
        f"head trained for {counted(epochs, 'epoch', 'epochs')} "
        f"in {time.perf_counter() - start:.1f} s: "
        + "  ".join(f"{name} {value:.4f}" for name, value in figures.items())
    )
    for epoch in range(epochs):
        row = {"epoch": epoch + 1, "loss": history["loss"][epoch]}
        if not training.several:
            row |= {
                "accuracy": history["accuracy"][epoch],
                "dev_top1": history["val_accuracy"][epoch],
                "dev_loss": history["val_cross_entropy"][epoch],
            }
        append_history(training.folder / "history.csv", row)
    save_weights(networks.logits_of(network), training.folder / "best.weights.h5")
    best = {"best": figures[training.metric], "best_epoch": epochs}
    write_state(training.folder, best | {"epoch": epochs})


def train_released(training, network, done_before, say):
    """Train the released layers, epochs numbered on from `done_before`."""
    settings, chosen, folder = training.settings, training.chosen, training.folder
    last = done_before + chosen["epochs"]
    done = read_state(folder)["epoch"]
    if done >= last:
        return None
    if settings.from_scratch is None:
        # Runs of earlier versions do not say; theirs stayed frozen.
        norms = chosen.get("train_norms", False)
        released = release(network, chosen["unfreeze"], chosen["size"], norms=norms)
        say(f"{len(released)} layers of the backbone released, from {released[0]} on")
    model = networks.logits_of(network)
    if done and done == done_before:
        load_checkpoint(model, folder / "best.weights.h5")
    batches = training_batches(training, done - done_before)
    steps = len(batches) * chosen["epochs"]
    schedule = schedule_named(
        settings.schedule, chosen["learning_rate"], steps, round(steps * settings.warmup)
    )
    optimizer = optimizer_named(settings.optimizer, schedule, weight_decay=settings.weight_decay)
    fit_to(optimizer, model)
    model.compile(
        optimizer,
        training_loss(training.several, settings.label_smoothing),
        # By name, it would make its variables in the first step; see `fit_to`.
        metrics=[] if training.several else [keras.metrics.CategoricalAccuracy("accuracy")],
    )
    if done > done_before:
        resume(model, folder)
        say(f"going on after epoch {done} of {last}")
    checkpoint = Checkpoint(folder, lambda network: dev_scores(training, network), training.metric)
    patience = StopWithoutGain(folder, settings.patience)
    callbacks = [SeedEachEpoch(settings.seed), StopOnNaN(), checkpoint, Progress(last), patience]
    if not patience.stopped:
        fit(model, batches, done, last, callbacks)
    if patience.stopped:
        return words_of_stopping(folder)
    return None


def training_batches(training, epoch):
    """The batches of the fine-tuning, from that epoch on."""
    settings, chosen = training.settings, training.chosen
    train = training.splits["train"]
    augmentation = AUGMENTATIONS[settings.augment]
    basis = None
    if augmentation.pca:
        sample = np.random.default_rng(settings.seed).permutation(train)[:200]
        basis = colour_basis([training.store[i] for i in sample])
    return ClassificationBatches(
        training.store,
        training.targets,
        train,
        side=training.train_size,
        batch=chosen["batch"],
        augmentation=augmentation,
        colour_basis=basis,
        balance=settings.balance,
        seed=settings.seed,
        epoch=epoch,
    )


def dev_scores(training, model):
    """Figures of a network of logits on the dev pictures."""
    dev = training.splits["dev"]
    logits = predict_logits(model, training.store, dev, keep=True)
    return scores_of(activate(logits, training.several), training.targets[dev], training.several)
