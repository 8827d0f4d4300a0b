"""Learning-rate schedules, and the optimiser of the default models."""

from __future__ import annotations

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable("cvtool")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then half a cosine down to a small final rate.

    Loshchilov and Hutter 2017, "SGDR", equation 5, without restarts.

    Args:
        peak: learning rate at the end of the warm-up.
        steps: length of the whole training in steps.
        warmup_steps: length of the warm-up; it starts at 1 % of the peak.
        final: last learning rate, as a part of the peak.
    """

    def __init__(self, peak, steps, warmup_steps=0, final=0.01):
        self.peak = float(peak)
        self.steps = int(steps)
        self.warmup_steps = int(warmup_steps)
        self.final = float(final)

    def __call__(self, step):
        step = ops.cast(step, "float32")
        warm = 0.01 + 0.99 * step / max(self.warmup_steps, 1)
        after = (step - self.warmup_steps) / max(self.steps - self.warmup_steps, 1)
        cosine = 0.5 * (1 + ops.cos(math.pi * ops.clip(after, 0.0, 1.0)))
        decayed = self.final + (1 - self.final) * cosine
        return self.peak * ops.where(step < self.warmup_steps, warm, decayed)

    def get_config(self):
        return {
            "peak": self.peak,
            "steps": self.steps,
            "warmup_steps": self.warmup_steps,
            "final": self.final,
        }


@keras.saving.register_keras_serializable("cvtool")
class WarmupDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then steps, 1/t, or no decay at all.

    Args:
        kind: "step": a tenth after half of the steps, a hundredth after three quarters;
            "inverse": peak / (1 + 9 t / steps); "constant".
        peak: learning rate at the end of the warm-up.
        steps: length of the whole training in steps.
        warmup_steps: length of the warm-up; it starts at 1 % of the peak.
    """

    def __init__(self, kind, peak, steps, warmup_steps=0):
        self.kind = kind
        self.peak = float(peak)
        self.steps = int(steps)
        self.warmup_steps = int(warmup_steps)

    def __call__(self, step):
        step = ops.cast(step, "float32")
        warm = 0.01 + 0.99 * step / max(self.warmup_steps, 1)
        done = (step - self.warmup_steps) / max(self.steps - self.warmup_steps, 1)
        decayed = ops.ones_like(done)
        if self.kind == "step":
            decayed = ops.where(done < 0.5, 1.0, ops.where(done < 0.75, 0.1, 0.01))
        elif self.kind == "inverse":
            decayed = 1 / (1 + 9 * ops.maximum(done, 0.0))
        return self.peak * ops.where(step < self.warmup_steps, warm, decayed)

    def get_config(self):
        return {
            "kind": self.kind,
            "peak": self.peak,
            "steps": self.steps,
            "warmup_steps": self.warmup_steps,
        }


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
    optimizer.exclude_from_weight_decay([v for v in model.trainable_variables if v.ndim < 2])
    return optimizer
