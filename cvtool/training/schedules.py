"""Learning-rate schedules."""

from __future__ import annotations

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable("cvtool")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then half a cosine down to a small final rate.

    Loshchilov and Hutter 2017, "SGDR", equation 5, without restarts. With steps held at the
    peak (Hägele et al. 2024, "Scaling laws and compute-optimal training beyond fixed training
    durations", section 3) a training can be made longer later: the checkpoint from before
    the cosine does not depend on the length.

    Args:
        peak: learning rate at the end of the warm-up.
        steps: length of the whole training in steps.
        warmup_steps: length of the warm-up; it starts at 1 % of the peak.
        final: last learning rate, as a part of the peak.
        held_steps: steps at the peak between the warm-up and the cosine.
    Raises:
        ValueError: nothing is left of the steps for the cosine that held steps delay.
    """

    def __init__(self, peak, steps, warmup_steps=0, final=0.01, held_steps=0):
        self.peak = float(peak)
        self.steps = int(steps)
        self.warmup_steps = int(warmup_steps)
        self.final = float(final)
        self.held_steps = int(held_steps)
        if self.held_steps and self.warmup_steps + self.held_steps >= self.steps:
            raise ValueError(
                f"{warmup_steps} + {held_steps} of {steps} steps leave none for the cosine"
            )

    def __call__(self, step):
        step = ops.cast(step, "float32")
        warm = 0.01 + 0.99 * step / max(self.warmup_steps, 1)
        before = self.warmup_steps + self.held_steps
        after = (step - before) / max(self.steps - before, 1)
        cosine = 0.5 * (1 + ops.cos(math.pi * ops.clip(after, 0.0, 1.0)))
        decayed = self.final + (1 - self.final) * cosine
        return self.peak * ops.where(step < self.warmup_steps, warm, decayed)

    def get_config(self):
        return {
            "peak": self.peak,
            "steps": self.steps,
            "warmup_steps": self.warmup_steps,
            "final": self.final,
            "held_steps": self.held_steps,
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
