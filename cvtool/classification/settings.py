"""What `finetune` can be told, and what it chooses where it is told nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from cvtool.classification.augmentation import AUGMENTATIONS
from cvtool.classification.classifier import SMALLEST_SIZE
from cvtool.errors import OptionError
from cvtool.training.settings import (
    check_positive,
    check_shares,
    check_training,
    known_values,
    one_of,
)

PARTS = ("head", "last", "all")

# Pictures to train on from which it pays to release the last stage, and the whole backbone.
LAST_FROM, ALL_FROM = 500, 2000

# Steps that the head needs at least; on cached features they take a second or two.
HEAD_STEPS = 300

# Pictures shown in all epochs after the head's, whatever the size of the set; and the fewest
# and the most epochs.
SHOWN = {"pre-trained": (120_000, 8, 30), "from scratch": (180_000, 24, 90)}

# Side of the network's input for photographs; smaller pictures get a smaller one. A backbone
# that stays as it came knows objects of a smaller size than one that is trained on.
LARGEST_DEFAULT_SIZE, LARGEST_IF_ALL_IS_TRAINED = 128, 160

# Random crops show objects larger than the whole picture does; on squares smaller by about this
# factor they have the size at which the trained network will see them, and an epoch takes two
# thirds of the time (Touvron et al. 2019, "Fixing the train-test resolution discrepancy").
TRAINING_SHARE = 0.8
# tiny200 has learnt from such; and not every network takes smaller ones.
SMALLEST_CROP = 80

# Fewer pictures a step are too few for the statistics of batch norm.
SMALLEST_BATCH_FOR_NORMS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All knobs of a fine-tuning. None means: chosen from the data, see `chosen_for`.

    Attributes:
        backbone: preset, folder of a trained classifier, or a name of
            `models.applications.APPLICATIONS`; not used with from_scratch.
        from_scratch: name of a network of `classification.scratch.SCRATCH` to train from
            random weights.
        size: side of the network's square input, pixels.
        unfreeze: what is trained after the head: "head" (nothing more), "last" (the
            layers at the coarsest resolution), "all", or the name of the layer from
            which on.
        epochs: passes over the training pictures after the head's own.
        head_epochs: passes over the cached features, about 300 steps or more if None.
        batch: pictures a step.
        optimizer, schedule: see `training.optimizers`.
        learning_rate: highest rate after the head's training.
        warmup: share of the steps in which the rate rises.
        weight_decay, dropout, label_smoothing: regularisation, all in [0, 1).
        patience: stop after so many epochs without a better dev score; 0 never stops.
        balance: draw the classes equally often.
        augment: "none", "light" or "strong".
        precision: "auto", "float32" or "bfloat16".
        gpus: "one", or "all" GPUs of this machine.
        seed: of the split, the weights and the order of the pictures.
        human_error: error of people on this task, for the diagnosis; None if unknown.
    """

    backbone: str = "tiny200"
    from_scratch: str | None = None
    size: int | None = None
    unfreeze: str | None = None
    epochs: int | None = None
    head_epochs: int | None = None
    batch: int | None = None
    optimizer: str = "adamw"
    schedule: str = "cosine"
    learning_rate: float | None = None
    warmup: float = 0.1
    weight_decay: float = 0.02
    dropout: float = 0.2
    label_smoothing: float = 0.1
    patience: int = 0
    balance: bool = False
    augment: str = "light"
    precision: str = "auto"
    gpus: str = "one"
    seed: int = 0
    human_error: float | None = None

    def __post_init__(self):
        """Raises OptionError for a value that makes no sense."""
        one_of("--augment", self.augment, tuple(AUGMENTATIONS))
        check_training(self)
        check_shares(self, "warmup", "weight_decay", "dropout", "label_smoothing")
        check_positive(self, "size", "epochs", "head_epochs", "batch", "learning_rate")
        if self.size is not None and self.size < SMALLEST_SIZE:
            raise OptionError(f"--size {self.size} is under {SMALLEST_SIZE} pixels")
        if self.human_error is not None and not 0 <= self.human_error <= 1:
            raise OptionError(f"--human-error {self.human_error} is not in [0, 1]")
        if self.unfreeze == "head" and self.epochs is not None:
            raise OptionError("--epochs has no meaning with --unfreeze head; use --head-epochs")
        if self.from_scratch is not None and self.unfreeze is not None:
            raise OptionError("--unfreeze has no meaning with --from-scratch: all is trained")

    def to_dict(self):
        """As JSON keeps it."""
        return asdict(self)


def settings_from(values):
    """Settings from a dict as `to_dict` made it; keys of newer versions are left out."""
    return Settings(**known_values(Settings, values))


def chosen_for(settings, *, pictures, short_side, native_size):
    """Fill in what the settings leave open.

    Args:
        settings: Settings.
        pictures: how many there are to train on.
        short_side: median of the shorter sides of these pictures, pixels.
        native_size: of the backbone or network, pixels.
    Returns:
        dict of the values by name: size, train_size (side of the augmented squares, at most
        size), unfreeze, train_norms (whether batch-norm layers of the backbone are trained
        too), epochs, head_epochs, batch, learning_rate.
    """
    scratch = settings.from_scratch is not None
    unfreeze = "head" if pictures < LAST_FROM else "last" if pictures < ALL_FROM else "all"
    if unfreeze == "head" and settings.epochs is not None:
        unfreeze = "last"  # epochs that were asked for are not for nothing
    unfreeze = "all" if scratch else settings.unfreeze or unfreeze
    size = native_size
    if not scratch:
        # Larger than the backbone's own where the pictures have more to show.
        largest = LARGEST_IF_ALL_IS_TRAINED if unfreeze == "all" else LARGEST_DEFAULT_SIZE
        size = max(native_size, min(largest, int(short_side) // 32 * 32))
    shown, fewest, most = SHOWN["from scratch" if scratch else "pre-trained"]
    epochs = min(most, max(fewest, round(shown / max(pictures, 1))))
    batch = settings.batch or (64 if pictures >= 1000 else 32)
    batch = min(batch, pictures)
    head_epochs = min(100, max(30, -(-HEAD_STEPS * batch // pictures)))
    values = {
        "size": size,
        "unfreeze": unfreeze,
        "epochs": 0 if unfreeze == "head" else epochs,
        "head_epochs": head_epochs,
        "learning_rate": 2e-3 if scratch else 1e-3,
    }
    values |= {key: value for key in values if (value := getattr(settings, key)) is not None}
    all_released = unfreeze == "all" and not scratch
    smaller = all_released and AUGMENTATIONS[settings.augment].crop < 1
    return values | {
        "batch": batch,
        "train_size": smaller_size(values["size"]) if smaller else values["size"],
        "train_norms": all_released and batch >= SMALLEST_BATCH_FOR_NORMS,
    }


def smaller_size(size):
    """Side of the random crops that a network of that input size is trained on, pixels."""
    return min(size, max(SMALLEST_CROP, round(TRAINING_SHARE * size / 16) * 16))
