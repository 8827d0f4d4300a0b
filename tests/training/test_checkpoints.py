"""A killed training goes on as if nothing had happened."""

import json

import numpy as np
import pytest

EPOCHS = 4


def new_model():
    import keras

    from cvtool.training.optimizers import adamw
    from cvtool.training.schedules import WarmupCosine

    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(8), keras.layers.Dense(1)])
    model.compile(adamw(model, WarmupCosine(0.05, EPOCHS * 4, 2), ema_momentum=0.8), "mse")
    return model


def train(folder, *, until=EPOCHS, scores=(0.1, 0.9, 0.3, 0.4)):
    from cvtool.training.checkpoints import Checkpoint, resume

    x = np.random.default_rng(0).normal(size=(32, 5)).astype(np.float32)
    y = x.sum(1, keepdims=True)
    model = new_model()
    done = resume(model, folder)
    taken = iter(scores[done:])
    checkpoint = Checkpoint(folder, lambda m: {"mAP50": next(taken)}, "mAP50")
    model.fit(
        x,
        y,
        batch_size=8,
        shuffle=False,
        initial_epoch=done,
        epochs=until,
        verbose=0,
        callbacks=[checkpoint],
    )
    return model


def state(folder):
    return json.loads((folder / "state.json").read_text())


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path):
    from cvtool.training.checkpoints import averaged_weights, read_history

    whole = train(tmp_path / "whole")
    train(tmp_path / "parts", until=2)
    parts = train(tmp_path / "parts")
    for a, b in zip(whole.get_weights(), parts.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    with averaged_weights(whole), averaged_weights(parts):
        np.testing.assert_allclose(whole.get_weights()[0], parts.get_weights()[0], atol=1e-6)
    assert state(tmp_path / "whole") == state(tmp_path / "parts")
    rows = [read_history(tmp_path / name / "history.csv") for name in ("whole", "parts")]
    assert [r["epoch"] for r in rows[1]] == ["1", "2", "3", "4"]
    losses = [[float(r["loss"]) for r in run] for run in rows]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_the_best_epoch_is_remembered_across_a_restart(tmp_path):
    train(tmp_path, until=2)
    best = (tmp_path / "best.weights.h5").read_bytes()
    train(tmp_path)  # its later scores are lower than the 0.9 before
    assert state(tmp_path) == {"epoch": 4, "best": 0.9, "best_epoch": 2}
    assert (tmp_path / "best.weights.h5").read_bytes() == best


def test_the_best_weights_are_the_average_and_the_last_ones_are_not(tmp_path):
    model = train(tmp_path, scores=(0.1, 0.2, 0.3, 0.4))
    average = model.get_weights()  # Keras leaves the average in place at the end of `fit`
    found = {}
    for name in ("best", "last"):
        model.load_weights(tmp_path / f"{name}.weights.h5")
        found[name] = model.get_weights()
    np.testing.assert_allclose(found["best"][0], average[0], atol=1e-6)
    assert not np.allclose(found["last"][0], average[0], atol=1e-4)


def test_averaged_weights_are_in_place_for_a_while_only():
    import keras

    from cvtool.training.checkpoints import averaged_weights

    model = new_model()
    ones = [keras.ops.ones_like(v) for v in model.trainable_variables]
    for _ in range(3):
        model.optimizer.apply(ones, model.trainable_variables)
    raw = model.get_weights()
    with averaged_weights(model):
        assert not np.allclose(raw[0], model.get_weights()[0], atol=1e-4)
    for a, b in zip(raw, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_finished_training_is_not_run_again(tmp_path):
    train(tmp_path)
    before = (tmp_path / "history.csv").read_text()
    train(tmp_path)
    assert (tmp_path / "history.csv").read_text() == before


def test_a_history_row_of_an_interrupted_epoch_is_replaced(tmp_path):
    from cvtool.training.checkpoints import append_history, read_history

    path = tmp_path / "history.csv"
    for row in ({"epoch": 1, "loss": 3}, {"epoch": 2, "loss": 2}, {"epoch": 2, "loss": 1, "a": 5}):
        append_history(path, row)
    assert [(r["epoch"], r["loss"], r["a"]) for r in read_history(path)] == [
        ("1", "3", ""),
        ("2", "1", "5"),
    ]


def test_curves_are_drawn_from_the_history(tmp_path):
    from cvtool.pictures.reading import read_picture
    from cvtool.training.reports import plot_history

    train(tmp_path)
    assert read_picture(plot_history(tmp_path)).std() > 5


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), RuntimeError("Unable to write\n(HDF5 ...)")]
)
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, error):
    from cvtool.errors import OutputError
    from cvtool.training.checkpoints import save_weights

    model = new_model()
    path = tmp_path / "last.weights.h5"
    save_weights(model, path)
    before = path.read_bytes()

    def full(part):
        part.write_bytes(b"half of it")
        raise error

    monkeypatch.setattr(model, "save_weights", full)
    with pytest.raises(OutputError, match="last.weights.h5: the checkpoint cannot be wr") as raised:
        save_weights(model, path)
    assert "make room" in str(raised.value) and "\n" not in str(raised.value)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["last.weights.h5"]


def test_a_full_disk_ends_the_training_at_the_epoch_before(tmp_path, monkeypatch):
    from cvtool.errors import OutputError
    from cvtool.training import checkpoints

    real, saved = checkpoints.save_weights, []

    def save_weights(model, path):
        saved.append(path.name)
        if saved.count("last.weights.h5") == 2 and path.name.startswith("last"):
            raise OutputError(f"{path}: full")
        real(model, path)

    monkeypatch.setattr(checkpoints, "save_weights", save_weights)
    with pytest.raises(OutputError, match="last.weights.h5: full"):
        train(tmp_path)
    assert state(tmp_path)["epoch"] == 1
    monkeypatch.undo()
    train(tmp_path)
    assert state(tmp_path)["epoch"] == EPOCHS
    rows = checkpoints.read_history(tmp_path / "history.csv")
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]


def test_a_state_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    from cvtool.errors import OutputError
    from cvtool.training import checkpoints

    checkpoints.write_state(tmp_path, {"epoch": 1, "best": None, "best_epoch": None})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.os, "replace", full)
    with pytest.raises(OutputError, match="state.json: .*No space left on device"):
        checkpoints.write_state(tmp_path, {"epoch": 2})
    assert state(tmp_path)["epoch"] == 1
    with pytest.raises(OutputError, match="history.csv: .*No space left on device"):
        checkpoints.append_history(tmp_path / "history.csv", {"epoch": 1})
