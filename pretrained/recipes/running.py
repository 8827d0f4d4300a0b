"""How every recipe starts and, if it must, ends with one line."""

from __future__ import annotations

import argparse
import math
import sys

from cvtool.errors import CvtoolError


def run_main(main):
    """Call a recipe's `main`; under torch, so that a CPU trains fast.

    Raises:
        SystemExit: it failed, with the reason; or it was interrupted.
    """
    # Not for recipes that do without Keras, which takes seconds to import.
    if "keras" in sys.modules:
        from torch_on_cpu import speed_up_training

        speed_up_training()
    try:
        main()
    except CvtoolError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("interrupted; start the same command again to go on", file=sys.stderr)
        sys.exit(130)


def stages_argument(form, fields, defaults=()):
    """An argparse type for stages of a training, such as "192:10:0.5,320:4:0".

    Args:
        form: how a stage is written, for the message, such as "SIZE:EPOCHS:MOSAIC".
        fields: for each field of a stage a function from str to its value, which raises
            ValueError, such as `number` gives.
        defaults: texts of the last fields, for a stage that leaves them out.
    Returns:
        function from str to list of tuples; it raises argparse.ArgumentTypeError.
    """

    least = len(fields) - len(defaults)
    numbers = f"{least} to {len(fields)}" if defaults else f"{len(fields)}"

    def stages_of(text):
        try:
            return [stage_of(part.split(":")) for part in text.split(",")]
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is not {form},... ({error})") from None

    def stage_of(texts):
        lacking = len(fields) - len(texts)
        if not 0 <= lacking <= len(defaults):
            raise ValueError(f"{':'.join(texts)!r} has {len(texts)} of {numbers} values")
        texts = [*texts, *defaults[len(defaults) - lacking :]]
        return tuple(field(value) for field, value in zip(fields, texts, strict=True))

    return stages_of


def number(kind, low, high=math.inf, multiple_of=None):
    """A field of a stage: the function from a str to an int or float in that range."""

    def read(text):
        value = kind(text)
        if not (low <= value <= high and math.isfinite(value)):
            raise ValueError(f"{text} is not from {low} to {high}")
        if multiple_of and value % multiple_of:
            raise ValueError(f"{text} is no multiple of {multiple_of}")
        return value

    return read
