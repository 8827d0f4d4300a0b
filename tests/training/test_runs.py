"""The mechanism of runs, whatever is trained: what is kept, said and gone on with."""

import json
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from cvtool.errors import TrainingError
from cvtool.training.checkpoints import read_state, write_state
from cvtool.training.run_folder import read_run
from cvtool.training.runs import Task, go_on, model_name, name_of, write_new_run

CONTENT = {"dataset": "pictures", "settings": {}, "chosen": {"epochs": 3}, "splits": {}}


def task(epochs=(1, 2, 3), error=None, stopped=None):
    """A training that does these epochs at once and then ends, or is ended by an error."""
    calls = []

    def train(training, *, say):
        calls.append("train")
        for epoch in epochs:
            write_state(training.folder, {"epoch": epoch, "best": 0.5, "best_epoch": epoch})
        if error is not None:
            raise error
        return stopped

    def finish(training, run, *, minutes, stopped, say, on_picture):
        calls.append("finish")
        on_picture()
        (training.folder / "report.html").write_text(str(stopped))
        return {"scores": {"test": 0.5}}

    made = Task(
        name="nothing",
        files=("run.json", "state.json", "report.html", "part-*"),
        open=lambda folder, run: SimpleNamespace(folder=folder, chosen=run["chosen"]),
        write_sheet=lambda training: calls.append("sheet"),
        train=train,
        count=lambda training: 1,
        finish=finish,
    )
    return made, calls


def begun(tmp_path):
    write_new_run(tmp_path / "run", task()[0], CONTENT)
    return tmp_path / "run"


def test_a_run_from_its_start_to_its_report(tmp_path):
    folder, said = begun(tmp_path), []
    content = json.loads((folder / "run.json").read_text())
    assert content["name"] == "run" and content["task"] == "nothing"
    assert not content["finished"] and content["versions"]["cvtool"]
    made, calls = task()
    run = go_on(folder, made, say=said.append)
    assert calls == ["sheet", "train", "finish"] and said == []
    assert run["finished"] and run["stopped"] is None and run["scores"] == {"test": 0.5}
    assert json.loads((folder / "run.json").read_text()) == run
    with pytest.raises(TrainingError, match=r"finished, its report is .*report\.html; start a new"):
        go_on(folder, made, say=said.append)


def test_ctrl_c_keeps_what_there_is_and_leaves_the_run_open(tmp_path):
    folder, said = begun(tmp_path), []
    made, calls = task(epochs=(1,), error=KeyboardInterrupt())
    run = go_on(folder, made, say=said.append)
    assert not run["finished"] and calls[-1] == "finish"
    assert said == [run["stopped"]] == ["stopped with Ctrl-C after epoch 1"]
    run = go_on(folder, task()[0], say=said.append)
    assert run["finished"] and run["stopped"] is None
    assert (folder / "report.html").read_text() == "None"


def test_ctrl_c_before_there_is_a_model_says_how_to_go_on(tmp_path):
    folder, said = begun(tmp_path), []
    made, calls = task(epochs=(), error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        go_on(folder, made, say=said.append)
    assert said == [
        f"stopped before there was a model; go on with: cvtool finetune --resume {folder}"
    ]
    assert "finish" not in calls and not read_run(folder)["finished"]


def test_ctrl_c_while_the_report_is_written_leaves_the_run_open(tmp_path):
    folder, said = begun(tmp_path), []

    def finish(*_, **__):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go_on(folder, replace(task()[0], finish=finish), say=said.append)
    assert "the report is not written yet" in said[0] and f"--resume {folder}" in said[0]
    assert not read_run(folder)["finished"] and read_state(folder)["epoch"] == 3
    assert go_on(folder, task()[0], say=said.append)["finished"]


def test_a_loss_that_is_no_number_late_leaves_the_best_model(tmp_path):
    folder, said = begun(tmp_path), []
    made, calls = task(epochs=(1, 2), error=TrainingError("the loss became nan"))
    with pytest.raises(TrainingError, match=r"nan; the best model so far is in .*run"):
        go_on(folder, made, say=said.append)
    assert calls[-1] == "finish" and said == []
    assert "the loss became nan" in read_run(folder)["stopped"]


def test_a_loss_that_is_no_number_at_once_leaves_no_model(tmp_path):
    folder = begun(tmp_path)
    made, calls = task(epochs=(), error=TrainingError("the loss became nan"))
    with pytest.raises(TrainingError, match="^the loss became nan$"):
        go_on(folder, made, say=print)
    assert "finish" not in calls and not read_run(folder)["finished"]


def test_stopping_early_is_said_and_is_an_end(tmp_path):
    folder, said = begun(tmp_path), []
    run = go_on(folder, task(epochs=(1, 2), stopped="no better score")[0], say=said.append)
    assert run["finished"] and run["stopped"] == "no better score" and said == ["no better score"]


def test_the_minutes_of_all_sittings_are_counted(tmp_path):
    folder = begun(tmp_path)
    go_on(folder, task(epochs=(1,), error=KeyboardInterrupt())[0], say=lambda _: None)
    content = read_run(folder)
    (folder / "run.json").write_text(json.dumps(content | {"minutes": 7.5}))
    start = time.perf_counter()
    run = go_on(folder, task()[0], say=lambda _: None)
    assert 7.5 <= run["minutes"] <= 7.51 + (time.perf_counter() - start) / 60


def test_the_progress_counts_what_is_looked_at(tmp_path):
    from contextlib import contextmanager

    steps = []

    @contextmanager
    def progress(description, total):
        yield lambda: steps.append((description, total))

    go_on(begun(tmp_path), task()[0], say=print, progress=progress)
    assert steps == [("scoring", 1)]


def test_a_new_run_takes_the_place_of_the_old_ones_files_alone(tmp_path):
    folder = begun(tmp_path)
    go_on(folder, task()[0], say=print)
    others = ["notes.txt", "mine.tflite", "best.png"]
    for name in (*others, "part-run.json", "run.tflite", "wide-run.weights.h5"):
        (folder / name).write_text("")
    begun(tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*others, "run.json"])
    assert not read_run(folder)["finished"] and read_state(folder)["epoch"] == 0


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("cats", "cats"),
        ("cats and dogs/labels.csv", "labels"),
        ("my (pets)!", "my--pets"),
        ("pets/data.yaml", "pets"),
        ("pets/train", "pets"),
        ("Käfer_2", "Käfer_2"),
        ("!!!", "run"),
    ],
)
def test_a_run_is_named_after_its_data(tmp_path, path, name):
    path = tmp_path / path
    if path.suffix:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    else:
        path.mkdir(parents=True)
    assert name_of(path) == name


def test_a_model_is_named_after_its_run_but_not_as_a_checkpoint(tmp_path):
    assert model_name(tmp_path / "cats") == "cats"
    assert model_name(tmp_path / "best") == "best-model"
    assert len(model_name(tmp_path / ("x" * 200))) == 100
