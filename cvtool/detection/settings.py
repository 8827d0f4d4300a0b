"""What the fine-tuning of a detector can be told, and what it chooses where told nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from cvtool.detection.batches import AUGMENTATIONS
from cvtool.detection.boxes import area
from cvtool.errors import OptionError
from cvtool.training.settings import (
    check_positive,
    check_shares,
    check_training,
    known_values,
    one_of,
)

FREEZES = ("backbone", "none")
# The only network that is trained from random weights.
SCRATCH = "yolo"

# Pictures to train on from which it pays to release the backbone.
RELEASE_FROM = 30
# Shown pictures, all epochs together, that the small sets tried needed; fewer pictures are
# shown more often.
SHOWN = 10_000
FEWEST_EPOCHS, MOST_EPOCHS = 12, 60
# Share of the epochs with a frozen backbone, and of those without mosaics at the end.
FROZEN_SHARE, PLAIN_SHARE = 0.15, 0.2

# A small object should have this side on the network's input, in pixels: much below it the
# finest grid, of 8 pixels a cell, loses sight of it.
SMALL_OBJECT = 20
SIZES = (256, 320, 416)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All knobs of a detector's fine-tuning. None means: chosen from the data.

    Attributes:
        backbone: preset, or folder of a trained detector, to start from; not used with
            from_scratch.
        from_scratch: "yolo" to start from random weights.
        size: side of the network's square input, pixels, a multiple of 32.
        epochs: passes over the training pictures.
        batch: pictures a step.
        freeze: "backbone" (stays as it came), "none" (nothing is frozen); None freezes it
            at first and releases it where there are pictures enough.
        optimizer, schedule: see `training.optimizers`.
        learning_rate: the highest rate while the backbone is frozen; a released one has
            half of it.
        warmup: share of the steps in which the rate rises.
        weight_decay: in [0, 1).
        patience: stop after so many epochs without a better dev score; 0 never stops.
        balance: show pictures of rare classes more often.
        augment: "none", "light" or "strong".
        precision: "auto", "float32" or "bfloat16".
        gpus: "one", or "all" GPUs of this machine.
        seed: of the split, the weights and the order of the pictures.
    """

    backbone: str = "everyday"
    from_scratch: str | None = None
    size: int | None = None
    epochs: int | None = None
    batch: int | None = None
    freeze: str | None = None
    optimizer: str = "adamw"
    schedule: str = "cosine"
    learning_rate: float | None = None
    warmup: float = 0.1
    weight_decay: float = 0.03
    patience: int = 0
    balance: bool = True
    augment: str = "light"
    precision: str = "auto"
    gpus: str = "one"
    seed: int = 0

    def __post_init__(self):
        """Raises OptionError for a value that makes no sense."""
        one_of("--augment", self.augment, tuple(AUGMENTATIONS))
        check_training(self)
        check_shares(self, "warmup", "weight_decay")
        check_positive(self, "size", "epochs", "batch", "learning_rate")
        if self.size is not None and self.size % 32:
            raise OptionError(f"--size {self.size} is not a multiple of 32; try 256 or 320")
        if self.freeze is not None:
            one_of("--freeze", self.freeze, FREEZES)
        if self.from_scratch is not None:
            one_of("--from-scratch", self.from_scratch, (SCRATCH,))
            if self.freeze is not None:
                raise OptionError("--freeze has no meaning with --from-scratch: all is trained")

    def to_dict(self):
        """As JSON keeps it."""
        return asdict(self)


def settings_from(values):
    """Settings from a dict as `to_dict` made it; keys of newer versions are left out."""
    return Settings(**known_values(Settings, values))


def chosen_for(settings, *, pictures, small_object, native_size):
    """Fill in what the settings leave open.

    Args:
        settings: Settings.
        pictures: how many there are to train on.
        small_object: size of a small object, see `small_object`; None without objects.
        native_size: of the model to start from, pixels.
    Returns:
        dict of the values by name: size, epochs, frozen_epochs, plain_epochs (the last,
        without mosaics), batch, learning_rate, released_rate.
    """
    scratch = settings.from_scratch is not None
    size = settings.size or size_for(small_object, native_size)
    epochs = min(MOST_EPOCHS, max(FEWEST_EPOCHS, round(SHOWN / max(pictures, 1))))
    epochs = settings.epochs or (3 * epochs if scratch else epochs)
    frozen = max(1, round(FROZEN_SHARE * epochs))
    if scratch or settings.freeze == "none":
        frozen = 0
    elif settings.freeze == "backbone" or pictures < RELEASE_FROM:
        frozen = epochs
    rate = settings.learning_rate or 2e-3
    return {
        "size": size,
        "epochs": epochs,
        "frozen_epochs": frozen,
        "plain_epochs": round(PLAIN_SHARE * epochs),
        "batch": min(settings.batch or 8, pictures),
        "learning_rate": rate,
        "released_rate": rate if scratch else rate / 2,
    }


def small_object(dataset):
    """The size of the small objects of the class with the smallest ones.

    Size is the root of a box's area as a share of its picture's longer side; small is the
    tenth percentile within a class. Classes with fewer than five boxes say too little, and
    boxes round groups nothing.

    Args:
        dataset: DetectionDataset.
    Returns:
        a share in (0, 1], or None without boxes.
    """
    sizes = [np.sqrt(area(e.boxes[~e.crowd])) / max(e.width, e.height) for e in dataset.examples]
    class_ids = [e.class_ids[~e.crowd] for e in dataset.examples]
    sizes = np.concatenate([np.zeros(0, np.float32), *sizes])
    class_ids = np.concatenate([np.zeros(0, np.int64), *class_ids])
    if not len(sizes):
        return None
    usual = [c for c in np.unique(class_ids) if (class_ids == c).sum() >= 5]
    groups = [sizes[class_ids == c] for c in usual] or [sizes]
    return float(min(np.quantile(group, 0.1) for group in groups))


def size_for(small_object, native_size):
    """The smallest usual input size at which small objects are seen well enough, pixels.

    Args:
        small_object: see `chosen_for`.
        native_size: the least size to choose.
    """
    sizes = [size for size in SIZES if size >= native_size] or [native_size]
    if small_object is None:
        return sizes[0]
    return next((size for size in sizes if small_object * size >= SMALL_OBJECT), sizes[-1])
