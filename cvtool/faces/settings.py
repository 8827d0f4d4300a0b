"""What the training on people can be told, and what it chooses where told nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from cvtool.faces.augmentation import AUGMENTATIONS
from cvtool.training.settings import (
    check_positive,
    check_shares,
    check_training,
    known_values,
    one_of,
)

FREEZES = ("backbone", "none")

# Pictures of a person in a batch.
PICTURES = 4
# Pictures a step.
BATCH = 64
# Pictures to train on from which it pays to release the backbone.
RELEASE_FROM = 100
# Pictures shown, all epochs together, as far as the number of epochs allows.
SHOWN = 10_000
FEWEST_EPOCHS, MOST_EPOCHS = 8, 16
# Steps an epoch has at least, whatever the number of pictures.
FEWEST_STEPS = 10
FROZEN_SHARE = 0.15
RATE = 2e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All knobs of a training on people. None means: chosen from the data.

    Attributes:
        backbone: preset, or folder of a trained model, to start from: one for faces.
        epochs: how often the dev people are looked at; of 10 steps or more each.
        batch: pictures a step, four of each person.
        freeze: "backbone" (stays as it came), "none" (nothing is frozen); None freezes it
            at first and releases it where there are pictures enough.
        optimizer, schedule: see `training.optimizers`.
        learning_rate: the highest rate while the backbone is frozen; a released one has
            half of it.
        warmup: share of the steps in which the rate rises.
        weight_decay: in [0, 1).
        patience: stop after so many epochs without a better dev score; 0 never stops.
        augment: a key of `augmentation.AUGMENTATIONS`.
        precision: "auto", "float32" or "bfloat16".
        gpus: "one", or "all" GPUs of this machine.
        seed: of the split, the order of the pictures and their changes.
    """

    backbone: str = "facenet-lfw"
    epochs: int | None = None
    batch: int | None = None
    freeze: str | None = None
    optimizer: str = "adamw"
    schedule: str = "cosine"
    learning_rate: float | None = None
    warmup: float = 0.1
    weight_decay: float = 0.03
    patience: int = 0
    augment: str = "light"
    precision: str = "auto"
    gpus: str = "one"
    seed: int = 0

    def __post_init__(self):
        """Raises OptionError for a value that makes no sense."""
        one_of("--augment", self.augment, tuple(AUGMENTATIONS))
        check_training(self)
        check_shares(self, "warmup", "weight_decay")
        check_positive(self, "epochs", "batch", "learning_rate")
        if self.freeze is not None:
            one_of("--freeze", self.freeze, FREEZES)

    def to_dict(self):
        """As JSON keeps it."""
        return asdict(self)


def settings_from(values):
    """Settings from a dict as `to_dict` made it; keys of newer versions are left out."""
    return Settings(**known_values(Settings, values))


def chosen_for(settings, *, people, pictures):
    """Fill in what the settings leave open.

    Args:
        settings: Settings.
        people, pictures: how many there are to train on.
    Returns:
        dict of the values by name: people (in a batch), pictures (of each of them), batch,
        epochs, steps (an epoch), frozen_epochs, learning_rate, released_rate.
    """
    # A negative is needed as well as a positive: two people at least, two pictures of each.
    drawn = min(people, max(2, (settings.batch or BATCH) // PICTURES))
    each = max(2, min(PICTURES, (settings.batch or BATCH) // drawn))
    batch = drawn * each
    steps = max(FEWEST_STEPS, round(pictures / batch))
    epochs = round(SHOWN / (steps * batch))
    epochs = settings.epochs or min(MOST_EPOCHS, max(FEWEST_EPOCHS, epochs))
    frozen = max(1, round(FROZEN_SHARE * epochs))
    if settings.freeze == "none":
        frozen = 0
    elif settings.freeze == "backbone" or pictures < RELEASE_FROM:
        frozen = epochs
    rate = settings.learning_rate or RATE
    return {
        "people": drawn,
        "pictures": each,
        "batch": batch,
        "epochs": epochs,
        "steps": steps,
        "frozen_epochs": frozen,
        "learning_rate": rate,
        "released_rate": rate / 2,
    }
