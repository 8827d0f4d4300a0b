import numpy as np
import pytest


def test_warm_up_rises_in_a_line_and_the_cosine_falls_to_the_final_rate():
    from cvtool.training.schedules import WarmupCosine

    schedule = WarmupCosine(0.1, steps=110, warmup_steps=10, final=0.02)
    rates = [float(schedule(step)) for step in range(120)]
    assert rates[0] == pytest.approx(0.001)
    assert np.diff(rates[:11]) == pytest.approx(0.0099, rel=1e-3)
    assert rates[10] == pytest.approx(0.1)
    assert rates[60] == pytest.approx(0.051, rel=1e-3)  # half way down
    assert rates[110] == pytest.approx(0.002) == rates[119]
    assert (np.diff(rates[10:]) <= 1e-9).all()


def test_what_is_held_at_the_peak_does_not_depend_on_the_length():
    from cvtool.training.schedules import WarmupCosine

    short, long = (WarmupCosine(0.1, n, warmup_steps=10, held_steps=30) for n in (60, 600))
    rates = [float(short(step)) for step in range(61)]
    assert rates[:41] == [float(long(step)) for step in range(41)]
    assert rates[10:41] == pytest.approx([0.1] * 31)
    assert rates[50] == pytest.approx(0.0505, rel=1e-3)  # half way down
    assert rates[60] == pytest.approx(0.001)


def test_what_is_held_must_leave_steps_to_fall():
    from cvtool.training.schedules import WarmupCosine

    with pytest.raises(ValueError, match="leave none"):
        WarmupCosine(0.1, 40, warmup_steps=10, held_steps=30)


def test_a_schedule_survives_its_config():
    from cvtool.training.schedules import WarmupCosine

    schedule = WarmupCosine(0.1, 50, 5, held_steps=10)
    again = WarmupCosine.from_config(schedule.get_config())
    assert float(again(20)) == float(schedule(20))


def test_weight_decay_spares_biases_and_batch_norm():
    import keras

    from cvtool.training.optimizers import adamw

    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4), keras.layers.BatchNormalization()]
    )
    # No gradient at all: only the decay can move a weight.
    start = [w.copy() for w in model.get_weights()]
    optimizer = adamw(model, 0.1, weight_decay=0.5, ema_momentum=None)
    optimizer.apply([keras.ops.zeros_like(v) for v in model.trainable_variables],
                    model.trainable_variables)  # fmt: skip
    moved = [bool(np.any(a != b)) for a, b in zip(start, model.get_weights(), strict=True)]
    assert moved == [True, False, False, False, False, False]
