"""Optimisers, and learning-rate schedules by name."""

from __future__ import annotations

import keras

from cvtool.training.schedules import WarmupCosine, WarmupDecay

OPTIMIZERS = ("adamw", "adam", "sgd", "rmsprop")
SCHEDULES = ("cosine", "step", "inverse", "constant")

MOMENTUM = 0.9


def schedule_named(name, peak, steps, warmup_steps=0):
    """A learning rate for each step of a training, after a linear warm-up.

    Args:
        name: "cosine" (down to 1 % of the peak), "step" (a tenth after half of the
            steps, a hundredth after three quarters), "inverse" (1/t: peak / (1 + 9 t /
            steps), a tenth at the end), "constant".
        peak: the highest learning rate.
        steps: length of the training in steps.
        warmup_steps: of these, so many go to the warm-up.
    Raises:
        ValueError: another name.
    """
    if name == "cosine":
        return WarmupCosine(peak, steps, warmup_steps)
    if name not in SCHEDULES:
        raise ValueError(f"schedule {name!r} is not one of {', '.join(SCHEDULES)}")
    return WarmupDecay(name, peak, steps, warmup_steps)


def optimizer_named(name, schedule, *, weight_decay=0.0, clip_norm=10.0, ema_momentum=None):
    """An optimiser.

    Args:
        name: "adamw" (Loshchilov and Hutter 2019), "adam" (Kingma and Ba 2015), "sgd"
            with Nesterov momentum 0.9, "rmsprop" (Hinton 2012).
        schedule: learning rate or schedule.
        weight_decay: decoupled decay; biases and batch-norm scales go without once
            `fit_to` has been called.
        clip_norm: upper bound of the global gradient norm.
        ema_momentum: of a moving average of the weights, which
            `training.checkpoints.averaged_weights` reads; None for no average.
    Raises:
        ValueError: another name.
    """
    common = {"weight_decay": weight_decay or None, "global_clipnorm": clip_norm}
    if ema_momentum is not None:
        common |= {"use_ema": True, "ema_momentum": ema_momentum}
    if name == "adamw":
        common["weight_decay"] = weight_decay
        return keras.optimizers.AdamW(schedule, **common)
    if name == "adam":
        return keras.optimizers.Adam(schedule, **common)
    if name == "sgd":
        return keras.optimizers.SGD(schedule, momentum=MOMENTUM, nesterov=True, **common)
    if name == "rmsprop":
        return keras.optimizers.RMSprop(schedule, **common)
    raise ValueError(f"optimizer {name!r} is not one of {', '.join(OPTIMIZERS)}")


def fit_to(optimizer, model):
    """Leave biases and batch-norm scales out of the weight decay, and make the slots.

    Slots that come into being with the first step make TensorFlow trace that step twice, which
    doubles the seconds before a training's first step.

    Args:
        optimizer: keras optimizer, not yet built.
        model: the network, already built, with the layers frozen that are.
    """
    if optimizer.weight_decay:
        optimizer.exclude_from_weight_decay([v for v in model.trainable_variables if v.ndim < 2])
    optimizer.build(model.trainable_variables)


def adamw(model, schedule, *, weight_decay=0.01, clip_norm=10.0, ema_momentum=0.998):
    """AdamW with gradient clipping and an exponential moving average of the weights.

    Biases and batch-norm scales are left out of the weight decay. The average
    is read with `cvtool.training.checkpoints.averaged_weights`.

    Args:
        model: the network, already built.
        schedule: learning rate or schedule.
        weight_decay: decoupled weight decay (Loshchilov and Hutter 2019).
        clip_norm: upper bound of the global gradient norm.
        ema_momentum: momentum of the weight average, or None for no average.
    Returns:
        keras.optimizers.AdamW
    """
    optimizer = keras.optimizers.AdamW(
        schedule,
        weight_decay=weight_decay,
        global_clipnorm=clip_norm,
        use_ema=ema_momentum is not None,
        ema_momentum=ema_momentum or 0.99,
    )
    fit_to(optimizer, model)
    return optimizer
