"""`cvtool finetune` of pictures with masks, as a user meets it."""

import json
import re
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from cvtool.cli.main import app
from cvtool.datasets.mask_files import read_mask, write_mask
from cvtool.pictures.writing import write_picture
from cvtool.segmentation import runs
from cvtool.segmentation.losses import LOSSES
from cvtool.training.run_folder import read_run
from tiny_classes import write_class_folders
from tiny_detector import write_yolo_set
from tiny_masks import write_mask_set
from tiny_unet import SIZE, quick_training, save_tiny, small_networks

DOCS = Path(__file__).resolve().parents[2] / "docs" / "finetune.md"
PICTURES = 24
COLUMNS = "split pictures mIoU 95 % interval foreground IoU pixels right"
FOR_SEGMENTERS = {"--loss": "dice", "--boundary": "10"}


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
    folder = tmp_path_factory.mktemp("data") / "shapes"
    write_mask_set(folder, PICTURES)
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def quick(tiny):
    return ("--backbone", tiny, "--size", SIZE, "--epochs", 1, "--batch", 1)


@pytest.fixture(scope="module")
def trained(shapes, quick, tmp_path_factory):
    """A run with all that its command said, and whether it changed the data set."""
    folder, before = tmp_path_factory.mktemp("trained") / "run", contents(shapes)
    arguments = ("finetune", shapes, *quick, "--loss", "tversky", "--seed", 3, "--json")
    result = CliRunner().invoke(app, [str(a) for a in (*arguments, "--out", folder)])
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


def test_json_is_all_that_is_on_stdout(trained):
    summary = json.loads(trained.result.stdout)
    assert set(summary) == {
        *("run", "name", "task", "model", "pictures", "chosen", "how", "scores", "scored_split"),
        *("per_class", "diagnosis", "minutes", "stopped", "finished"),
    }
    assert (summary["task"], summary["model"]) == ("segment", "tiny")
    assert summary["run"] == str(trained.folder) and summary["finished"]
    assert sum(summary["pictures"].values()) == PICTURES
    assert list(summary["pictures"]) == list(summary["scores"]) == ["train", "dev", "test"]
    keys = {"pictures", "miou", "interval", "foreground_iou", "pixel_accuracy"}
    assert set(summary["scores"]["test"]) == keys
    low, high = summary["scores"]["test"]["interval"]
    assert 0 <= low <= round(summary["scores"]["test"]["miou"], 4) <= high <= 1
    assert set(summary["per_class"]) == {"background", "disc", "square"}
    assert summary["diagnosis"]["summary"] and summary["chosen"]["size"] == SIZE


def test_what_is_done_is_said_on_stderr(trained):
    said = trained.result.stderr
    assert "3 classes: " in said and "(random by seed 3" in said
    assert f"tiny; size {SIZE}, batch 1, 1 epoch of 20 steps, augmentation strong" in said
    assert "epoch 1/1" in said and "error" not in said and "Traceback" not in said


def test_options_reach_the_run_and_the_data_set_stays(trained, tiny):
    settings = read_run(trained.folder)["settings"]
    assert settings["seed"] == 3 and settings["loss"] == "tversky"
    assert settings["backbone"] == str(tiny)
    # What was not given keeps the segmenter's own default.
    assert settings["weight_decay"] == 0.03 and settings["balance"] is True
    assert settings["augment"] is None and trained.unchanged


def test_the_run_serves_as_a_model(run, trained, shapes):
    from cvtool.segmentation.segmenter import Segmenter

    result = run("models", "describe", trained.folder, "--json")
    assert result.exit_code == 0, result.stderr
    segmenter = Segmenter.load(str(trained.folder), device="cpu")
    assert segmenter.model_name == "run" and segmenter.classes[1:] == ("disc", "square")


def test_resume_ends_what_was_killed_with_a_table_for_people(run, trained, finished):
    (finished / "run.json").write_text(json.dumps(read_run(finished) | {"finished": False}))
    for name in ("report.html", "model.json", "model.keras"):
        (finished / name).unlink()
    result = run("finetune", "--resume", finished)
    assert result.exit_code == 0, result.stderr
    assert "going on after epoch 1 of 1" in result.stderr
    lines = [line.strip() for line in result.stdout.splitlines()]
    heading = [line.split() for line in lines].index(COLUMNS.split())
    rows = [line.split() for line in lines[heading + 1 :] if line][1:4]
    scores = json.loads(trained.result.stdout)["scores"]
    assert [row[0] for row in rows] == ["train", "dev", "test"]
    for name, pictures, mean, *_ in rows:
        assert int(pictures) == scores[name]["pictures"]
        assert float(mean) == pytest.approx(scores[name]["miou"], abs=6e-4)
    for line in (
        read_run(finished)["diagnosis"]["summary"],
        f"report: {finished / 'report.html'}",
        f"use it: cvtool segment photo.jpg --model {finished}",
    ):
        assert line in lines
    assert (finished / "report.html").is_file() and (finished / "model.keras").is_file()


def test_resume_takes_json_and_nothing_else(run, started, finished):
    result = run("finetune", "--resume", finished, "--json")
    assert result.exit_code == 0 and json.loads(result.stdout)["task"] == "segment"
    assert started == [finished]
    for option, value in (("--masks", "."), ("--classes", "x"), ("--loss", "dice")):
        line = one_error(run("finetune", "--resume", finished, option, value), 2)
        assert f"{option} cannot change a run that is resumed" in line
    assert len(started) == 1


def voc(shapes, folder):
    """Pascal VOC's folders, without boxes."""
    shutil.copytree(shapes / "images", folder / "JPEGImages")
    shutil.copytree(shapes / "masks", folder / "SegmentationClass")
    shutil.copy(shapes / "classes.txt", folder)
    return folder


def divided(shapes, folder):
    """The folders of splits, with images and masks in each."""
    for number, path in enumerate(sorted((shapes / "images").iterdir())):
        split = ("train", "val", "test")[max(0, number - PICTURES + 3)]
        for kind in ("images", "masks"):
            target = folder / split / kind / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(shapes / kind / path.name, target)
    shutil.copy(shapes / "classes.txt", folder)
    return folder


def in_colours(shapes, folder):
    """Masks in RGB."""
    shutil.copytree(shapes, folder)
    colours = np.zeros((256, 3), np.uint8)
    colours[[1, 2, 255]] = (200, 0, 0), (0, 0, 200), (224, 224, 192)
    for path in (folder / "masks").iterdir():
        write_picture(path, colours[read_mask(path)], overwrite=True)
    lines = "background 0 0 0\ndisc 200 0 0\nsquare 0 0 200\n"
    (folder / "classes.txt").write_text(lines)
    return folder


@pytest.mark.parametrize("layout", [shutil.copytree, voc, divided, in_colours])
def test_every_layout_with_masks_trains_a_segmenter(run, shapes, quick, started, tmp_path, layout):
    result = run("finetune", layout(shapes, tmp_path / "set"), *quick)
    assert result.exit_code == 0, result.stderr
    (folder,) = started
    assert folder == Path("runs") / "set"
    content = read_run(folder)
    assert content["task"] == "segment" and content["classes"] == ["background", "disc", "square"]
    assert sum(len(part["masks"]) for part in content["splits"].values()) == PICTURES


def test_folders_elsewhere_a_list_of_classes_and_a_test_set(run, shapes, quick, started, tmp_path):
    shutil.copytree(shapes / "images", tmp_path / "set" / "scans")
    shutil.copytree(shapes / "masks", tmp_path / "drawn")
    names = tmp_path / "names.txt"
    names.write_text("nothing\nround\nsquare\n")
    other = shutil.copytree(shapes, tmp_path / "other")
    (other / "classes.txt").unlink()
    result = run(
        *("finetune", "set", "--pictures", "set/scans", "--masks", "drawn", "--classes", names),
        *("--split", "75/25", "--test", other, *quick, "--freeze", "backbone", "--no-balance"),
        *("--augment", "light", "--out", "here"),
    )
    assert result.exit_code == 0, result.stderr
    content = read_run(Path("here"))
    pictures = {split: len(part["files"]) for split, part in content["splits"].items()}
    assert pictures["test"] == PICTURES and sum(pictures.values()) == 2 * PICTURES
    assert content["classes"] == ["nothing", "round", "square"]
    settings = content["settings"]
    assert settings["balance"] is False and settings["freeze"] == "backbone"
    assert settings["augment"] == content["chosen"]["augment"] == "light"
    # Scores on pictures that were trained on would be too good.
    assert "also in test" in result.stderr


def test_the_losses_are_all_on_offer(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    described = run("finetune", "--help").stdout
    assert f"<{'|'.join(LOSSES)}>" in described
    row = next(line for line in DOCS.read_text().splitlines() if line.startswith("| `--loss"))
    assert all(f"`{name}`" in row for name in LOSSES if "dice" not in name or "+" in name)


@pytest.mark.parametrize("option", FOR_SEGMENTERS)
@pytest.mark.parametrize("kind", ["boxes", "classes"])
def test_an_option_for_masks_is_refused_for_others(run, tmp_path, kind, option):
    write = write_yolo_set if kind == "boxes" else write_class_folders
    dataset = write(tmp_path / "set", 4)
    result = run("finetune", dataset, option, FOR_SEGMENTERS[option])
    line = one_error(result, 2)
    what = "boxes, which train a detector" if kind == "boxes" else "no boxes or masks"
    assert f"{option} is for segmenters, and {dataset} has {what}" in line
    assert len(result.stderr.splitlines()) == 1 and not Path("runs").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [("--target", "."), ("--unfreeze", "head"), ("--dropout", "0.1"), ("--human-error", "0.1")],
)
def test_an_option_of_a_classifier_is_refused(run, shapes, option, value):
    line = one_error(run("finetune", shapes, option, value), 2)
    assert f"{option} is for classifiers, and {shapes} has masks, which train a segmenter" in line


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["DATA", "--loss", "hinge"], 2, "--loss"),
        (["DATA", "--boundary", "-1"], 2, "--boundary"),
        (["DATA", "--freeze", "none", "--from-scratch", "unet"], 2, "--freeze has no meaning"),
        (["DATA", "--from-scratch", "yolo"], 2, '--from-scratch "yolo" is not one of unet'),
        (["DATA", "--backbone", "everyady"], 1, "did you mean everyday"),
        (["DATA", "--backbone", "TINY", "--split", "60/50"], 2, "--split"),
        (["DATA", "--backbone", "TINY", "--test", "gone"], 1, "gone: no such folder"),
        (["DATA", "--backbone", "TINY", "--masks", "gone"], 1, "gone: no such folder of masks"),
        (["DATA", "--backbone", "TINY", "--classes", "gone"], 1, "gone: cannot be read"),
        (["DATA", "--backbone", "TINY", "--from-scratch", "unet"], 2, "choose one of --backbone"),
        (["DATA", "--out", "DATA/run"], 1, "name a folder outside of it with --out"),
        # Whatever else is on the line: nothing is known of what is not there.
        (["gone", "--loss", "dice"], 1, "gone: no such file or folder"),
    ],
)
def test_wrong_options_get_one_line_and_leave_nothing(run, shapes, tiny, arguments, code, words):
    before = contents(shapes)
    given = [a.replace("DATA", str(shapes)).replace("TINY", str(tiny)) for a in arguments]
    if "--backbone" not in given and "--from-scratch" not in given:
        given += ["--backbone", str(tiny)]
    line = one_error(run("finetune", *given), code)
    assert words in line
    assert not Path("runs").exists() and contents(shapes) == before


def spoiled(shapes, folder, count):
    """A copy of the data set in which so many masks have a pixel of an unknown class."""
    shutil.copytree(shapes, folder)
    for path in sorted((folder / "masks").iterdir())[:count]:
        mask = read_mask(path)
        mask[3, 5] = 7
        write_mask(path, mask, overwrite=True)
    return folder


def test_a_fault_is_said_with_its_place_and_the_rest_is_used(run, shapes, quick, started, tmp_path):
    own = spoiled(shapes, tmp_path / "own", 1)
    result = run("finetune", own, *quick, "--json")
    assert result.exit_code == 0 and json.loads(result.stdout)
    assert f"cvtool: {own / 'masks' / '000.png'}: class id 7 at pixel 5,3" in result.stderr
    assert "1 picture with faults (4.2 %) left out" in result.stderr
    content = read_run(started[0])
    assert sum(len(part["files"]) for part in content["splits"].values()) == PICTURES - 1


def test_too_many_faults_are_refused_with_the_command_that_shows_them_all(
    run, shapes, quick, started, tmp_path
):
    own = spoiled(shapes, tmp_path / "own", 12)
    refused = run("finetune", own, *quick)
    line = one_error(refused, 1)
    assert f"{own}: 12 pictures with faults (50.0 %)" in line and "--force" in line
    # The first ten before it, and how many more there are.
    assert refused.stderr.count(": class id 7") == 10 and "and 2 more" in refused.stderr
    assert started == [] and not Path("runs").exists()
    command = re.search(r"see all with: cvtool (.*?) - ", line)[1]
    assert run(*shlex.split(command), "--no-sheet").stdout.count("class id 7") == 12
    assert run("finetune", own, *quick, "--force").exit_code == 0
    content = read_run(started[0])
    assert sum(len(part["files"]) for part in content["splits"].values()) == PICTURES - 12


def test_one_picture_is_too_few(run, tiny, tmp_path):
    write_mask_set(tmp_path / "one", 1)
    line = one_error(run("finetune", "one", "--backbone", tiny), 1)
    assert "one: no pictures are left for dev; add more" in line and not Path("runs").exists()
