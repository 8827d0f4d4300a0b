"""A training ends early where going on is no use, and says why."""

import keras
import numpy as np
import pytest

from cvtool.errors import TrainingError
from cvtool.training.checkpoints import write_state
from cvtool.training.stopping import StopOnNaN, StopWithoutGain


def small_model(rate):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse")
    return model


def test_the_first_step_without_a_number_is_named():
    model = small_model(0.02)
    x, y = np.ones((6, 2), np.float32), np.ones((6, 1), np.float32)
    y[4] = np.nan
    with pytest.raises(TrainingError) as error:
        # Steps of two pictures: the third has the NaN.
        model.fit(x, y, batch_size=2, shuffle=False, verbose=0, callbacks=[StopOnNaN()])
    message = str(error.value)
    assert "the loss became nan at step 3 of epoch 1" in message and "\n" not in message
    assert "--learning-rate, such as 0.002," in message and "--warmup" in message


@pytest.mark.parametrize(("loss", "word"), [(float("inf"), "inf"), (float("nan"), "nan")])
def test_the_epoch_counts_from_one_of_the_whole_training(loss, word):
    stop = StopOnNaN()
    stop.set_model(small_model(1.0))
    stop.on_epoch_begin(7)
    stop.on_train_batch_end(0, {"loss": 3.5})
    with pytest.raises(TrainingError, match=f"became {word} at step 12 of epoch 8.*such as 0.1"):
        stop.on_train_batch_end(11, {"loss": loss})


def test_a_rate_of_a_schedule_is_read_at_its_step():
    from cvtool.training.schedules import WarmupDecay

    stop = StopOnNaN()
    stop.set_model(small_model(WarmupDecay("constant", 0.5, 10)))
    stop.on_epoch_begin(0)
    with pytest.raises(TrainingError, match="such as 0.05,"):
        stop.on_train_batch_end(0, {"loss": float("nan")})


class Stopped:
    stop_training = False


def ended_after(folder, patience, best_epochs):
    """The epoch after which it ends, given which epoch is the best after each."""
    stop = StopWithoutGain(folder, patience)
    stop.set_model(Stopped())
    for epoch, best in enumerate(best_epochs):
        write_state(folder, {"epoch": epoch + 1, "best": 0.5, "best_epoch": best})
        stop.on_epoch_end(epoch)
        assert stop.model.stop_training == stop.stopped
        if stop.stopped:
            return epoch + 1
    return None


@pytest.mark.parametrize(
    ("patience", "best_epochs", "expected"),
    [
        (2, [1, 1, 1, 1], 3),
        (1, [1, 1], 2),
        (2, [1, 2, 3, 3, 5, 5, 5], 7),
        (3, [1, 1, 1], None),
        (0, [1] * 9, None),
    ],
)
def test_it_ends_after_so_many_epochs_without_a_better_one(
    tmp_path, patience, best_epochs, expected
):
    assert ended_after(tmp_path, patience, best_epochs) == expected


def test_a_resumed_training_counts_on(tmp_path):
    write_state(tmp_path, {"epoch": 5, "best": 0.5, "best_epoch": 3})
    stop = StopWithoutGain(tmp_path, 3)
    stop.set_model(Stopped())
    write_state(tmp_path, {"epoch": 6, "best": 0.5, "best_epoch": 3})
    stop.on_epoch_end(5)
    assert stop.stopped


def test_without_a_score_it_goes_on(tmp_path):
    stop = StopWithoutGain(tmp_path, 1)
    stop.set_model(Stopped())
    stop.on_epoch_end(9)
    assert not stop.stopped and not stop.model.stop_training


def test_one_that_had_stopped_is_over_when_it_is_resumed(tmp_path):
    write_state(tmp_path, {"epoch": 5, "best": 0.5, "best_epoch": 3})
    assert StopWithoutGain(tmp_path, 2).stopped
    assert not StopWithoutGain(tmp_path, 3).stopped and not StopWithoutGain(tmp_path, 0).stopped
