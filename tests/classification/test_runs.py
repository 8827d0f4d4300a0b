"""Whole fine-tunings on small drawn sets: what they reach, leave, survive."""

import csv
import json
import os
import shutil

import keras
import numpy as np
import pytest

from cvtool.classification import finetuning
from cvtool.classification.classifier import Classifier
from cvtool.classification.runs import go_on, start_run
from cvtool.classification.settings import Settings
from cvtool.errors import OutputError, TrainingError
from cvtool.training.checkpoints import read_history, read_state
from cvtool.training.run_folder import read_run
from killed_training import Killed, ctrl_c_in, kill_at
from tiny_classes import CLASSES, write_class_folders

SMALL = dict(from_scratch="lenet5", size=32, batch=16, augment="light", learning_rate=3e-3)


def quiet(_):
    pass


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return write_class_folders(tmp_path_factory.mktemp("shapes"), 40)


def started(pictures, out, **settings):
    return start_run(pictures, Settings(**SMALL | settings), out=out, say=quiet)


@pytest.fixture(scope="module")
def finished(pictures, tmp_path_factory):
    """An uninterrupted run of six epochs."""
    folder = started(pictures, tmp_path_factory.mktemp("runs") / "whole", epochs=6)
    return folder, go_on(folder, say=quiet)


def test_a_small_network_learns_the_shapes(finished):
    _, run = finished
    assert run["finished"] and run["stopped"] is None
    assert run["scores"]["test"]["top1"] >= 0.8
    assert {name: s["pictures"] for name, s in run["scores"].items()} == {
        "train": 72,
        "dev": 24,
        "test": 24,
    }


def test_the_folder_holds_all_that_is_promised(finished):
    folder, _ = finished
    files = {path.name for path in folder.iterdir()}
    promised = {"model.keras", "model.json", "whole.tflite", "whole.weights.h5", "run.json"}
    promised |= {"history.csv", "curves.png", "confusion.png", "calibration.png", "report.html"}
    promised |= {"predictions.csv", "augmented.jpg", "best.weights.h5"}
    assert promised <= files
    assert not [name for name in files if "part" in name or name.endswith(".npz")]
    assert [int(row["epoch"]) for row in read_history(folder / "history.csv")] == list(range(1, 7))


def test_the_folder_serves_as_a_model_and_says_what_predictions_csv_says(finished):
    folder, _ = finished
    classifier = Classifier.load(folder, device="cpu")
    assert classifier.classes == CLASSES
    with (folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["split"] for row in rows} == {"train", "dev", "test"}
    from cvtool.pictures.reading import read_picture

    for row in rows[::20]:
        best = classifier(read_picture(row["file"]), top=1)[0]
        assert best.label == row["predicted"]
        assert best.score == pytest.approx(float(row["score"]), abs=1e-3)
        assert row["right"] == str(int(row["truth"] == row["predicted"]))


def test_the_keras_file_loads_without_our_code_and_agrees(finished):
    folder, _ = finished
    network = keras.models.load_model(folder / "model.keras", compile=False)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype(np.float32)
    probabilities = Classifier.load(folder, device="cpu").probabilities(pixels[0].astype(np.uint8))
    assert np.abs(network(pixels).numpy()[0] - probabilities).max() < 0.02


def test_killed_five_times_it_ends_as_if_it_had_not_been(pictures, finished, tmp_path, monkeypatch):
    folder, whole = started(pictures, tmp_path / "killed", epochs=6), finished[1]
    rng = np.random.default_rng(1)
    for _ in range(5):
        with monkeypatch.context() as patch:
            # Five steps an epoch; now and then none is finished.
            kill_at(patch, finetuning, int(rng.integers(1, 9)))
            try:
                run = go_on(folder, say=quiet)
                break
            except Killed:
                pass
    else:
        run = go_on(folder, say=quiet)
    for split, figures in whole["scores"].items():
        assert run["scores"][split]["top1"] == pytest.approx(figures["top1"], abs=0.02)
    losses = [
        [float(row["loss"]) for row in read_history(f / "history.csv")]
        for f in (folder, finished[0])
    ]
    # The order of the pictures, their augmentation and the dropout are all drawn again.
    assert np.abs(np.subtract(*losses)).max() < 1e-3


def test_ctrl_c_keeps_the_best_model_and_resume_goes_on(pictures, tmp_path):
    folder = started(pictures, tmp_path / "stopped", epochs=3)
    with ctrl_c_in(finetuning, epoch=2):
        run = go_on(folder, say=quiet)
    assert not run["finished"] and run["stopped"] == "stopped with Ctrl-C after epoch 1"
    assert Classifier.load(folder, device="cpu").classes == CLASSES
    assert "Ctrl-C" in (folder / "report.html").read_text()
    run = go_on(folder, say=quiet)
    assert run["finished"] and read_state(folder)["epoch"] == 3
    with pytest.raises(TrainingError, match="finished"):
        go_on(folder, say=quiet)


def test_a_loss_that_is_no_number_stops_and_says_what_to_try(pictures, tmp_path):
    folder = started(pictures, tmp_path / "nan", epochs=2, learning_rate=1e30, optimizer="sgd")
    with pytest.raises(TrainingError, match=r"loss became (nan|inf) at step \d+ of epoch 1.*--lea"):
        go_on(folder, say=quiet)


def test_a_full_disk_leaves_the_last_checkpoint(pictures, tmp_path, monkeypatch):
    folder = started(pictures, tmp_path / "full", epochs=3)
    save, saved = keras.Model.save_weights, []

    def full(self, path, *arguments, **more):
        if len(saved) == 2:
            path.write_bytes(b"half a file")
            raise OSError(28, os.strerror(28))
        saved.append(path)
        return save(self, path, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "save_weights", full)
        with pytest.raises(OutputError, match=r"No space left.*make room"):
            go_on(folder, say=quiet)
    assert not list(folder.glob("part-*"))
    assert read_state(folder)["epoch"] == 1
    assert go_on(folder, say=quiet)["finished"]


def test_a_picture_that_vanishes_is_named(pictures, tmp_path):
    own = shutil.copytree(pictures, tmp_path / "own")
    folder = started(own, tmp_path / "run", epochs=1)
    run = json.loads((folder / "run.json").read_text())
    gone = run["splits"]["train"]["files"][-1]
    os.unlink(gone)
    with pytest.raises(Exception, match="no such file") as caught:
        go_on(folder, say=quiet)
    assert gone in str(caught.value) and type(caught.value).__name__ == "PictureError"


def test_several_labels_a_picture_with_gaps_in_the_table(pictures, tmp_path):
    """Labels "round" and "light"; a third of the entries is blank."""
    rng, rows = np.random.default_rng(0), []
    for path in sorted(pictures.rglob("*.png")):
        disc, cross = int(path.parent.name == "disc"), int(path.parent.name == "cross")
        cells = ["" if rng.random() < 0.3 else value for value in (disc, cross)]
        rows.append([path.relative_to(pictures), *cells])
    table = tmp_path / "labels.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["file", "disc", "cross"], *rows])
    settings = Settings(**SMALL | {"epochs": 8})
    folder = start_run(table, settings, out=tmp_path / "run", pictures=pictures, say=quiet)
    run = go_on(folder, say=quiet)
    assert run["several"] and run["scores"]["test"]["mean_average_precision"] > 0.75
    classifier = Classifier.load(folder, device="cpu")
    assert classifier.several and set(classifier.classes) == {"disc", "cross"}
    header = (folder / "predictions.csv").read_text().splitlines()[0]
    assert header == "file,split,disc,cross"


def test_the_shipped_backbone_learns_from_few_pictures(pictures, tmp_path):
    """The head on cached features, then the last stage, in one history."""
    settings = Settings(size=64, unfreeze="last", epochs=1, head_epochs=40, batch=16)
    folder = start_run(pictures, settings, out=tmp_path / "run", say=quiet)
    run = go_on(folder, say=quiet)
    assert run["scores"]["test"]["top1"] >= 0.8
    rows = read_history(folder / "history.csv")
    assert len(rows) == 41
    assert Classifier.load(folder, device="cpu").size == 64


def test_all_layers_learn_from_smaller_crops_than_the_model_will_see(pictures, tmp_path):
    settings = Settings(size=96, unfreeze="all", epochs=1, head_epochs=20, batch=16)
    folder = start_run(pictures, settings, out=tmp_path / "run", say=quiet)
    training = finetuning.open_training(folder, read_run(folder))
    crops, _ = finetuning.training_batches(training, 0)[0]
    assert crops.shape == (16, 80, 80, 3) and training.store.view(0).shape == (96, 96, 3)
    lines = []
    finetuning.train(training, say=lines.append)
    assert any("58 layers of the backbone released" in line for line in lines)
    state = read_state(folder)
    assert state["epoch"] == 21 and state["best"] >= 0.8


def test_a_run_of_an_earlier_version_goes_on_as_it_began(pictures, tmp_path):
    settings = Settings(size=96, unfreeze="all", epochs=1, head_epochs=1, batch=16)
    folder = start_run(pictures, settings, out=tmp_path / "run", say=quiet)
    run = read_run(folder)
    del run["chosen"]["train_size"], run["chosen"]["train_norms"]
    training = finetuning.open_training(folder, run)
    assert training.train_size == 96
    lines = []
    finetuning.train(training, say=lines.append)
    assert any("29 layers of the backbone released" in line for line in lines)


def test_options_that_a_head_alone_does_not_heed_are_named(pictures, tmp_path):
    plain = dict(size=64, augment="none", batch=8, weight_decay=0.1)
    more = dict(optimizer="sgd", learning_rate=1e-4, augment="strong")
    for options, idle in ((plain, ""), (more, "--optimizer, --learning-rate, --augment without")):
        lines = []
        start_run(pictures, Settings(**options), out=tmp_path / str(bool(idle)), say=lines.append)
        said = [line for line in lines if "without effect" in line]
        assert len(said) == bool(idle) and all(line.startswith(idle) for line in said)


def test_head_only_trains_no_layer_of_the_backbone(pictures, tmp_path):
    settings = Settings(size=64, unfreeze="head", head_epochs=5)
    folder = start_run(pictures, settings, out=tmp_path / "run", say=quiet)
    finetuning.train(finetuning.open_training(folder, read_run(folder)), say=quiet)
    import h5py

    from cvtool.models.presets import find_model, preset_file

    with (
        h5py.File(folder / "best.weights.h5") as own,
        h5py.File(preset_file(find_model("tiny200"), "weights")) as shipped,
    ):
        names = []
        own["layers/functional"].visititems(
            lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
        )
        assert len(names) > 50
        for name in names:
            difference = own["layers/functional"][name][()] - shipped["layers/functional"][name][()]
            assert np.abs(difference).max() < 2e-3
