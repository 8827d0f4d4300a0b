"""What a diagnosis says of each gap: in the terms and options of the task that was trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Texts:
    """The words of one task.

    Attributes:
        advice: gap -> what to try next, one sentence each.
        traded: gap -> advice against bias that makes for variance, or the other way round:
            left out where the other gap is the larger one.
        negative: gap -> what a negative one means; {points} and {after} are filled in.
        first_learn: advice for a model that is no better than guessing.
        guessing: the summary of such a model.
        chance: error of guessing where the caller knows none; None if it is not known.
        measure: what the error is, "" where every reader knows.
    """

    advice: Mapping[str, tuple[str, ...]]
    traded: Mapping[str, tuple[str, ...]]
    negative: Mapping[str, str]
    first_learn: str
    guessing: str
    chance: float | None = None
    measure: str = ""


_OVERFITTING = (
    "Use a larger dev set (--split): this one has been chosen against too often, or is too small.",
    "Change fewer settings by the dev score, and take new dev pictures where you can.",
)
_LOOK_THROUGH = (
    "Look through the mistakes on dev for what the training pictures lack: light, distance, "
    "camera, background."
)
_MAKE_ALIKE = (
    "Make such pictures: blur, darken, crop or compress the training ones alike "
    "(--augment strong is a start)."
)
_NEGATIVE = {
    "avoidable_bias": "The error on train is {points} points below that of a human, so the human "
    "error no longer shows how much is left to gain.",
    "data_mismatch": "The error on dev is {points} points below that on train-dev: the target "
    "pictures are easier than the training ones. It counts as no mismatch.",
    "dev_overfitting": "The error on test is {points} points below that on dev, by easier "
    "pictures or by chance. It counts as no overfitting.",
}

_CLASSIFY = Texts(
    advice={
        "avoidable_bias": (
            "Train longer: more --epochs, and --unfreeze all so that every layer learns.",
            "Try another optimiser or learning rate, and look at the training pictures that are "
            "still wrong: wrong labels count as error too.",
        ),
        "variance": (
            "Collect more training pictures.",
            "Vary the ones there are: --augment strong (where only the head was trained, with "
            "--unfreeze last).",
        ),
        "data_mismatch": (
            _LOOK_THROUGH,
            "Collect training pictures like those of --target, or put a part of them into train.",
            _MAKE_ALIKE,
        ),
        "dev_overfitting": _OVERFITTING,
    },
    traded={
        "avoidable_bias": (
            "Use a bigger network (--backbone) or larger pictures (--size).",
            "Regularise less: lower --dropout, --weight-decay and --label-smoothing.",
        ),
        "variance": (
            "Regularise more: raise --dropout, --weight-decay or --label-smoothing.",
            "Use a smaller network (--backbone), or leave more of its layers as they came.",
        ),
    },
    negative=_NEGATIVE
    | {
        "variance": "The error on {after} is {points} points below that on train: its pictures "
        "are easier, or training with augmentation and dropout is harder. It counts as no "
        "variance.",
    },
    first_learn="First see that it learns at all: look at the labels, and train a few pictures "
    "until they are all right, with a lower learning rate if the loss jumps.",
    guessing="The model is no better than guessing, so its errors tell nothing else yet.",
)

_DETECT = Texts(
    advice={
        "avoidable_bias": (
            "Train longer: more --epochs.",
            "Try another --learning-rate, and look at the training pictures that are still "
            "wrong: missing boxes, loose ones and wrong classes count as error too.",
        ),
        "variance": (
            "Collect more training pictures, of the classes with the lowest scores first.",
            "Vary the ones there are: --augment strong.",
        ),
        "data_mismatch": (
            _LOOK_THROUGH,
            "Collect training pictures like those of dev, or put a part of them into train.",
            _MAKE_ALIKE,
        ),
        "dev_overfitting": _OVERFITTING,
    },
    traded={
        "avoidable_bias": (
            "Let every layer learn (--freeze none), and use larger pictures (--size): small "
            "objects need them most.",
            "Regularise less: lower --weight-decay.",
        ),
        "variance": (
            "Regularise more: raise --weight-decay, or leave the backbone as it came "
            "(--freeze backbone).",
        ),
    },
    negative=_NEGATIVE
    | {
        "variance": "The error on {after} is {points} points below that on train, by easier "
        "pictures or by chance. It counts as no variance.",
    },
    first_learn="First see that it learns at all: look at the boxes and their classes, and train "
    "a few pictures until all their objects are found, with a lower --learning-rate if the loss "
    "jumps.",
    guessing="The model finds next to nothing, so its errors tell nothing else yet.",
    chance=1.0,
    measure="The error is 1 - mAP50, in which every class weighs the same.",
)

_SEGMENT = Texts(
    advice={
        "avoidable_bias": (
            "Train longer: more --epochs.",
            "Try another --learning-rate or --loss, and look at the training pictures that are "
            "still wrong: masks that are drawn loosely or in the wrong class count as error too.",
        ),
        "variance": (
            "Collect more training pictures, of the classes with the lowest IoU first.",
            "Vary the ones there are: --augment strong.",
        ),
        "data_mismatch": (
            _LOOK_THROUGH,
            "Collect training pictures like those of dev, or put a part of them into train.",
            _MAKE_ALIKE,
        ),
        "dev_overfitting": _OVERFITTING,
    },
    traded={
        "avoidable_bias": (
            "Let every layer learn (--freeze none), and use larger pictures (--size): thin "
            "objects need them most.",
            "Regularise less: lower --weight-decay.",
        ),
        "variance": (
            "Regularise more: raise --weight-decay, or leave the backbone as it came "
            "(--freeze backbone).",
        ),
    },
    negative=_NEGATIVE
    | {
        "variance": "The error on {after} is {points} points below that on train, by easier "
        "pictures or by chance. It counts as no variance.",
    },
    first_learn="First see that it learns at all: look at the masks and their classes, and train "
    "a few pictures until all of them are right, with a lower --learning-rate if the loss jumps.",
    guessing="The model is no better than one that sees the most frequent class everywhere, so "
    "its errors tell nothing else yet.",
    measure="The error is 1 - mIoU, in which every class weighs the same.",
)

_VERIFY = Texts(
    advice={
        "avoidable_bias": (
            "Train longer: more --epochs, with --freeze none.",
            "Look at the worst pairs: a picture in the wrong person's folder, or of somebody "
            "beside the person, counts as error too.",
        ),
        "variance": (
            "Collect pictures of more people.",
            "Vary the ones there are: --augment strong.",
        ),
        "data_mismatch": (
            _LOOK_THROUGH,
            "Collect training pictures like those of dev, or put a part of the people into train.",
            _MAKE_ALIKE,
        ),
        "dev_overfitting": _OVERFITTING,
    },
    traded={
        "avoidable_bias": ("Regularise less: lower --weight-decay, or --augment none.",),
        "variance": (
            "Regularise more: raise --weight-decay, or leave the backbone as it came "
            "(--freeze backbone).",
        ),
    },
    negative=_NEGATIVE
    | {
        "variance": "The error on {after} is {points} points below that on train, by people who "
        "are easier to tell apart or by chance. It counts as no variance.",
    },
    first_learn="First see that the folders are right: each with pictures of one person, in which "
    "the face nearest to the middle is that person's.",
    guessing="The model tells the people apart no better than guessing, so its errors tell "
    "nothing else yet.",
    measure="The error is the equal error rate, of pairs of one person as of pairs of two.",
)

TEXTS = {"classify": _CLASSIFY, "detect": _DETECT, "segment": _SEGMENT, "verify": _VERIFY}
