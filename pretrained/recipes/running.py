"""How every recipe starts and, if it must, ends with one line."""

from __future__ import annotations

import argparse
import sys

from cvtool.errors import CvtoolError


def run_main(main):
    """Call a recipe's `main`; under torch, with layers that are fast on a CPU.

    Raises:
        SystemExit: it failed, with the reason; or it was interrupted.
    """
    # Not for recipes that do without Keras, which takes seconds to import.
    if "keras" in sys.modules:
        from torch_on_cpu import use_fast_layers

        use_fast_layers()
    try:
        main()
    except CvtoolError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("interrupted; start the same command again to go on", file=sys.stderr)
        sys.exit(130)


def stages_argument(form, kinds, defaults=()):
    """An argparse type for stages of a training, such as "192:10:0.5,320:4:0".

    Args:
        form: how a stage is written, for the message, such as "SIZE:EPOCHS:MOSAIC".
        kinds: type of each field of a stage.
        defaults: values of the last fields, for a stage that leaves them out.
    Returns:
        function from str to list of tuples; it raises argparse.ArgumentTypeError.
    """

    def stages_of(text):
        try:
            return [stage_of(part.split(":")) for part in text.split(",")]
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not {form},...") from None

    def stage_of(fields):
        lacking = len(kinds) - len(fields)
        fields = [*fields, *defaults[len(defaults) - lacking :]] if lacking > 0 else fields
        return tuple(kind(field) for kind, field in zip(kinds, fields, strict=True))

    return stages_of
