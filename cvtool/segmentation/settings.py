"""What the training on masks can be told, and what it chooses where told nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from cvtool.errors import OptionError
from cvtool.segmentation.augmentation import AUGMENTATIONS
from cvtool.segmentation.losses import LOSSES
from cvtool.training.settings import (
    check_positive,
    check_shares,
    check_training,
    known_values,
    one_of,
)

FREEZES = ("backbone", "none")
# The network that is trained from random weights: the paper's.
SCRATCH = "unet"

# Pictures to train on from which it pays to release the backbone. Fewer than a detector's:
# a mask says something of every pixel.
RELEASE_FROM = 10
# Under so many pictures they are changed strongly, shapes included.
FEW = 100
# Squares shown, all epochs together, that small sets need; fewer pictures are shown more often.
SHOWN = 8_000
FEWEST_EPOCHS, MOST_EPOCHS = 12, 25
# Steps an epoch has at least, whatever the number of pictures.
FEWEST_STEPS = 20
# Squares an epoch has at most on account of cutting pictures into patches.
PATCHES = 400
FROZEN_SHARE = 0.15
# At half of it, thin and rare classes were not learnt in the same time.
RATE = 2e-3
# Channels of the first level of a network from scratch, from so many pictures on.
BASES = {10_000: 64, 1_000: 32, 0: 16}

# The thin objects should have this width on the network's input, in pixels.
DETAIL = 8
SIZES = (256, 320, 384, 512, 640, 768, 1024)
# Smaller pictures than this are enlarged; four halvings leave little of them.
SMALLEST = 128
# Pictures larger than the first are learnt in patches of the second, in pixels.
LARGEST_WHOLE, PATCH = 384, 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All knobs of a training on masks. None means: chosen from the data.

    Attributes:
        backbone: preset, or folder of a trained model, to start from: one that segments, or
            one whose backbone is taken over; not used with from_scratch.
        from_scratch: "unet" to start the paper's U-Net from random weights.
        size: longer side of the pictures as the network sees them, pixels.
        epochs: how often the dev pictures are looked at; of 20 steps or more each.
        batch: squares a step.
        freeze: "backbone" (stays as it came), "none" (nothing is frozen); None freezes it
            at first and releases it where there are pictures enough.
        loss: a key of `losses.LOSSES`.
        boundary: weight of thin gaps between regions, see `targets.boundary_weights`.
        optimizer, schedule: see `training.optimizers`.
        learning_rate: the highest rate while the backbone is frozen; a released one has
            half of it.
        warmup: share of the steps in which the rate rises.
        weight_decay: in [0, 1).
        patience: stop after so many epochs without a better dev score; 0 never stops.
        balance: give pixels of rare classes more weight, and show their pictures more often.
        augment: "none", "light" or "strong"; None for strong where pictures are few.
        precision: "auto", "float32" or "bfloat16".
        gpus: "one", or "all" GPUs of this machine.
        seed: of the split, the weights and the order of the pictures.
    """

    backbone: str = "everyday-unet"
    from_scratch: str | None = None
    size: int | None = None
    epochs: int | None = None
    batch: int | None = None
    freeze: str | None = None
    loss: str = "cross-entropy+dice"
    boundary: float = 0.0
    optimizer: str = "adamw"
    schedule: str = "cosine"
    learning_rate: float | None = None
    warmup: float = 0.1
    weight_decay: float = 0.03
    patience: int = 0
    balance: bool = True
    augment: str | None = None
    precision: str = "auto"
    gpus: str = "one"
    seed: int = 0

    def __post_init__(self):
        """Raises OptionError for a value that makes no sense."""
        one_of("--loss", self.loss, tuple(LOSSES))
        if self.augment is not None:
            one_of("--augment", self.augment, tuple(AUGMENTATIONS))
        check_training(self)
        check_shares(self, "warmup", "weight_decay")
        check_positive(self, "size", "epochs", "batch", "learning_rate")
        if not 0 <= self.boundary < float("inf"):
            raise OptionError(f"--boundary {self.boundary} is not a number from 0 on")
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


def chosen_for(settings, *, pictures, detail, longest):
    """Fill in what the settings leave open.

    Args:
        settings: Settings.
        pictures: how many there are to train on.
        detail: width of the thin objects as a share of the longer side, see
            `contents.detail_of`.
        longest: median of the longer sides of these pictures, pixels.
    Returns:
        dict of the values by name: size, patch (side of the squares that are cut out of
        larger pictures, or None), epochs, steps (an epoch), frozen_epochs, batch, augment,
        learning_rate, released_rate.
    """
    scratch = settings.from_scratch is not None
    size = settings.size or size_for(detail, longest)
    patch = PATCH if size > LARGEST_WHOLE else None
    batch = settings.batch or 8
    squares = pictures if patch is None else pictures * (size / patch) ** 2
    squares = max(pictures, min(squares, PATCHES))
    steps = max(FEWEST_STEPS, round(squares) // batch)
    epochs = min(MOST_EPOCHS, max(FEWEST_EPOCHS, round(SHOWN / (steps * batch))))
    epochs = settings.epochs or (2 * epochs if scratch else epochs)
    frozen = max(1, round(FROZEN_SHARE * epochs))
    if scratch or settings.freeze == "none":
        frozen = 0
    elif settings.freeze == "backbone" or pictures < RELEASE_FROM:
        frozen = epochs
    rate = settings.learning_rate or RATE
    return {
        "size": size,
        "patch": patch,
        "epochs": epochs,
        "steps": steps,
        "frozen_epochs": frozen,
        "batch": batch,
        "augment": settings.augment or ("strong" if pictures < FEW else "light"),
        "learning_rate": rate,
        "released_rate": rate if scratch else rate / 2,
    }


def size_for(detail, longest):
    """The smallest usual size at which thin objects are wide enough, pixels.

    Pictures are made no larger than they are, but for tiny ones.

    Args:
        detail, longest: see `chosen_for`.
    """
    wanted = next((size for size in SIZES if detail * size >= DETAIL), SIZES[-1])
    return max(SMALLEST, min(wanted, longest))


def base_for(pictures):
    """Channels of the first level of a network that is trained on so many from scratch."""
    return next(base for least, base in BASES.items() if pictures >= least)
