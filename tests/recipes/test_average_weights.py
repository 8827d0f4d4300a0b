"""The mean of the weights of several runs."""

import keras
import numpy as np
import pytest

from recipe_runs import run_here


def network(width=3):
    return keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(width), keras.layers.BatchNormalization()]
    )


def save_run(folder, value, width=3):
    folder.mkdir()
    model = network(width)
    model.set_weights([np.full_like(w, value) for w in model.get_weights()])
    model.save_weights(folder / "best.weights.h5")
    (folder / "scores.json").write_text(f'{{"value": {value}}}')
    return folder


def test_every_weight_is_the_mean_and_the_scores_are_the_first_runs(tmp_path):
    runs = [save_run(tmp_path / str(value), value) for value in (1, 2, 6)]
    run_here("average_weights.py", "--runs", *runs, "--out", tmp_path / "mean")
    model = network()
    model.load_weights(tmp_path / "mean" / "best.weights.h5")
    assert all((weights == 3).all() for weights in model.get_weights())
    assert (tmp_path / "mean" / "scores.json").read_text() == '{"value": 1}'


def test_runs_of_two_networks_are_refused(tmp_path):
    runs = [save_run(tmp_path / str(width), 1, width) for width in (3, 4)]
    with pytest.raises(SystemExit, match="they must be of one network"):
        run_here("average_weights.py", "--runs", *runs, "--out", tmp_path / "mean")


def test_nothing_is_overwritten_and_a_run_without_weights_is_named(tmp_path):
    run = save_run(tmp_path / "run", 1)
    with pytest.raises(SystemExit, match="run: is there already"):
        run_here("average_weights.py", "--runs", run, run, "--out", run)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="empty/best.weights.h5: no such file"):
        run_here("average_weights.py", "--runs", tmp_path / "empty", "--out", tmp_path / "mean")
    assert not (tmp_path / "mean").exists()
