"""Whole trainings on people of different colours: what they reach and leave."""

import json
import shutil
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from cvtool.datasets.face_pairs import FacePair, FacePairs
from cvtool.errors import ModelError, OutputError, TrainingError
from cvtool.faces import finetuning, finishing
from cvtool.faces.evaluation import evaluate_verifier
from cvtool.faces.finetuning import open_training
from cvtool.faces.finishing import RUN_FILES, finish
from cvtool.faces.preparation import FACES_FILE
from cvtool.faces.runs import go_on, start_run
from cvtool.faces.settings import Settings
from cvtool.faces.verifier import Verifier
from cvtool.training.checkpoints import read_history, read_state, write_state
from cvtool.training.run_folder import read_run
from html_page import Page
from killed_training import ctrl_c_in
from tiny_facenet import save_start, small_networks
from tiny_people import write_people


def quiet(_):
    pass


@pytest.fixture(scope="module", autouse=True)
def small():
    with small_networks(), patch("cvtool.faces.settings.RELEASE_FROM", 4):
        yield


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    people = write_people(folder / "people", 10, 5)
    return SimpleNamespace(people=people, start=save_start(folder / "tiny", exported=True))


def started(sets, out, say=quiet, **settings):
    values = dict(backbone=str(sets.start), epochs=6, batch=24, learning_rate=2e-2) | settings
    return start_run(sets.people, Settings(**values), split="50/20/30", out=out, say=say)


@pytest.fixture(scope="module")
def finished(sets, tmp_path_factory):
    """A run that was stopped with Ctrl-C in its third epoch and gone on with.

    With what go_on gave back both times, what was said, and the report in between.
    """
    said = []
    folder = started(sets, tmp_path_factory.mktemp("runs") / "whole", said.append)
    with ctrl_c_in(finetuning, epoch=3):
        stopped = go_on(folder, say=said.append)
    page = (folder / "report.html").read_text()
    run = go_on(folder, say=said.append)
    return SimpleNamespace(folder=folder, stopped=stopped, page=page, run=run, said=said)


def test_ctrl_c_keeps_the_best_model_and_resume_goes_on(finished):
    assert not finished.stopped["finished"] and "Ctrl-C after epoch 2" in finished.page
    assert finished.run["finished"] and finished.run["stopped"] is None
    rows = read_history(finished.folder / "history.csv")
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2, 3, 4, 5, 6]
    with pytest.raises(TrainingError, match="finished"):
        go_on(finished.folder, say=quiet)


def test_people_that_it_never_saw_are_told_apart_better_than_before(finished):
    test = finished.run["scores"]["test"]
    assert test["people"] == 3 and test["auc"] >= test["before"]["auc"] + 0.1
    assert test["auc"] >= 0.8 and test["eer"] <= test["before"]["eer"]
    assert finished.run["best_epoch"] > 0
    low, high = test["interval"]
    assert 0 <= low <= test["auc"] <= high <= 1


def test_the_folder_holds_all_that_is_promised_and_no_faces(finished):
    files = {path.name for path in finished.folder.iterdir()}
    promised = {"model.keras", "model.json", "whole.tflite", "whole.weights.h5", "run.json"}
    promised |= {"history.csv", "curves.png", "report.html", "augmented.jpg", "roc.png"}
    assert promised <= files and FACES_FILE not in files and FACES_FILE in RUN_FILES
    assert not [name for name in files if name.startswith("part-")]
    page = Page((finished.folder / "report.html").read_text())
    expected = ["Pairs, on test", "Scores", "Thresholds", "Curves", "Diagnosis"]
    assert [heading for heading in page.headings if heading in expected] == expected
    assert "before the training" in page.text and "5 people" in page.text
    assert "fewer than 10 people" in page.text and not [x for x in page.links if "://" in x]


def test_the_folder_serves_as_a_model_with_thresholds_of_its_own(finished, sets):
    verifier = Verifier.load(finished.folder, device="cpu")
    calibration = finished.run["calibration"]
    assert verifier.threshold().distance == calibration["threshold"]
    assert "2 people" in calibration["source"] and min(calibration["pairs"]) < 50
    assert any("it is a guess" in line for line in finished.said)
    test = sorted(set(finished.run["splits"]["test"]["people"]))
    files = {name: sorted((sets.people / name).iterdir()) for name in test}
    same = [FacePair(f[0], f[i], True) for f in files.values() for i in (1, 2, 3)]
    other = [FacePair(files[test[0]][i], files[test[1]][i], False) for i in range(4)]
    summary = evaluate_verifier(verifier, FacePairs((*same, *other), 1)).summary
    assert summary["threshold"] == calibration["threshold"] and summary["pairs"] == 13
    # A run is a model to start from as well.
    more = finetuning.find_start(str(finished.folder))
    assert more.name == "whole" and more.size == 64


def test_a_training_without_gain_gives_the_model_back_and_says_so(
    finished, sets, tmp_path, monkeypatch
):
    folder = shutil.copytree(finished.folder, tmp_path / "whole")
    run = read_run(folder)
    training = open_training(folder, run)
    finetuning.start_network(training).save_weights(folder / "best.weights.h5")
    write_state(folder, read_state(folder) | {"best_epoch": 0})
    # Exported once is enough for these tests.
    monkeypatch.setattr(finishing, "save_trained", lambda training, run: None)
    entry = json.loads((sets.start / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(entry | {"name": "whole"}))
    for kind in ("tflite", "weights.h5"):
        shutil.copy(sets.start / f"tiny.{kind}", folder / f"tiny.{kind}")
    said = []
    result = finish(training, run, minutes=1.0, stopped=None, say=said.append)
    assert result["best_epoch"] == 0 and "the network stays as it came" in said[-1]
    for figures in result["scores"].values():
        assert figures["auc"] == figures["before"]["auc"]
        assert figures["gain_interval"] == [0.0, 0.0]
    assert "No epoch was better on the dev people" in (folder / "report.html").read_text()
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_what_was_chosen_is_said(finished):
    assert (
        "tiny; batches of 5 people with 4 pictures, 6 epochs of 10 steps, augmentation light, the "
        "backbone frozen in 1 of them, learning rate 0.02" in finished.said
    )
    assert any(line.startswith("people: 5 train (") for line in finished.said)


def test_what_is_wrong_is_refused_before_anything_is_read(sets, tmp_path):
    with pytest.raises(OutputError, match="which is read"):
        started(sets, sets.people / "run")
    with pytest.raises(ModelError, match='"everyday" is for detect'):
        started(sets, tmp_path / "run", backbone="everyday")
    assert not (tmp_path / "run").exists()
