"""The training itself: what is trained when, and that a kill changes nothing."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from cvtool.detection import finetuning
from cvtool.detection.runs import start_run
from cvtool.detection.settings import Settings
from cvtool.errors import PictureError, TrainingError
from cvtool.training.checkpoints import read_state
from cvtool.training.run_folder import read_run
from killed_training import Killed, assert_alike, kill_after, kill_at
from tiny_detector import SIZE, quick_training, save_detector, small_networks, write_yolo_set

EPOCHS, FROZEN, PLAIN = 4, 1, 1
METRICS = ("dev_mAP50", "dev_mAP50_95")


def quiet(_):
    pass


@pytest.fixture(scope="module")
def small():
    with small_networks(), quick_training():
        yield


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return write_yolo_set(tmp_path_factory.mktemp("sets") / "shapes", 30)


@pytest.fixture(scope="module")
def tiny(small, tmp_path_factory):
    return save_detector(tmp_path_factory.mktemp("models") / "tiny")


def started(shapes, tiny, out, phases=True, **settings):
    """A training with a released part, for which the set is too small by itself."""
    values = dict(backbone=str(tiny), size=SIZE, batch=6, epochs=EPOCHS, learning_rate=0.01)
    folder = start_run(shapes, Settings(**values | settings), out=out, say=quiet)
    training = opened(folder)
    if phases:
        chosen = training.chosen | {"frozen_epochs": FROZEN, "plain_epochs": PLAIN}
        training = replace(training, chosen=chosen)
    return training


def opened(folder):
    return finetuning.open_training(folder, read_run(folder))


@pytest.fixture(scope="module")
def whole(shapes, tiny, tmp_path_factory):
    """An uninterrupted training."""
    training = started(shapes, tiny, tmp_path_factory.mktemp("runs") / "whole")
    assert finetuning.train(training, say=quiet) is None
    assert read_state(training.folder)["epoch"] == EPOCHS
    return training


def test_killed_five_times_it_ends_as_if_it_had_not_been(
    shapes, tiny, whole, tmp_path, monkeypatch
):
    training = started(shapes, tiny, tmp_path / "killed")
    rng, kills = np.random.default_rng(2), 0
    while read_state(training.folder)["epoch"] < EPOCHS:
        with monkeypatch.context() as patch:
            # Three steps an epoch; now and then none is finished.
            if kills < 5:
                kill_at(patch, finetuning, int(rng.integers(1, 6)))
            try:
                finetuning.train(replace(training, cache={}), say=quiet)
            except Killed:
                kills += 1
    assert kills == 5
    assert_alike(training, whole, METRICS)


def test_killed_between_two_parts_it_begins_the_next_alike(
    shapes, tiny, whole, tmp_path, monkeypatch
):
    """Just after the checkpoint of a part's last epoch, and then in the next one's first."""
    training = started(shapes, tiny, tmp_path / "between")
    for epoch in (FROZEN, EPOCHS - PLAIN):
        for kill, number in ((kill_after, epoch), (kill_at, 2)):
            with monkeypatch.context() as patch, pytest.raises(Killed):
                kill(patch, finetuning, number)
                finetuning.train(training, say=quiet)
            assert read_state(training.folder)["epoch"] == epoch
    finetuning.train(training, say=quiet)
    assert_alike(training, whole, METRICS)


def test_killed_after_the_last_epoch_it_has_nothing_to_do(whole, tmp_path):
    copy = replace(whole, folder=shutil.copytree(whole.folder, tmp_path / "copy"))
    said = []
    assert finetuning.train(copy, say=said.append) is None
    assert said == [f"going on after epoch {EPOCHS} of {EPOCHS}"]
    assert_alike(copy, whole, METRICS)


@pytest.fixture
def watched(small, monkeypatch):
    """Trainings that train nothing: what each call of `fit` was to do."""
    calls = []

    def fit(network, batches, done, end, callbacks):
        csp = network.get_layer("csp")
        trained = len(csp.trainable_variables), len(csp.weights)
        calls.append((done, end, batches, trained, network.optimizer.learning_rate))

    monkeypatch.setattr(finetuning, "fit", fit)
    return calls


def test_the_parts_of_a_training(shapes, tiny, tmp_path, watched):
    said = []
    finetuning.train(started(shapes, tiny, tmp_path / "run"), say=said.append)
    assert [call[:2] for call in watched] == [(0, 1), (1, 3), (3, 4)]
    assert [batches.epoch for _, _, batches, _, _ in watched] == [0, 1, 3]
    assert [b.augmentation.mosaic > 0 for _, _, b, _, _ in watched] == [True, True, False]
    # Of each of its five stages the kernel, but not the four weights of its batch norm.
    assert [trained for *_, trained, _ in watched] == [(0, 25), (5, 25), (5, 25)]
    assert "backbone is frozen, learning rate 0.01" in said[0]
    assert "from epoch 2 on: all layers, learning rate 0.005" in said[1] and len(said) == 2


def test_from_scratch_everything_is_trained_in_one_phase(shapes, small, tmp_path, watched):
    training = started(
        shapes, None, tmp_path / "run", phases=False, from_scratch="yolo", backbone="everyday"
    )
    finetuning.train(training, say=quiet)
    assert [call[:2] for call in watched] == [(0, 3), (3, 4)]
    # All but the two moving statistics of each of the five batch norms.
    assert [trained for *_, trained, _ in watched] == [(15, 25)] * 2


@pytest.mark.parametrize(
    ("augment", "mosaics", "moved"), [("none", [0, 0], 0), ("light", [0.5, 0], 0.1)]
)
def test_how_much_the_pictures_are_varied(augment, mosaics, moved, shapes, tiny, tmp_path, watched):
    training = started(shapes, tiny, tmp_path / "run", augment=augment, freeze="none", phases=False)
    finetuning.train(training, say=quiet)
    found = [batches.augmentation for _, _, batches, _, _ in watched]
    assert [one.mosaic for one in found] == mosaics
    assert [one.translate for one in found] == [moved, moved]


def test_strong_variation_ends_without_mosaics_too(shapes, tiny, tmp_path, watched):
    training = started(shapes, tiny, tmp_path / "run", augment="strong", phases=False)
    finetuning.train(training, say=quiet)
    strong, last = (batches.augmentation for _, _, batches, _, _ in watched)
    assert strong.mosaic == 0.8 and strong.mixup == 0.1
    assert last == replace(strong, mosaic=0.0, mixup=0.0)


def test_rare_classes_are_shown_more_often_unless_told_otherwise(tiny, tmp_path):
    folder = write_yolo_set(tmp_path / "set", 40)
    (folder / "classes.txt").write_text("disc\nsquare\nrare\n")
    for label in sorted((folder / "labels").iterdir())[:2]:
        label.write_text(label.read_text() + "2 0.5 0.5 0.3 0.3\n")
    factors = {}
    for balance in (True, False):
        out = tmp_path / f"run{balance}"
        training = started(folder, tiny, out, balance=balance)
        batches = finetuning.training_batches(training, 0, None)
        factors[balance] = {
            path.path.stem: factor
            for path, factor in zip(batches.examples, batches.factors, strict=True)
        }
    rare = {"000", "001"} & set(factors[True])
    assert rare and set(factors[False].values()) == {1.0}
    for name, factor in factors[True].items():
        assert (factor > 1.2) == (name in rare)


def test_it_stops_without_gain(shapes, tiny, tmp_path):
    training = started(shapes, tiny, tmp_path / "run", patience=2, learning_rate=1e-12)
    stopped = finetuning.train(training, say=quiet)
    state = read_state(training.folder)
    assert stopped == f"stopped at epoch 3: no better dev score since {state['best_epoch']}"
    assert state["epoch"] == state["best_epoch"] + 2 == 3
    assert (training.folder / "best.weights.h5").exists()


def test_a_loss_that_is_no_number_stops_and_says_what_to_try(shapes, tiny, tmp_path):
    training = started(shapes, tiny, tmp_path / "run", learning_rate=1e30, optimizer="sgd")
    with pytest.raises(TrainingError, match=r"loss became (nan|inf) at step \d of epoch 1.*--lea"):
        finetuning.train(training, say=quiet)
    assert read_state(training.folder)["epoch"] == 0


@pytest.mark.parametrize("split", ["train", "dev"])
def test_a_picture_that_vanishes_is_named(split, shapes, tiny, tmp_path):
    own = shutil.copytree(shapes, tmp_path / "own")
    training = started(own, tiny, tmp_path / "run")
    gone = training.splits[split].examples[-1].path
    gone.unlink()
    with pytest.raises(PictureError, match="no such file") as caught:
        finetuning.train(training, say=quiet)
    assert str(gone) in str(caught.value)


def test_a_damaged_checkpoint_is_named(whole, tmp_path):
    copy = replace(whole, folder=shutil.copytree(whole.folder, tmp_path / "copy"))
    state = read_state(copy.folder) | {"epoch": 3}
    (copy.folder / "state.json").write_text(json.dumps(state))
    (copy.folder / "last.weights.h5").write_text("nothing")
    with pytest.raises(TrainingError, match=r"last\.weights\.h5: the checkpoint cannot be read"):
        finetuning.train(copy, say=quiet)
