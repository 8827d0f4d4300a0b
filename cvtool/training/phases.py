"""A training in phases: first with the backbone frozen, then with all of the network."""

from __future__ import annotations

from dataclasses import dataclass

from cvtool.errors import CvtoolError
from cvtool.training.checkpoints import averaged_weights, read_state
from cvtool.training.optimizers import fit_to, optimizer_named, schedule_named


@dataclass(frozen=True, slots=True)
class Phase:
    """Some epochs in a row that are trained alike.

    Attributes:
        start, end: epochs done before and after it.
        frozen: the backbone is frozen.
        rate: the highest learning rate.
    """

    start: int
    end: int
    frozen: bool
    rate: float


def phases_of(chosen):
    """The phases of a training, in order.

    Args:
        chosen: dict with epochs, frozen_epochs, learning_rate (while the backbone is frozen)
            and released_rate.
    """
    frozen, epochs = chosen["frozen_epochs"], chosen["epochs"]
    phases = [
        Phase(0, frozen, True, chosen["learning_rate"]),
        Phase(frozen, epochs, False, chosen["released_rate"]),
    ]
    return [phase for phase in phases if phase.start < phase.end]


def compile_phase(network, phase, settings, steps, loss):
    """Compile a network for a phase, with an optimiser that begins anew.

    Args:
        network: keras.Model, with the layers frozen that are.
        phase: Phase.
        settings: with optimizer, schedule, warmup (share of the steps, three epochs at most)
            and weight_decay.
        steps: of an epoch.
        loss: as `keras.Model.compile` takes it.
    """
    total = steps * (phase.end - phase.start)
    warmup = min(round(total * settings.warmup), 3 * steps)
    # The average reaches over two epochs, or over what smooths the noise of the steps; but not
    # back to how the phase began.
    reach = max(2, min(500, max(50, 2 * steps), total // 4))
    optimizer = optimizer_named(
        settings.optimizer,
        schedule_named(settings.schedule, phase.rate, total, warmup),
        weight_decay=settings.weight_decay,
        ema_momentum=1 - 1 / reach,
    )
    fit_to(optimizer, network)
    network.compile(optimizer, loss)


def fit(network, batches, done, end, callbacks):
    """Train from one epoch to another.

    Args:
        network: compiled keras.Model.
        batches: keras.utils.PyDataset in the order to train in; its `problem` is the error
            of a picture, or None.
        done, end: epochs done before and after.
        callbacks: of Keras.
    Raises:
        CvtoolError: from a thread that prepares batches, as it was raised there.
    """
    try:
        network.fit(
            batches,
            initial_epoch=done,
            epochs=end,
            verbose=0,
            # The batches are shuffled already, in a way that a resumed run repeats; Keras
            # would do it from a state of its own that no resumed run could have.
            shuffle=False,
            callbacks=callbacks,
        )
    except CvtoolError:
        raise
    except Exception:
        # What a loader's thread raised reaches us in the framework's own words.
        if batches.problem is not None:
            raise batches.problem from None
        raise


def keep_average(network):
    """Replace the weights by the optimiser's moving average of them."""
    with averaged_weights(network):
        average = network.get_weights()
    network.set_weights(average)


def words_of_stopping(folder):
    """Why a training without gain ended, from the state of its run folder."""
    state = read_state(folder)
    return f"stopped at epoch {state['epoch']}: no better dev score since {state['best_epoch']}"
