"""The training itself: what is trained when, and that a kill changes nothing."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from cvtool.datasets.mask_pixels import MaskError
from cvtool.errors import PictureError, TrainingError
from cvtool.pictures.reading import read_picture
from cvtool.pictures.writing import write_picture
from cvtool.segmentation import finetuning
from cvtool.segmentation.runs import start_run
from cvtool.segmentation.settings import Settings
from cvtool.segmentation.targets import balanced_weights
from cvtool.training.checkpoints import read_state
from cvtool.training.run_folder import read_run
from killed_training import Killed, assert_alike, kill_after, kill_at
from tiny_masks import write_mask_set
from tiny_unet import SIZE, quick_training, save_tiny, small_networks

EPOCHS, FROZEN, STEPS = 4, 1, 3
METRICS = ("dev_miou", "dev_foreground_iou", "dev_accuracy")


def quiet(_):
    pass


@pytest.fixture(scope="module", autouse=True)
def small():
    with small_networks(), quick_training():
        yield


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets") / "shapes"
    write_mask_set(folder, 30)
    return folder


@pytest.fixture(scope="module")
def tiny(small, tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("models") / "tiny")


def started(shapes, tiny, out, **settings):
    """A training of few and short epochs."""
    values = dict(backbone=str(tiny), size=SIZE, batch=4, epochs=EPOCHS, learning_rate=0.01)
    folder = start_run(shapes, Settings(**values | settings), out=out, say=quiet)
    training = finetuning.open_training(folder, read_run(folder))
    return replace(training, chosen=training.chosen | {"steps": STEPS})


@pytest.fixture(scope="module")
def whole(shapes, tiny, tmp_path_factory):
    """An uninterrupted training."""
    training = started(shapes, tiny, tmp_path_factory.mktemp("runs") / "whole")
    assert finetuning.train(training, say=quiet) is None
    assert read_state(training.folder)["epoch"] == EPOCHS
    return training


def test_killed_five_times_it_ends_as_if_it_was_not(shapes, tiny, whole, tmp_path, monkeypatch):
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


def test_killed_between_two_phases_it_begins_the_next_alike(
    shapes, tiny, whole, tmp_path, monkeypatch
):
    """Just after the checkpoint of the last frozen epoch, and then in the next one."""
    training = started(shapes, tiny, tmp_path / "between")
    for kill, number in ((kill_after, FROZEN), (kill_at, 2)):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            kill(patch, finetuning, number)
            finetuning.train(training, say=quiet)
        assert read_state(training.folder)["epoch"] == FROZEN
    finetuning.train(training, say=quiet)
    assert_alike(training, whole, METRICS)


def test_killed_after_the_last_epoch_it_has_nothing_to_do(whole, tmp_path):
    copy = replace(whole, folder=shutil.copytree(whole.folder, tmp_path / "copy"))
    said = []
    assert finetuning.train(copy, say=said.append) is None
    assert said == [f"going on after epoch {EPOCHS} of {EPOCHS}"]
    assert_alike(copy, whole, METRICS)


@pytest.fixture
def watched(monkeypatch):
    """Trainings that train nothing: what each call of `fit` was to do."""
    calls = []

    def fit(network, batches, done, end, callbacks):
        csp = network.get_layer("csp")
        trained = len(csp.trainable_variables), len(csp.weights)
        calls.append((done, end, batches, trained, network.loss))

    monkeypatch.setattr(finetuning, "fit", fit)
    return calls


def test_the_phases_of_a_training(shapes, tiny, tmp_path, watched):
    said = []
    finetuning.train(started(shapes, tiny, tmp_path / "run"), say=said.append)
    assert [call[:2] for call in watched] == [(0, 1), (1, 4)]
    assert [batches.epoch for _, _, batches, _, _ in watched] == [0, 1]
    # Of both convolutions the kernel, but not the four weights of their batch norm.
    assert [trained for _, _, _, trained, _ in watched] == [(0, 10), (2, 10)]
    assert "backbone is frozen, learning rate 0.01" in said[0]
    assert "from epoch 2 on: all layers, learning rate 0.005" in said[1] and len(said) == 2


def test_from_scratch_everything_is_trained_in_one_phase(shapes, tmp_path, watched):
    training = started(shapes, "everyday", tmp_path / "run", from_scratch="unet", loss="tversky")
    finetuning.train(training, say=quiet)
    ((done, end, _, trained, loss),) = watched
    # All but the two moving statistics of both batch norms.
    assert (done, end, trained) == (0, 4, (6, 10)) and loss.__name__ == "tversky_loss"
    assert training.architecture == {"network": "plain", "base": 16}


def test_what_a_batch_is(shapes, tiny, tmp_path):
    training = started(shapes, tiny, tmp_path / "run", boundary=10.0)
    batches = finetuning.training_batches(training, 2)
    pixels, targets = batches[0]
    assert pixels.shape == (4, SIZE, SIZE, 3) and pixels.dtype == np.uint8
    assert targets.shape == (4, SIZE, SIZE, 2) and len(batches) == STEPS
    assert batches.epoch == 2 and batches.boundary == 10.0
    # Few pictures are bent, too.
    assert batches.augmentation.elastic > 0 and not batches.patches
    assert len(training.cache) == 4


def test_large_pictures_are_learnt_in_patches_at_their_scale(tiny, tmp_path):
    """Four fifths of pictures that grow brighter by 0.4 a pixel."""
    large = write_mask_set(tmp_path / "large", 6, height=500, width=300)
    row = np.round(0.4 * np.arange(300)).astype(np.uint8)
    for example in large.examples:
        pixels = read_picture(example.path)
        pixels[..., 0] = row
        write_picture(example.path, pixels, overwrite=True)
    training = started(tmp_path / "large", tiny, tmp_path / "run", size=400, augment="none")
    assert training.chosen["patch"] == 256
    batches = finetuning.training_batches(training, 0)
    pixels, mask = batches.read(0)
    assert pixels.shape == (400, 240, 3) and mask.shape == (400, 240)
    batches.size = 64
    for seed in range(3):
        patch, targets = batches.sample(0, np.random.default_rng(seed))
        assert patch.shape == (64, 64, 3)
        # All of it lies in the picture.
        slope = np.polyfit(np.arange(64), patch[..., 0].mean(axis=0), 1)[0]
        assert slope == pytest.approx(0.5, abs=0.02)


def test_small_pictures_are_kept_as_they_are_and_huge_ones_are_shrunk(shapes, tiny, tmp_path):
    training = started(shapes, tiny, tmp_path / "run", size=16)
    batches = finetuning.training_batches(training, 0)
    assert batches.read(0)[0].shape == (32, 32, 3)
    training = started(shapes, tiny, tmp_path / "more", size=32)
    batches = finetuning.training_batches(training, 0)
    pixels, _ = batches.read(0)
    assert (pixels == read_picture(batches.examples[0].path)).all()


def test_rare_classes_weigh_more_unless_told_otherwise(shapes, tiny, tmp_path):
    found = {}
    for balance in (True, False):
        training = started(shapes, tiny, tmp_path / f"{balance}", balance=balance)
        batches = finetuning.training_batches(training, 0)
        _, targets = batches.sample(0, np.random.default_rng(0))
        found[balance] = {
            class_id: np.unique(targets[targets[..., 0] == class_id, 1]).tolist()
            for class_id in (0, 1, 2)
        }
    # Void weighs nothing, and is of class 0.
    assert found[False][0] == [0, 1] and {1.0} == {w for c in (1, 2) for w in found[False][c]}
    expected = balanced_weights(training.pixels.sum(axis=0), 0.25)
    assert expected[1] > 1.2 * expected[0]
    for class_id in (1, 2):
        assert found[True][class_id] in ([], [pytest.approx(expected[class_id])])


def test_pictures_of_a_rare_class_are_shown_more_often(shapes, tiny, tmp_path):
    training = started(shapes, tiny, tmp_path / "run")
    pixels = training.pixels.copy()
    pixels[:, 2] = 0
    pixels[3, 2] = 9
    factors = finetuning.training_batches(replace(training, pixels=pixels), 0).factors
    assert factors[3] > 1.2 and set(np.delete(factors, 3)) == {1.0}


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


@pytest.mark.parametrize(
    ("split", "kind", "error"), [("train", "mask", MaskError), ("dev", "path", PictureError)]
)
def test_a_file_that_vanishes_is_named(split, kind, error, shapes, tiny, tmp_path):
    own = shutil.copytree(shapes, tmp_path / "own")
    training = started(own, tiny, tmp_path / "run")
    gone = getattr(training.splits[split].examples[-1], kind)
    # Without pictures kept from before, and each of the 18 shown.
    training = replace(training, chosen=training.chosen | {"steps": 5})
    gone.unlink()
    with pytest.raises(error, match=r"no such (file|mask)") as caught:
        finetuning.train(training, say=quiet)
    assert str(gone) in str(caught.value)


def test_a_damaged_checkpoint_is_named(whole, tmp_path):
    copy = replace(whole, folder=shutil.copytree(whole.folder, tmp_path / "copy"))
    state = read_state(copy.folder) | {"epoch": 3}
    (copy.folder / "state.json").write_text(json.dumps(state))
    (copy.folder / "last.weights.h5").write_text("nothing")
    with pytest.raises(TrainingError, match=r"last\.weights\.h5: the checkpoint cannot be read"):
        finetuning.train(copy, say=quiet)
