"""`cvtool finetune` as a user meets it."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cvtool.cli.main import app
from cvtool.pictures.writing import write_picture
from tiny_classes import CLASSES, draw, write_class_folders

QUICK = ["--from-scratch", "lenet5", "--epochs", 2, "--batch", 16, "--augment", "none"]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return write_class_folders(tmp_path_factory.mktemp("data") / "shapes", 10)


@pytest.fixture(scope="module")
def trained(shapes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "run"
    arguments = [str(a) for a in ("finetune", shapes, *QUICK, "--out", folder)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    return folder


@pytest.fixture
def finished(trained, tmp_path):
    """A copy of a finished run, for a test to change."""
    return shutil.copytree(trained, tmp_path / "run")


def contents(folder):
    """Names, sizes and times of all files below a folder."""
    return {p: (p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(folder.rglob("*"))}


def test_from_a_folder_to_a_model_that_classifies_and_can_be_evaluated(run, shapes):
    before = contents(shapes)
    result = run("finetune", shapes, *QUICK)
    assert result.exit_code == 0, result.stderr
    assert contents(shapes) == before
    assert "60/20/20" in result.stderr and "18 train, 6 dev, 6 test" in result.stderr
    assert "use it: cvtool classify photo.jpg --model runs/shapes" in result.stdout
    assert Path("runs/shapes/report.html").is_file()
    picture = next(shapes.rglob("*.png"))
    record = json.loads(run("classify", picture, "--model", "runs/shapes", "--jsonl").stdout)
    assert {c["label"] for c in record["classes"]} == set(CLASSES)
    scores = json.loads(run("evaluate", "runs/shapes", shapes, "--json").stdout)
    assert scores["pictures"] == 30 and set(scores["per_class"]) == set(CLASSES)
    described = json.loads(run("models", "describe", "runs/shapes", "--json").stdout)
    assert described["parameters"] > 60_000
    # The same command again takes the next free name.
    again = run("finetune", shapes, *QUICK, "--json")
    assert json.loads(again.stdout)["run"] == os.path.join("runs", "shapes-2")


def test_json_holds_scores_with_intervals_and_the_diagnosis(run, shapes, tmp_path):
    result = run("finetune", shapes, *QUICK, "--json", "--out", "here", "--seed", 3)
    summary = json.loads(result.stdout)
    low, high = summary["scores"]["test"]["interval"]
    assert 0 <= low <= summary["scores"]["test"]["top1"] <= high <= 1
    assert summary["diagnosis"]["summary"] and summary["finished"]
    assert json.loads(Path("here/run.json").read_text())["settings"]["seed"] == 3
    taken = run("finetune", shapes, *QUICK, "--out", "here")
    assert taken.exit_code == 1 and "--resume here" in taken.stderr
    resumed = run("finetune", "--resume", "here")
    assert resumed.exit_code == 1 and "finished" in resumed.stderr
    newer = json.loads(Path("here/model.json").read_text()) | {"format": 99}
    Path("here/model.json").write_text(json.dumps(newer))
    picture = next(shapes.rglob("*.png"))
    refused = run("classify", picture, "--model", "here")
    assert refused.exit_code == 1 and "newer cvtool" in refused.stderr


def test_target_pictures_become_dev_and_test(run, shapes, tmp_path):
    target = write_class_folders(tmp_path / "target", 6, seed=9)
    result = run("finetune", shapes, *QUICK, "--target", target, "--json")
    summary = json.loads(result.stdout)
    assert set(summary["pictures"]) == {"train", "train-dev", "dev", "test"}
    assert summary["pictures"]["dev"] == summary["pictures"]["test"] == 9
    assert "data_mismatch" in summary["diagnosis"]["gaps"]


def test_what_is_wrong_with_the_pictures_is_said_and_the_rest_is_used(run, shapes, tmp_path):
    own = shutil.copytree(shapes, tmp_path / "own")
    (own / "disc" / "broken.png").write_bytes((own / "disc" / "disc-001.png").read_bytes()[:300])
    shutil.copy(own / "disc" / "disc-001.png", own / "disc" / "same.png")
    result = run("finetune", own, *QUICK)
    assert result.exit_code == 0
    assert "broken.png" in result.stderr and "same.png" in result.stderr


def broken(folder):
    for path in folder.rglob("*.png"):
        path.write_bytes(b"\x89PNG\r\n\x1a\n nothing")


def only_one(folder):
    for path in sorted((folder / "disc").iterdir())[1:]:
        path.unlink()


def empty(folder):
    shutil.rmtree(folder)
    folder.mkdir()


def one_class(folder):
    for name in CLASSES[1:]:
        shutil.rmtree(folder / name)


def twins(folder):
    rng = np.random.default_rng(0)
    for number in range(3):
        write_picture(folder / "DISC" / f"{number}.png", draw("disc", rng))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (broken, "not one of its 30 pictures can be read"),
        (only_one, 'class "disc" has one readable picture'),
        (empty, "no picture"),
        (one_class, "one class"),
        (twins, "DISC"),
    ],
)
def test_data_that_cannot_be_learnt_from_gets_one_line(run, shapes, tmp_path, spoil, words):
    own = shutil.copytree(shapes, tmp_path / "own")
    spoil(own)
    result = run("finetune", own, *QUICK)
    assert result.exit_code == 1 and result.stdout == ""
    (line,) = [x for x in result.stderr.splitlines() if x.startswith("cvtool: error: ")]
    assert words in line and "own" in line
    assert not Path("runs").exists()


def test_a_table_whose_files_are_missing_names_them(run, shapes, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("file,label\nno/such.png,disc\nnor/this.png,square\n")
    result = run("finetune", table, *QUICK)
    assert result.exit_code == 1 and "no/such.png" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "give a data set, or --resume"),
        (["DATA", "--resume", "runs/a"], 2, "give a data set, or --resume"),
        (["--resume", "runs/none"], 1, "no run to go on with"),
        (["--resume", "runs/none", "--epochs", "3"], 2, "--epochs cannot change a run"),
        (["no-such-folder"], 1, "no-such-folder"),
        (["DATA", "--from-scratch", "lenet"], 1, "did you mean lenet5"),
        (["DATA", "--backbone", "everyday"], 1, "is for detect"),
        (["DATA", "--split", "60/50"], 2, "--split"),
        (["DATA", "--unfreeze", "stage9", "--epochs", "1"], 2, "unknown layer"),
        (["DATA", "--dropout", "1.5"], 2, "--dropout 1.5"),
        (["DATA", "--gpus", "all", "--from-scratch", "lenet5"], 1, "--gpus all"),
        (["DATA", "--augment", "wild"], 2, "--augment"),
        (["DATA", "--from-scratch", "lenet5", "--size", "20"], 1, "32"),
    ],
)
def test_wrong_options_get_one_line_and_leave_nothing(run, shapes, arguments, code, words):
    result = run("finetune", *(shapes if a == "DATA" else a for a in arguments))
    assert result.exit_code == code and result.stdout == ""
    (line,) = [x for x in result.stderr.splitlines() if x.startswith("cvtool: error: ")]
    assert words in line
    assert not Path("runs").exists()


def test_a_read_only_run_folder_is_refused_before_the_work(run, shapes, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    # Not by access rights, which do not hold root back.
    monkeypatch.setattr("cvtool.pictures.writing.TemporaryFile", refuse)
    result = run("finetune", shapes, *QUICK, "--out", "locked/run")
    assert result.exit_code == 1 and len(result.stderr.splitlines()) == 1
    assert "locked/run: cannot be written (Permission denied); name another" in result.stderr


def test_a_run_folder_below_a_file(run, shapes, tmp_path):
    (tmp_path / "file").write_text("")
    result = run("finetune", shapes, *QUICK, "--out", tmp_path / "file" / "run")
    assert result.exit_code == 1 and "name another" in result.stderr


def test_a_run_beside_the_classes_would_become_one_of_them(run, shapes, monkeypatch):
    monkeypatch.chdir(shapes)
    result = run("finetune", ".", *QUICK)
    assert result.exit_code == 1 and "name a folder outside of it with --out" in result.stderr
    assert sorted(path.name for path in shapes.iterdir()) == sorted(CLASSES)


def test_overwrite_removes_nothing_that_no_run_wrote(run, shapes, finished):
    out = finished
    (out / "notes.txt").write_text("mine")
    before = (out / "history.csv").read_bytes()
    again = run("finetune", shapes, *QUICK, "--out", out, "--overwrite", "--seed", 5)
    assert again.exit_code == 0
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "history.csv").read_bytes() != before
    refused = run("evaluate", out, shapes, "--out", out, "--overwrite")
    assert refused.exit_code == 1 and "holds a run" in refused.stderr


def test_an_evaluation_goes_on_past_a_broken_picture(run, shapes, finished, tmp_path):
    own = shutil.copytree(shapes, tmp_path / "own")
    (own / "disc" / "disc-001.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    result = run("evaluate", finished, own, "--json")
    summary = json.loads(result.stdout)
    assert summary["pictures"] == 29 and summary["unreadable"] == 1
    assert result.exit_code == 1 and "disc-001.png" in result.stderr


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("state.json", "{"),
        ("state.json", "[]"),
        ("best.weights.h5", "nothing"),
        ("run.json", '{"format": 1}'),
    ],
)
def test_a_damaged_run_gets_one_line(run, finished, file, text):
    out = finished
    content = json.loads((out / "run.json").read_text()) | {"finished": False}
    (out / "run.json").write_text(json.dumps(content))
    (out / file).write_text(text)
    result = run("finetune", "--resume", out)
    assert result.exit_code == 1 and result.stdout == ""
    (line,) = [x for x in result.stderr.splitlines() if x.startswith("cvtool: error: ")]
    assert file in line and "start the training anew" in line


def test_one_yes_or_no_column(run, shapes, tmp_path):
    rows = [
        f"{path.relative_to(shapes)},{int(path.parent.name == 'disc')}"
        for path in sorted(shapes.rglob("*.png"))
    ]
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["file,round", *rows]))
    result = run("finetune", table, "--pictures", shapes, *QUICK, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    picture = next(shapes.rglob("*.png"))
    record = json.loads(run("classify", picture, "-m", tmp_path / "run", "--jsonl").stdout)
    assert [c["label"] for c in record["classes"]] == ["round"]


def test_pictures_shared_with_the_test_set_are_named_as_such(run, shapes):
    result = run("finetune", shapes, *QUICK, "--test", shapes)
    assert result.exit_code == 0 and "also in test" in result.stderr
