"""A learning rate that is held before it falls, so that a training can be made longer later."""

from __future__ import annotations

from cvtool.training.schedules import WarmupCosine
from running import number

# At most; never more than one epoch.
WARMUP_STEPS = 500


def add_hold_argument(parser):
    """Add `--hold` to an argparse parser."""
    parser.add_argument(
        "--hold",
        type=number(int, 0),
        default=0,
        help="epochs, the warm-up's included, before the learning rate falls; a copy of the run "
        "folder from their end can be trained on with more",
    )


def check_hold(parser, args, epochs):
    """End with the parser's message where `--hold` leaves no epoch for the fall."""
    if args.hold >= epochs:
        parser.error(f"--hold {args.hold} leaves none of the {epochs} epochs for the fall")


def held_schedule(learning_rate, epochs, steps, hold):
    """Warm-up, `hold` epochs at the peak (the warm-up's included), then half a cosine.

    Args:
        learning_rate: the peak.
        epochs: of the whole training.
        steps: of an epoch.
        hold: epochs, fewer than `epochs`.
    Returns:
        cvtool.training.schedules.WarmupCosine.
    """
    warmup = min(steps, WARMUP_STEPS)
    held = max(0, hold * steps - warmup)
    return WarmupCosine(learning_rate, epochs * steps, warmup, held_steps=held)
