"""Checks of what a training is told, the same for every task."""

from __future__ import annotations

from dataclasses import fields

from cvtool.errors import OptionError
from cvtool.training.optimizers import OPTIMIZERS, SCHEDULES
from cvtool.training.precision import PRECISIONS

GPUS = ("one", "all")


def one_of(option, value, choices):
    """Raises OptionError if an option's value is none of its choices."""
    if value not in choices:
        raise OptionError(f'{option} "{value}" is not one of {", ".join(choices)}')


def check_training(settings):
    """Check what all tasks' settings have: optimizer, schedule, precision, gpus, patience, seed.

    Raises:
        OptionError: a value that makes no sense.
    """
    one_of("--optimizer", settings.optimizer, OPTIMIZERS)
    one_of("--schedule", settings.schedule, SCHEDULES)
    one_of("--precision", settings.precision, PRECISIONS)
    one_of("--gpus", settings.gpus, GPUS)
    for name in ("patience", "seed"):
        if getattr(settings, name) < 0:
            raise OptionError(f"--{name} {getattr(settings, name)} is under 0")
    if settings.seed >= 2**32:
        raise OptionError(f"--seed {settings.seed} is not under {2**32}")


def check_shares(settings, *names):
    """Raises OptionError if one of these settings is not in [0, 1)."""
    for name in names:
        value = getattr(settings, name)
        if not 0 <= value < 1:
            raise OptionError(f"{option_of(name)} {value} is not in [0, 1)")


def check_positive(settings, *names):
    """Raises OptionError if one of these settings is given and is not a number above 0."""
    for name in names:
        value = getattr(settings, name)
        if value is not None and not 0 < value < float("inf"):
            raise OptionError(f"{option_of(name)} {value} is not a number above 0")


def option_of(name):
    """The command's option of a setting."""
    return f"--{name.replace('_', '-')}"


def known_values(kind, values):
    """Those of a dict's values that a dataclass has: a newer cvtool may have written more."""
    known = {field.name for field in fields(kind)}
    return {key: value for key, value in values.items() if key in known}
