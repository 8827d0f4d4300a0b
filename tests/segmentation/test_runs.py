"""Whole trainings on drawn shapes: what they reach and leave."""

import json

import pytest

from cvtool.errors import ModelError, OutputError, TrainingError
from cvtool.segmentation import finetuning
from cvtool.segmentation.runs import go_on, start_run
from cvtool.segmentation.segmenter import Segmenter
from cvtool.segmentation.settings import Settings
from cvtool.training.checkpoints import read_history
from killed_training import ctrl_c_in
from tiny_masks import write_mask_set
from tiny_unet import SIZE, save_start, save_tiny, small_network, small_networks

# Frozen in epoch 1 of 5, of twenty steps each.
SMALL = dict(size=SIZE, batch=4, epochs=5, learning_rate=2e-2)


def quiet(_):
    pass


@pytest.fixture(scope="module", autouse=True)
def networks():
    with small_networks():
        yield


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets") / "shapes"
    write_mask_set(folder, 30)
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("models") / "tiny")


def started(shapes, tiny, out, say=quiet, **settings):
    return start_run(shapes, Settings(backbone=str(tiny), **SMALL | settings), out=out, say=say)


@pytest.fixture(scope="module")
def finished(shapes, tiny, tmp_path_factory):
    """A run of thirty pictures that was stopped with Ctrl-C in its second epoch and gone on with.

    With what go_on gave back both times, and the report in between.
    """
    folder = started(shapes, tiny, tmp_path_factory.mktemp("runs") / "whole")
    with ctrl_c_in(finetuning, epoch=2):
        stopped = go_on(folder, say=quiet)
    page = (folder / "report.html").read_text()
    return folder, stopped, page, go_on(folder, say=quiet)


def test_ctrl_c_keeps_the_best_model_and_resume_goes_on(finished):
    folder, stopped, page, run = finished
    assert not stopped["finished"] and stopped["stopped"] == "stopped with Ctrl-C after epoch 1"
    assert "Ctrl-C" in page and run["finished"] and run["stopped"] is None
    with pytest.raises(TrainingError, match="finished"):
        go_on(folder, say=quiet)


def test_thirty_pictures_are_enough_for_what_is_plain_to_see(finished):
    _, _, _, run = finished
    assert sum(part["pictures"] for part in run["scores"].values()) == 30
    assert run["scores"]["test"]["miou"] >= 0.7
    assert all(row["iou"] >= 0.5 for row in run["per_class"].values())


def test_the_folder_holds_all_that_is_promised(finished):
    folder, _, _, run = finished
    files = {path.name for path in folder.iterdir()}
    promised = {"model.keras", "model.json", "whole.tflite", "whole.weights.h5", "run.json"}
    promised |= {"history.csv", "curves.png", "report.html", "augmented.jpg"}
    promised |= {"best.weights.h5", "last.weights.h5"}
    assert promised <= files and not [name for name in files if name.startswith("part-")]
    rows = read_history(folder / "history.csv")
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5]
    chosen = json.loads((folder / "run.json").read_text())["chosen"]
    assert (chosen["frozen_epochs"], chosen["steps"], chosen["augment"]) == (1, 20, "strong")


def test_the_folder_serves_as_a_model_to_use_and_to_start_from(finished, shapes, tmp_path):
    folder, _, _, run = finished
    segmenter = Segmenter.load(folder, device="cpu")
    assert segmenter.classes == ("background", "disc", "square") and segmenter.size == SIZE
    said = []
    more = started(shapes, folder, tmp_path / "more", say=said.append)
    assert any(line.startswith(f"whole; size {SIZE}") for line in said)
    content = json.loads((more / "run.json").read_text())
    assert content["model"] == "whole" and content["architecture"] == {"network": "csp"}
    with pytest.raises(OutputError, match="lies in it"):
        started(shapes, folder, folder)


def test_what_was_chosen_is_said(shapes, tmp_path):
    said = []
    settings = Settings(from_scratch="unet", size=512, batch=2)
    start_run(shapes, settings, out=tmp_path / "run", say=said.append)
    assert said[-1] == (
        "unet from scratch, 16 channels at first; size 512 in patches of 256, batch 2, "
        "50 epochs of 36 steps, augmentation strong, learning rate 0.002"
    )


def test_a_run_inside_the_data_set_is_refused(shapes, tiny):
    with pytest.raises(OutputError, match="which is read"):
        started(shapes, tiny, shapes / "run")


def test_a_model_of_another_kind_is_refused_before_anything_is_read(tmp_path):
    other = save_start(
        small_network(2, {}), tmp_path / "other", task="verify", architecture={"network": "x"}
    )
    with pytest.raises(ModelError, match='"other" has no backbone'):
        started(tmp_path / "gone", other, tmp_path / "run")
    assert not (tmp_path / "run").exists()
