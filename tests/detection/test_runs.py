"""Whole fine-tunings of a detector on drawn shapes: what they reach and leave."""

import json
import shutil
from types import SimpleNamespace

import pytest

from cvtool.detection import finetuning
from cvtool.detection.detector import Detector
from cvtool.detection.runs import go_on, start_run
from cvtool.detection.settings import Settings
from cvtool.errors import DatasetError, OutputError, TrainingError
from cvtool.training.checkpoints import read_history
from killed_training import ctrl_c_in
from tiny_detector import SIZE, save_detector, small_networks, write_yolo_set

# Frozen in epoch 1 of 5, without mosaics in the last one; seven steps an epoch.
SMALL = dict(size=SIZE, batch=5, epochs=5, learning_rate=2e-2, seed=0)


def quiet(_):
    pass


@pytest.fixture(scope="module", autouse=True)
def networks():
    with small_networks():
        yield


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return write_yolo_set(tmp_path_factory.mktemp("sets") / "shapes", 60)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return save_detector(tmp_path_factory.mktemp("models") / "tiny")


def started(shapes, tiny, out, **settings):
    return start_run(shapes, Settings(backbone=str(tiny), **SMALL | settings), out=out, say=quiet)


@pytest.fixture(scope="module")
def finished(shapes, tiny, tmp_path_factory):
    """A run that was stopped with Ctrl-C in its second epoch and gone on with.

    With what go_on gave back both times, and the report in between.
    """
    folder = started(shapes, tiny, tmp_path_factory.mktemp("runs") / "whole")
    with ctrl_c_in(finetuning, epoch=2):
        stopped = go_on(folder, say=quiet)
    page = (folder / "report.html").read_text()
    return SimpleNamespace(folder=folder, stopped=stopped, page=page, run=go_on(folder, say=quiet))


def test_ctrl_c_keeps_the_best_model_and_resume_goes_on(finished):
    assert not finished.stopped["finished"] and "Ctrl-C" in finished.page
    assert finished.stopped["stopped"] == "stopped with Ctrl-C after epoch 1"
    assert finished.run["finished"] and finished.run["stopped"] is None
    with pytest.raises(TrainingError, match="finished"):
        go_on(finished.folder, say=quiet)


def test_the_folder_holds_all_that_is_promised(finished):
    folder, run = finished.folder, finished.run
    files = {path.name for path in folder.iterdir()}
    promised = {"model.keras", "model.json", "whole.tflite", "whole.weights.h5", "run.json"}
    promised |= {"history.csv", "curves.png", "precision_recall.png", "thresholds.png"}
    promised |= {"report.html", "augmented.jpg", "best.weights.h5", "last.weights.h5"}
    assert promised <= files and not [name for name in files if name.startswith("part-")]
    rows = read_history(folder / "history.csv")
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5]
    pictures = {name: part["pictures"] for name, part in run["scores"].items()}
    assert sum(pictures.values()) == 60


def test_it_learns_with_the_backbone_frozen_at_first(finished):
    folder = finished.folder
    scores = [float(row["dev_mAP50"]) for row in read_history(folder / "history.csv")]
    assert max(scores[1:]) > scores[0] + 0.02
    chosen = json.loads((folder / "run.json").read_text())["chosen"]
    assert chosen["frozen_epochs"] == 1 and chosen["plain_epochs"] == 1


def test_the_folder_serves_as_a_model_with_its_own_score(finished):
    folder, run = finished.folder, finished.run
    detector = Detector.load(folder, device="cpu")
    assert detector.classes == ("disc", "square") and detector.score == run["score"]
    assert json.loads((folder / "model.json").read_text())["score"] == run["score"]


def test_faults_are_listed_and_too_many_refused_but_for_force(shapes, tiny, tmp_path):
    own = shutil.copytree(shapes, tmp_path / "own")
    labels = sorted((own / "labels").glob("*.txt"))
    labels[0].write_text("7 0.5 0.5 0.2 0.2\n")
    said = []
    settings = Settings(backbone=str(tiny), **SMALL)
    folder = start_run(own, settings, out=tmp_path / "run", say=said.append)
    assert any(f"{labels[0].name}:1: " in line for line in said)
    run = json.loads((folder / "run.json").read_text())
    files = [file for part in run["splits"].values() for file in part["files"]]
    assert len(files) == 59 and not any(labels[0].stem in file for file in files)
    for label in labels[1:5]:
        label.write_text("0 0.5 0.5 0 0\n")
    with pytest.raises(DatasetError, match=r"5 pictures with faults.*cvtool check .*--force"):
        start_run(own, settings, out=tmp_path / "more", say=quiet)
    assert not (tmp_path / "more").exists()
    forced = start_run(own, settings, out=tmp_path / "more", force=True, say=quiet)
    run = json.loads((forced / "run.json").read_text())
    assert sum(len(part["files"]) for part in run["splits"].values()) == 55


def test_a_run_inside_the_data_set_is_refused(shapes, tiny):
    with pytest.raises(OutputError, match="which is read"):
        started(shapes, tiny, shapes / "run")


def test_a_picture_that_vanishes_is_named(shapes, tiny, tmp_path):
    own = shutil.copytree(shapes, tmp_path / "own")
    folder = started(own, tiny, tmp_path / "run", epochs=1)
    run = json.loads((folder / "run.json").read_text())
    gone = run["splits"]["train"]["files"][-1]
    shutil.move(gone, tmp_path / "elsewhere.png")
    with pytest.raises(Exception, match="no such file") as caught:
        go_on(folder, say=quiet)
    assert gone in str(caught.value) and type(caught.value).__name__ == "PictureError"
