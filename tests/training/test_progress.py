import io

import pytest


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00:00"), (59.6, "0:01:00"), (3661, "1:01:01"), (90000, "25:00:00")]
)
def test_durations_read_as_hours_minutes_seconds(seconds, text):
    from cvtool.training.reports import clock

    assert clock(seconds) == text


def test_progress_has_a_line_an_epoch_with_the_time_left():
    import keras
    import numpy as np

    from cvtool.training.reports import Progress

    stream = io.StringIO()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = np.ones((8, 2)), np.ones((8, 1))
    model.fit(*data, epochs=2, verbose=0, callbacks=[Progress(2, stream)])
    lines = stream.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["1/2", "2/2"]
    assert all("loss" in line and "left" in line for line in lines)
    assert lines[1].endswith("0:00:00 left")
