"""`cvtool finetune` of pictures with boxes, as a user meets it."""

import json
import re
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from boxed_sets import text
from cvtool.cli.main import app
from cvtool.datasets.boxed_layouts import read_boxed
from cvtool.datasets.boxed_writing import write_boxed
from cvtool.detection import runs
from cvtool.training.run_folder import read_run
from tiny_classes import CLASSES, write_class_folders
from tiny_detector import SIZE, quick_training, save_detector, small_networks, write_yolo_set

DOCS = Path(__file__).resolve().parents[2] / "docs" / "finetune.md"
PICTURES = 24
COLUMNS = "split pictures mAP50 95 % interval mAP50-95 precision recall F1"
FOR_CLASSIFIERS = {
    "--target": ".",
    "--unfreeze": "head",
    "--head-epochs": "3",
    "--dropout": "0.1",
    "--label-smoothing": "0.1",
    "--human-error": "0.1",
}
# Of segmenters, too.
FOR_DETECTORS = {"--freeze": "none", "--force": None}
NOT_FOR_FACES = {"--pictures", "--from-scratch", "--size", "--balance"}
FOR_SEGMENTERS = ("--masks", "--classes", "--loss", "--boundary")


def one_error(result, code):
    """The only line that starts as an error; nothing is on stdout."""
    assert result.exit_code == code and result.stdout == ""
    (line,) = [x for x in result.stderr.splitlines() if x.startswith("cvtool: error: ")]
    return line


def contents(folder):
    """Names, sizes and times of all files below a folder."""
    return {p: (p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(folder.rglob("*"))}


@pytest.fixture(scope="module", autouse=True)
def networks():
    with small_networks(), quick_training():
        yield


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return write_yolo_set(tmp_path_factory.mktemp("data") / "shapes", PICTURES)


@pytest.fixture(scope="module")
def folders_of_classes(tmp_path_factory):
    return write_class_folders(tmp_path_factory.mktemp("data") / "figures", 4)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return save_detector(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def quick(tiny):
    return ("--backbone", tiny, "--size", SIZE, "--epochs", 1, "--learning-rate", 0.01)


@pytest.fixture(scope="module")
def trained(shapes, quick, tmp_path_factory):
    """A run with all that its command said, and whether it changed the data set."""
    folder, before = tmp_path_factory.mktemp("trained") / "run", contents(shapes)
    arguments = ("finetune", shapes, *quick, "--seed", 3, "--json", "--out", folder)
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 0, result.stderr
    unchanged = contents(shapes) == before
    return SimpleNamespace(folder=folder, result=result, unchanged=unchanged)


@pytest.fixture
def finished(trained, tmp_path):
    """A copy of a finished run, for a test to change."""
    return shutil.copytree(trained.folder, tmp_path / "run")


@pytest.fixture
def started(trained, monkeypatch):
    """Trainings are prepared, and then end at once as that of `trained` did: their folders."""
    folders = []

    def go_on(folder, *, say, progress):
        folders.append(Path(folder))
        return read_run(trained.folder)

    monkeypatch.setattr(runs, "go_on", go_on)
    return folders


def unfinished(folder):
    """Make a run one that was killed after its last epoch, before its report."""
    (folder / "run.json").write_text(json.dumps(read_run(folder) | {"finished": False}))
    for name in ("report.html", "curves.png"):
        (folder / name).unlink()
    return folder


def test_json_is_all_that_is_on_stdout(trained):
    summary = json.loads(trained.result.stdout)
    assert set(summary) == {
        *("run", "name", "task", "model", "pictures", "chosen", "how", "scores", "scored_split"),
        *("score", "per_class", "diagnosis", "minutes", "stopped", "finished"),
    }
    assert (summary["task"], summary["model"]) == ("detect", "tiny")
    assert summary["run"] == str(trained.folder) and summary["finished"]
    assert sum(summary["pictures"].values()) == PICTURES
    assert list(summary["pictures"]) == list(summary["scores"]) == ["train", "dev", "test"]
    assert set(summary["scores"]["test"]) == {
        *("pictures", "objects", "mAP50", "mAP50_95", "interval"),
        *("precision", "recall", "f1", "min_score"),
    }
    low, high = summary["scores"]["test"]["interval"]
    assert 0 <= low <= round(summary["scores"]["test"]["mAP50"], 4) <= high <= 1
    assert set(summary["per_class"]) == {"disc", "square"} and 0 < summary["score"] < 1
    assert summary["diagnosis"]["summary"] and summary["chosen"]["size"] == SIZE


def test_what_is_done_is_said_on_stderr(trained):
    said = trained.result.stderr
    assert "2 classes: 14 train, 5 dev, 5 test (random by seed 3" in said
    assert "anchors kept" in said or "anchors fitted anew" in said
    assert f"tiny; size {SIZE}, batch 8, 1 epoch," in said
    assert "epoch 1/1" in said and "error" not in said and "Traceback" not in said


def test_options_reach_the_run_and_the_data_set_stays(trained, tiny):
    settings = read_run(trained.folder)["settings"]
    assert settings["seed"] == 3 and settings["learning_rate"] == 0.01
    assert settings["backbone"] == str(tiny)
    # What was not given keeps the detector's own default.
    assert settings["weight_decay"] == 0.03 and settings["balance"] is True
    assert trained.unchanged


def test_the_run_serves_as_a_model(run, trained, shapes):
    picture = min(shapes.rglob("*.png"))
    result = run("detect", picture, "--model", trained.folder, "--jsonl", "--no-pictures")
    assert result.exit_code == 0 and json.loads(result.stdout)["model"] == "run"
    result = run("evaluate", trained.folder, shapes, "--json", "--limit", 2)
    assert json.loads(result.stdout)["pictures"] == 2
    result = run("finetune", "--backbone", trained.folder, shapes, "--split", "none")
    assert "--split" in one_error(result, 2)


def test_resume_ends_what_was_killed_with_a_table_for_people(run, trained, finished, monkeypatch):
    # Its files are there, and writing them takes longest.
    monkeypatch.setattr("cvtool.detection.finishing.export_network", lambda *_: None)
    folder = unfinished(finished)
    result = run("finetune", "--resume", folder)
    assert result.exit_code == 0, result.stderr
    assert "going on after epoch 1 of 1" in result.stderr
    lines = [line.strip() for line in result.stdout.splitlines()]
    heading = [line.split() for line in lines].index(COLUMNS.split())
    rows = [line.split() for line in lines[heading + 1 :] if line][1:4]
    scores = json.loads(trained.result.stdout)["scores"]
    assert [row[0] for row in rows] == ["train", "dev", "test"]
    for name, pictures, mean, *_ in rows:
        assert int(pictures) == scores[name]["pictures"]
        assert float(mean) == pytest.approx(scores[name]["mAP50"], abs=6e-4)
    score = read_run(folder)["score"]
    for line in (
        read_run(folder)["diagnosis"]["summary"],
        f"precision, recall and F1 at score {score:.2f}, the model's own from now on",
        f"report: {folder / 'report.html'}",
        f"use it: cvtool detect photo.jpg --model {folder}",
    ):
        assert line in lines
    assert (folder / "report.html").is_file() and read_run(folder)["finished"]


def test_a_finished_run_cannot_be_gone_on_with(run, finished):
    line = one_error(run("finetune", "--resume", finished), 1)
    assert "finished" in line and "report.html" in line


def test_resume_takes_json_and_nothing_else(run, started, finished):
    result = run("finetune", "--resume", finished, "--json")
    assert result.exit_code == 0 and json.loads(result.stdout)["task"] == "detect"
    assert started == [finished]
    for option, value in (("--freeze", "none"), ("--size", "64"), ("--out", "here")):
        line = one_error(run("finetune", "--resume", finished, option, value), 2)
        assert f"{option} cannot change a run that is resumed" in line
    line = one_error(run("finetune", "--resume", finished, "--force"), 2)
    assert "--force cannot change a run" in line and len(started) == 1


@pytest.mark.parametrize("task", [None, "caption"])
def test_a_run_of_no_known_task_gets_one_line(run, finished, task):
    content = read_run(finished)
    del content["task"]
    (finished / "run.json").write_text(json.dumps(content | ({"task": task} if task else {})))
    line = one_error(run("finetune", "--resume", finished), 1)
    assert str(finished) in line and ("damaged" if task is None else '"caption"') in line


def test_ctrl_c_tells_how_to_go_on(run, shapes, quick, trained, monkeypatch):
    content = read_run(trained.folder) | {"finished": False, "stopped": "stopped with Ctrl-C"}
    monkeypatch.setattr(runs, "go_on", lambda *_, **__: content)
    result = run("finetune", shapes, *quick, "--json")
    assert result.exit_code == 130 and json.loads(result.stdout)["finished"] is False
    assert result.stderr.splitlines()[-1] == (
        "cvtool: go on with: cvtool finetune --resume runs/shapes"
    )


def write_layout(shapes, layout, folder):
    """The drawn shapes in another layout; returns what to name on the command line."""
    data = read_boxed(shapes)
    if layout in ("COCO", "Pascal VOC"):
        write_boxed(data, layout, folder)
    elif layout == "YOLO":
        shutil.copytree(shapes, folder)
    elif layout == "YAML":
        shutil.copytree(shapes, folder)
        (folder / "classes.txt").unlink()
        return text(folder / "data.yaml", "train: images", "val: images", "names: [disc, square]")
    else:
        rows = [
            ",".join([example.path.name, *map(str, box), data.classes[class_id]])
            for example in data.examples
            for box, class_id in zip(example.boxes.tolist(), example.class_ids, strict=True)
        ]
        shutil.copytree(shapes / "images", folder / "images")
        table = text(folder / "boxes.csv", "file,x1,y1,x2,y2,class", *rows)
        return table if layout == "CSV" else folder
    return folder


@pytest.mark.parametrize("layout", ["YOLO", "YAML", "COCO", "Pascal VOC", "CSV", "CSV in a folder"])
def test_every_layout_with_boxes_trains_a_detector(run, shapes, quick, started, tmp_path, layout):
    dataset = write_layout(shapes, layout, tmp_path / "set")
    result = run("finetune", dataset, *quick)
    assert result.exit_code == 0, result.stderr
    (folder,) = started
    # Named after the set, or after the table.
    assert folder == Path("runs") / ("boxes" if layout == "CSV" else "set")
    content = read_run(folder)
    assert content["task"] == "detect" and content["classes"] == ["disc", "square"]
    boxes = {
        Path(file).stem: len(rows)
        for part in content["splits"].values()
        for file, rows in zip(part["files"], part["boxes"], strict=True)
    }
    assert boxes == {e.path.stem: len(e.boxes) for e in read_boxed(shapes).examples}


def test_pictures_elsewhere_splits_and_a_test_set(run, shapes, quick, started, tmp_path):
    table = write_layout(shapes, "CSV", tmp_path / "set")
    (tmp_path / "set" / "images").rename(tmp_path / "scans")
    result = run(
        *("finetune", table, "--pictures", "scans", "--split", "75/25", "--test", shapes),
        *(*quick, "--freeze", "backbone", "--no-balance", "--out", "here"),
    )
    assert result.exit_code == 0, result.stderr
    content = read_run(Path("here"))
    pictures = {split: len(part["files"]) for split, part in content["splits"].items()}
    assert pictures == {"train": 18, "dev": 6, "test": PICTURES}
    assert content["settings"]["balance"] is False and content["settings"]["freeze"] == "backbone"
    # Scores on pictures that were trained on would be too good.
    assert "also in test" in result.stderr


def test_options_that_one_task_has_are_marked_in_the_reference_and_the_help(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    rows = dict(re.findall(r"^\| `(--[a-z-]+)[^|]*\|[^|]*\| (.*) \|$", DOCS.read_text(), re.M))
    marks = {
        "C": FOR_CLASSIFIERS,
        "D, S": set(FOR_DETECTORS) - {"--freeze"},
        "D, S, F": {"--freeze"},
        "S": FOR_SEGMENTERS,
    }
    for mark, options in marks.items():
        marked = {name for name, words in rows.items() if words.startswith(f"{mark}:")}
        # But for those that mean another thing in another task.
        assert {n for n in marked if not re.search(r"; [CDSF, ]+:", rows[n])} == set(options)
    described = run("finetune", "--help").stdout
    lines = {
        found: line for line in described.splitlines() for found in re.findall("--[a-z-]+", line)
    }
    assert set(rows) <= set(lines) and "detector" in described
    words = {
        "C": "Classifier: ",
        "D, S": "Detector, segmenter: ",
        "D, S, F": "Detector, segmenter, faces: ",
        "S": "Segmenter: ",
    }
    for mark, options in marks.items():
        assert all(words[mark] in lines[option] for option in options)
    for option in NOT_FOR_FACES:
        assert rows[option].startswith("C, D, S") and "Not for faces" in lines[option]


@pytest.mark.parametrize("option", FOR_CLASSIFIERS | FOR_DETECTORS)
def test_an_option_of_the_other_task_is_refused(run, shapes, folders_of_classes, option):
    for_detectors = option in FOR_DETECTORS
    dataset = folders_of_classes if for_detectors else shapes
    value = (FOR_CLASSIFIERS | FOR_DETECTORS)[option]
    result = run("finetune", dataset, option, *([] if value is None else [value]))
    line = one_error(result, 2)
    assert len(result.stderr.splitlines()) == 1 and not Path("runs").exists()
    if for_detectors:
        others = ", segmenters and face models" if option == "--freeze" else " and segmenters"
        assert f"{option} is for detectors{others}, and {dataset} has no boxes" in line
    else:
        assert f"{option} is for classifiers, and {dataset} has boxes" in line


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["DATA", "--freeze", "head"], 2, "--freeze"),
        (["DATA", "--freeze", "none", "--from-scratch", "yolo"], 2, "--freeze has no meaning"),
        (["DATA", "--from-scratch", "lenet5"], 2, "--from-scratch"),
        (["DATA", "--size", "100"], 2, "--size 100 is not a multiple of 32"),
        (["DATA", "--size", "8"], 2, "--size"),
        (["DATA", "--backbone", "tiny200"], 1, '--backbone: model "tiny200" is for classify'),
        (["DATA", "--backbone", "everyady"], 1, "did you mean everyday"),
        (["DATA", "--split", "60/50"], 2, "--split"),
        (["DATA", "--gpus", "all"], 1, "--gpus all"),
        (["DATA", "--warmup", "2"], 2, "--warmup 2.0"),
        (["DATA", "--test", "gone"], 1, "gone: no such file or folder"),
        (["DATA", "--out", "DATA/run"], 1, "name a folder outside of it with --out"),
        # Whatever else is on the line: nothing is known of what is not there.
        (["gone", "--freeze", "none"], 1, "gone: no such file or folder"),
        (["gone.json", "--dropout", "0.1"], 1, "gone.json: no such file or folder"),
        (["gone", "--from-scratch", "yolo"], 1, "gone: no such file or folder"),
    ],
)
def test_wrong_options_get_one_line_and_leave_nothing(run, shapes, arguments, code, words):
    before = contents(shapes)
    line = one_error(run("finetune", *(a.replace("DATA", str(shapes)) for a in arguments)), code)
    assert words in line
    assert not Path("runs").exists() and contents(shapes) == before


def not_json(folder):
    return text(folder / "boxes.json", "{")


def nothing_named(folder):
    (folder / "images").mkdir(parents=True)
    return text(folder / "data.yaml", "train: images", "names: []")


@pytest.mark.parametrize(
    ("spoil", "words"), [(not_json, "not valid JSON"), (nothing_named, "names")]
)
def test_a_file_that_promises_boxes_is_told_what_is_wrong_with_it(run, tmp_path, spoil, words):
    line = one_error(run("finetune", spoil(tmp_path / "set")), 1)
    assert words in line and "set/" in line and not Path("runs").exists()


def spoiled(shapes, folder, count):
    """A copy of the data set in which so many pictures have a box of an unknown class."""
    shutil.copytree(shapes, folder)
    for path in sorted((folder / "labels").iterdir())[:count]:
        text(path, "0 0.5 0.5 0.5 0.5", "7 0.5 0.5 0.2 0.2")
    return folder


def test_a_fault_is_said_with_its_place_and_the_rest_is_used(run, shapes, quick, started, tmp_path):
    own = spoiled(shapes, tmp_path / "own", 1)
    result = run("finetune", own, *quick, "--json")
    assert result.exit_code == 0 and json.loads(result.stdout)
    assert f"cvtool: {own / 'labels' / '000.txt'}:2: class 7 is not among" in result.stderr
    assert "1 picture with faults (4.2 %) left out" in result.stderr
    content = read_run(started[0])
    assert sum(len(part["files"]) for part in content["splits"].values()) == PICTURES - 1
    assert any("with faults" in remark for remark in content["remarks"])


def test_too_many_faults_are_refused_with_the_command_that_shows_them_all(
    run, shapes, quick, started, tmp_path
):
    own = spoiled(shapes, tmp_path / "own", PICTURES - 2)
    refused = run("finetune", own, *quick)
    line = one_error(refused, 1)
    assert f"{own}: 22 pictures with faults (91.7 %)" in line and "--force" in line
    # The first ten before it, and how many more there are.
    assert refused.stderr.count(".txt:2: ") == 10 and "and 12 more" in refused.stderr
    assert started == [] and not Path("runs").exists()
    command = re.search(r"see all with: cvtool (.*?) - ", line)[1]
    assert run(*shlex.split(command)).stdout.count(".txt:2: ") == 22


def test_force_trains_on_the_rest(run, shapes, quick, started, tmp_path):
    own = spoiled(shapes, tmp_path / "own", 9)
    assert run("finetune", own, *quick, "--force").exit_code == 0
    content = read_run(started[0])
    assert sum(len(part["files"]) for part in content["splits"].values()) == PICTURES - 9


def test_a_folder_that_is_there_is_not_written_over(run, shapes, quick, started, finished):
    before = contents(finished)
    line = one_error(run("finetune", shapes, *quick, "--out", finished), 1)
    assert f"{finished}: holds a run; go on with it by --resume {finished}" in line
    assert "--overwrite" in line
    photos = text(Path("photos") / "dear.txt", "mine").parent
    for more in ([], ["--overwrite"]):
        line = one_error(run("finetune", shapes, *quick, "--out", photos, *more), 1)
        assert "photos: is not empty and holds no run" in line
    assert contents(finished) == before and started == []


def test_overwrite_begins_anew_and_keeps_what_no_run_wrote(run, shapes, quick, started, finished):
    (finished / "notes.txt").write_text("mine")
    result = run("finetune", shapes, *quick, "--out", finished, "--overwrite", "--seed", 8)
    assert result.exit_code == 0 and started == [finished]
    assert sorted(path.name for path in finished.iterdir()) == ["notes.txt", "run.json"]
    assert read_run(finished)["settings"]["seed"] == 8


def test_a_run_is_not_put_over_the_one_that_it_starts_from(run, shapes, started, finished):
    before = contents(finished)
    arguments = ("--backbone", finished, "--out", finished, "--overwrite")
    assert "lies in it; name another --out" in one_error(run("finetune", shapes, *arguments), 1)
    assert contents(finished) == before and started == []


def test_class_folders_still_train_a_classifier(run, folders_of_classes, monkeypatch):
    from cvtool.classification import runs as classification

    content = {"task": "classify", "finished": True}
    monkeypatch.setattr(classification, "go_on", lambda folder, **_: content)
    monkeypatch.setattr("cvtool.cli.finetune_report.show", lambda *_: None)
    result = run("finetune", folders_of_classes, "--from-scratch", "lenet5")
    assert result.exit_code == 0, result.stderr
    found = read_run(Path("runs/figures"))
    assert found["task"] == "classify" and found["classes"] == sorted(CLASSES)
