"""`cvtool finetune` of folders of people, as a user meets it."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from cvtool.cli.main import app
from cvtool.faces import finetuning, runs
from cvtool.pictures.writing import write_picture
from cvtool.training.run_folder import read_run
from eager_training import eager_training
from tiny_classes import write_class_folders
from tiny_detector import write_yolo_set
from tiny_facenet import save_start, small_networks
from tiny_masks import write_mask_set
from tiny_people import write_people

PEOPLE = 6
COLUMNS = (
    "split pictures AUC 95 % interval AUC before equal error rate accuracy "
    "true accepts at 1 % false"
)


def one_error(result, code):
    """The only line that starts as an error; nothing is on stdout."""
    assert result.exit_code == code and result.stdout == ""
    (line,) = [x for x in result.stderr.splitlines() if x.startswith("cvtool: error: ")]
    return line


def contents(folder):
    """Names, sizes and times of all files below a folder."""
    return {p: (p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(folder.rglob("*"))}


@pytest.fixture(scope="module", autouse=True)
def small():
    with small_networks(), eager_training(finetuning):
        yield


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = write_people(tmp_path_factory.mktemp("data") / "people", PEOPLE, 3)
    write_picture(folder / "p00" / "wall.png", np.full((60, 60, 3), 90, np.uint8))
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return save_start(tmp_path_factory.mktemp("models") / "tiny", exported=True)


@pytest.fixture(scope="module")
def trained(people, tiny, tmp_path_factory):
    """A run with all that its command said, and whether it changed the data set."""
    folder, before = tmp_path_factory.mktemp("trained") / "run", contents(people)
    arguments = ("finetune", people, "--task", "faces", "--backbone", tiny, "--epochs", 1)
    arguments += ("--batch", 8, "--seed", 3, "--json", "--out", folder)
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 0, result.stderr
    return SimpleNamespace(folder=folder, result=result, unchanged=contents(people) == before)


@pytest.fixture
def started(trained, monkeypatch):
    """Trainings are prepared, and then end at once as that of `trained` did: their folders."""
    folders = []

    def go_on(folder, *, say, progress):
        folders.append(Path(folder))
        return read_run(trained.folder)

    monkeypatch.setattr(runs, "go_on", go_on)
    return folders


def test_json_is_all_that_is_on_stdout(trained):
    summary = json.loads(trained.result.stdout)
    assert set(summary) == {
        *("run", "name", "task", "model", "pictures", "chosen", "how", "scores", "scored_split"),
        *("best_epoch", "calibration", "left_out", "diagnosis", "minutes", "stopped", "finished"),
    }
    assert (summary["task"], summary["model"]) == ("verify", "tiny")
    assert list(summary["scores"]) == list(summary["pictures"]) == ["train", "dev", "test"]
    figures = {"auc", "interval", "eer", "eer_interval", "accuracy", "tar_at_far", "tar_intervals"}
    for row in summary["scores"].values():
        more = {"pictures", "people", "pairs", "before", "gain_interval"}
        assert set(row) == figures | more and set(row["before"]) == figures
    (wall,) = summary["left_out"]["no face"]
    assert Path(wall).name == "wall.png" and trained.unchanged


def test_what_is_done_is_said_on_stderr(trained):
    said = trained.result.stderr
    assert "1 picture shows no face and is left out" in said and "wall.png" in said
    assert "random by seed 3" in said and "batches of 2 people with 4 pictures" in said
    assert "epoch 1/1" in said and "error" not in said and "Traceback" not in said


def test_the_run_serves_verify_and_evaluate_and_faces(run, trained, people):
    files = sorted((people / "p01").iterdir()) + sorted((people / "p02").iterdir())
    pair = ("verify", files[0], files[1], "--no-picture", "--json", "--model", trained.folder)
    result = run(*pair)
    answer = json.loads(result.stdout)
    assert result.exit_code in (0, 1) and answer["model"] == "run"
    assert answer["threshold_from"] == read_run(trained.folder)["calibration"]["source"]
    rows = [f"{files[0]},{files[1]},1", f"{files[0]},{files[4]},0", f"{files[1]},{files[2]},1"]
    Path("pairs.csv").write_text("\n".join(rows))
    scored = run("evaluate", trained.folder, "pairs.csv", "--json")
    assert scored.exit_code == 0 and json.loads(scored.stdout)["pairs"] == 3
    enrolled = run("faces", "enroll", "g.db", "Ada", files[0], "--model", trained.folder)
    assert enrolled.exit_code == 0, enrolled.stderr
    assert run("models", "describe", trained.folder, "--json").exit_code == 0


def test_resume_ends_what_was_killed_with_a_table_for_people(run, trained, tmp_path):
    folder = shutil.copytree(trained.folder, tmp_path / "run")
    (folder / "run.json").write_text(json.dumps(read_run(folder) | {"finished": False}))
    for name in ("report.html", "model.json", "model.keras"):
        (folder / name).unlink()
    result = run("finetune", "--resume", folder)
    assert result.exit_code == 0, result.stderr
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    row = lines[lines.index(COLUMNS) + 3].split()
    scores = json.loads(trained.result.stdout)["scores"]
    assert row[0] == "dev" and float(row[2]) == pytest.approx(scores["dev"]["auc"], abs=6e-4)
    assert f"use it: cvtool verify a.jpg b.jpg --model {folder}" in lines
    assert any("rea under the ROC, on 2 people of test" in line for line in lines)
    assert (folder / "report.html").is_file() and (folder / "model.keras").is_file()


def test_a_face_model_to_start_from_makes_classes_people(run, people, tiny, started):
    result = run("finetune", people, "--backbone", tiny)
    assert result.exit_code == 0, result.stderr
    assert started == [Path("runs") / "people"] and read_run(started[0])["task"] == "verify"


def test_class_folders_stay_classes_unless_faces_are_asked_for(tmp_path, tiny):
    from cvtool.cli.finetune_task import choose_task

    folder = write_class_folders(tmp_path / "shapes", 2)
    for backbone in (None, "tiny200", "no-such-model"):
        assert choose_task("auto", folder, None, None, None, backbone) == "classify"
        assert choose_task("faces", folder, None, None, None, backbone) == "verify"
        assert choose_task("classify", folder, None, None, None, backbone) == "classify"
    assert choose_task("auto", folder, None, None, None, str(tiny)) == "verify"
    boxes = write_yolo_set(tmp_path / "boxes", 4)
    assert choose_task("auto", boxes, None, None, None, str(tiny)) == "detect"


def test_options_reach_the_run(run, people, tiny, started, tmp_path):
    other = write_people(tmp_path / "other", 2, 2, first=10)
    result = run(
        *("finetune", people, "--task", "faces", "--backbone", tiny, "--test", other),
        *("--split", "60/40", "--freeze", "none", "--augment", "strong", "--patience", 2),
    )
    assert result.exit_code == 0, result.stderr
    content = read_run(started[0])
    assert sorted(set(content["splits"]["test"]["people"])) == ["p10", "p11"]
    settings = content["settings"]
    assert (settings["freeze"], settings["augment"], settings["patience"]) == ("none", "strong", 2)
    assert content["chosen"]["frozen_epochs"] == 0 and settings["weight_decay"] == 0.03


@pytest.mark.parametrize(
    ("task", "write", "words"),
    [
        ("faces", write_yolo_set, "has boxes, which train a detector"),
        ("faces", write_mask_set, "has masks, which train a segmenter"),
        ("detect", write_class_folders, "has no boxes or masks"),
        ("classify", write_yolo_set, "has boxes, which train a detector"),
    ],
)
def test_a_task_that_the_data_contradict_is_refused(run, tmp_path, task, write, words):
    write(tmp_path / "set", 4)
    line = one_error(run("finetune", "set", "--task", task), 2)
    assert f"--task {task}: set {words}" in line and not Path("runs").exists()


@pytest.mark.parametrize(
    "option",
    [
        *(("--pictures", "."), ("--from-scratch", "resnet20"), ("--size", "64"), ("--balance",)),
        *(("--target", "."), ("--unfreeze", "head"), ("--dropout", "0.1"), ("--force",)),
        *(("--loss", "dice"), ("--label-smoothing", "0.1"), ("--human-error", "0.1")),
    ],
)
def test_an_option_that_faces_do_not_have_is_refused(run, people, option):
    line = one_error(run("finetune", people, "--task", "faces", *option), 2)
    assert f"{option[0]} is for " in line and "has people, who train a face model" in line


def overlapping(folder):
    for split in ("train", "val"):
        write_people(folder / split, 2, 1)


def walls(folder):
    for name in ("Ada", "Bob"):
        write_picture(folder / name / "1.png", np.full((60, 60, 3), 90, np.uint8))


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda folder: folder.mkdir(), "no folders of people; put the pictures of each person"),
        (lambda folder: write_people(folder, 1, 2), "only one person (p00)"),
        (lambda folder: write_people(folder, 4, 1), "0 of its people have two pictures or more"),
        (lambda folder: write_people(folder, 3, 2), "4 are needed to train and choose"),
        (overlapping, "p00, p01 in both train and dev"),
        (walls, "no face was found in its 2 pictures"),
    ],
)
def test_what_is_wrong_with_the_people_gets_one_line(run, tiny, tmp_path, write, words):
    write(tmp_path / "set")
    result = run("finetune", "set", "--task", "faces", "--backbone", tiny)
    assert words in one_error(result, 1) and not Path("runs").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--backbone", "tiny200"], 1, '--backbone: model "tiny200" is for classify; give one'),
        (["--backbone", "facenet-lfv"], 1, "did you mean facenet-lfw"),
        (["--backbone", "TINY", "--split", "60/50"], 2, "--split"),
        (["--backbone", "TINY", "--test", "gone"], 1, "gone: no such folder"),
        (["--backbone", "TINY", "--test", "DATA"], 1, "in both the people to train on and test"),
        (["--backbone", "TINY", "--out", "DATA/run"], 1, "name a folder outside of it"),
        (["--backbone", "TINY", "--freeze", "head"], 2, "--freeze"),
    ],
)
def test_wrong_options_get_one_line_and_leave_nothing(run, people, tiny, arguments, code, words):
    before = contents(people)
    given = [a.replace("DATA", str(people)).replace("TINY", str(tiny)) for a in arguments]
    assert words in one_error(run("finetune", people, "--task", "faces", *given), code)
    assert not os.path.exists("runs") and contents(people) == before
