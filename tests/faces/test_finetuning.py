"""The training itself: what is trained when, and that a kill changes nothing."""

import json
import shutil
from dataclasses import replace
from unittest.mock import patch

import keras
import numpy as np
import pytest

from cvtool.errors import ModelError, TrainingError
from cvtool.faces import finetuning
from cvtool.faces.runs import start_run
from cvtool.faces.settings import Settings
from cvtool.training.checkpoints import read_history, read_state
from cvtool.training.run_folder import read_run
from eager_training import eager_training
from killed_training import Killed, assert_alike, kill_after, kill_at, weights
from tiny_facenet import save_start, small_networks
from tiny_people import write_people

EPOCHS, STEPS = 4, 3
METRICS = ("dev_auc", "dev_eer", "dev_accuracy")


def quiet(_):
    pass


@pytest.fixture(scope="module", autouse=True)
def small():
    with (
        small_networks(),
        eager_training(finetuning),
        patch("cvtool.faces.settings.RELEASE_FROM", 4),
    ):
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder that was prepared, for each test to copy."""
    folder = tmp_path_factory.mktemp("faces")
    settings = Settings(
        backbone=str(save_start(folder / "tiny")), epochs=EPOCHS, batch=8, learning_rate=0.01
    )
    people = write_people(folder / "people", 6, 3)
    return start_run(people, settings, out=folder / "run", say=quiet)


def copied(run, folder):
    """A training of few and short epochs."""
    training = finetuning.open_training(shutil.copytree(run, folder), read_run(run))
    return replace(training, chosen=training.chosen | {"steps": STEPS})


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory):
    """An uninterrupted training."""
    training = copied(run, tmp_path_factory.mktemp("runs") / "whole")
    assert finetuning.train(training, say=quiet) is None
    assert read_state(training.folder)["epoch"] == EPOCHS
    return training


def test_killed_three_times_it_ends_as_if_it_was_not(run, whole, tmp_path, monkeypatch):
    training = copied(run, tmp_path / "killed")
    rng, kills = np.random.default_rng(2), 0
    while read_state(training.folder)["epoch"] < EPOCHS:
        with monkeypatch.context() as patched:
            if kills < 3:
                kill_at(patched, finetuning, int(rng.integers(1, 6)))
            try:
                finetuning.train(training, say=quiet)
            except Killed:
                kills += 1
    assert kills == 3
    assert_alike(training, whole, METRICS)


def test_killed_between_two_phases_it_begins_the_next_alike(run, whole, tmp_path, monkeypatch):
    training = copied(run, tmp_path / "between")
    assert training.chosen["frozen_epochs"] == 1
    with monkeypatch.context() as patched, pytest.raises(Killed):
        kill_after(patched, finetuning, 1)
        finetuning.train(training, say=quiet)
    said = []
    finetuning.train(training, say=said.append)
    assert said[0] == f"going on after epoch 1 of {EPOCHS}"
    assert_alike(training, whole, METRICS)


def test_the_model_it_starts_from_is_epoch_0(whole):
    rows = read_history(whole.folder / "history.csv")
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2, 3, 4]
    best = max(rows, key=lambda row: (float(row["dev_auc"]), -int(row["epoch"])))
    assert read_state(whole.folder)["best_epoch"] == int(best["epoch"])


def test_where_nothing_is_gained_the_network_stays_as_it_came(run, tmp_path, monkeypatch):
    training = copied(run, tmp_path / "worse")
    scores = iter([0.9, 0.9, 0.8, 0.7, 0.6])
    monkeypatch.setattr(finetuning, "dev_scores", lambda *_: {"dev_auc": next(scores)})
    assert finetuning.train(training, say=quiet) is None
    assert read_state(training.folder) == {"epoch": EPOCHS, "best": 0.9, "best_epoch": 0}
    start = finetuning.start_network(training)
    start.save_weights(tmp_path / "start.weights.h5")
    kept = weights(training, "best.weights.h5")
    for one, other in zip(
        kept, weights(replace(training, folder=tmp_path), "start.weights.h5"), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_patience_counts_from_the_model_it_started_from(run, tmp_path, monkeypatch):
    training = copied(run, tmp_path / "patient")
    training = replace(training, settings=replace(training.settings, patience=2))
    scores = iter([0.9, 0.8, 0.7, 0.6])
    monkeypatch.setattr(finetuning, "dev_scores", lambda *_: {"dev_auc": next(scores)})
    assert (
        finetuning.train(training, say=quiet) == "stopped at epoch 2: no better dev score since 0"
    )


def test_the_phases_of_a_training(run, tmp_path, monkeypatch):
    calls, said = [], []

    def fit(network, batches, done, end, callbacks):
        calls.append((done, end, len(network.get_layer("csp").trainable_variables)))
        pixels, labels = batches[0]
        assert sorted(np.bincount(labels)[np.unique(labels)]) == [4, 4]
        assert pixels.shape == (8, training.size, training.size, 3)

    training = copied(run, tmp_path / "phases")
    monkeypatch.setattr(finetuning, "fit", fit)
    finetuning.train(training, say=said.append)
    frozen, released = calls
    # Of the convolutions the kernel, but not the weights of their batch norms.
    assert frozen == (0, 1, 0) and released == (1, 4, 3)
    assert "the backbone is frozen, learning rate 0.01" in said[1]
    assert "from epoch 2 on: all layers, learning rate 0.005" in said[2]


def test_a_loss_that_is_no_number_stops_it(run, tmp_path, monkeypatch):
    training = copied(run, tmp_path / "nan")

    def nan(labels, embeddings):
        return keras.ops.sum(embeddings) * float("nan")

    monkeypatch.setattr(finetuning, "semi_hard_loss", nan)
    with pytest.raises(TrainingError, match="the loss became nan at step 1 of epoch 1"):
        finetuning.train(training, say=quiet)


def test_another_kind_of_model_is_refused(tmp_path):
    other = save_start(tmp_path / "other")
    entry = json.loads((other / "model.json").read_text())
    (other / "model.json").write_text(
        json.dumps(entry | {"task": "classify", "classes": ["a", "b"]})
    )
    with pytest.raises(ModelError, match=r'--backbone: model "other" is for classify; give one'):
        finetuning.find_start(str(other))
