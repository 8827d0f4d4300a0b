"""`cvtool evaluate MODEL MASKS`: the scores of a segmentation model."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtool.datasets.mask_files import read_mask
from cvtool.models.saving import save_model
from cvtool.pictures.reading import read_picture
from cvtool.segmentation.segmenter import Segmenter
from cvtool.segmentation.unet import build
from tiny_masks import CLASSES, write_mask_set

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A network that tells red from blue from grey, without training: one class a colour."""
    architecture = {"network": "plain", "base": 2, "depth": 1, "batch_norm": False}
    network = build(3, architecture)
    for variable in network.trainable_variables:
        variable.assign(np.zeros(variable.shape))

    def pass_on(layer, weights):
        """A 3 x 3 convolution that looks at its middle pixel only."""
        kernel, _ = network.get_layer(layer).trainable_variables
        values = np.zeros(kernel.shape)
        values[1, 1, : len(weights)] = weights
        kernel.assign(values)

    # Red less blue, and blue less red, above 0 each.
    pass_on("down0_1_conv", [[1, -1], [0, 0], [-1, 1]])
    pass_on("down0_2_conv", np.eye(2))
    joined = network.get_layer("merge0_1_conv").trainable_variables[0].shape[2]
    pass_on("merge0_1_conv", np.concatenate([np.zeros((joined - 2, 2)), np.eye(2)]))
    pass_on("merge0_2_conv", np.eye(2))
    kernel, bias = network.get_layer("logits").trainable_variables
    kernel.assign(np.array([[[[0, 1, 0], [0, 0, 1]]]]))
    bias.assign([0.5, 0, 0])
    folder = tmp_path_factory.mktemp("models") / "shapes"
    description = {
        "name": "shapes",
        "task": "segment",
        "description": "drawn shapes",
        "architecture": architecture,
        "size": 64,
        "classes": CLASSES,
    }
    save_model(network, folder, description)
    return folder


@pytest.fixture
def dataset(tmp_path):
    write_mask_set(tmp_path / "set", 5)
    return tmp_path / "set"


def test_the_documented_json_and_files(run, model, dataset, tmp_path):
    result = run("evaluate", model, "set/masks", "--pictures", "set/images", "--json")
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    for key in ("miou", "foreground_iou", "pixel_accuracy"):
        assert summary[key] > 0.95
    assert set(summary["per_class"]) == set(CLASSES)
    for row in summary["per_class"].values():
        assert {"iou", "dice", "boundary_f", "pixels", "pictures"} <= set(row)
        assert row["iou"] > 0.9 and row["boundary_f"] > 0.9
    assert (summary["model"], summary["size"], summary["pictures"]) == ("shapes", 64, 5)
    out = tmp_path / "evaluation"
    assert json.loads((out / "evaluation.json").read_text()) == summary
    assert read_picture(out / "confusion.png").std() > 5
    assert "written: evaluation/evaluation.json" in result.stderr


def test_every_key_and_column_is_documented(run, model, dataset):
    text = (DOCS / "evaluate.md").read_text("utf-8").split("## Segmentation", 1)[1]
    summary = json.loads(run("evaluate", model, "set", "--json").stdout)
    for key in (*summary, *summary["per_class"]["disc"]):
        assert f"`{key}`" in text, key


def test_people_get_a_table(run, model, dataset):
    result = run("evaluate", model, dataset, "--limit", 3)
    assert result.exit_code == 0 and result.stderr == ""
    for word in ("disc", "square", "IoU", "Dice", "boundary F", "mean IoU", "3 pictures"):
        assert word in result.stdout
    assert "written: evaluation/evaluation.json" in result.stdout


def test_a_data_set_of_other_classes(run, model, dataset):
    (dataset / "classes.txt").write_text("background\ndiscs\nsquare\n")
    result = run("evaluate", model, dataset)
    unknown, unlabelled = result.stderr.splitlines()
    assert "the model does not know discs (but disc); their pixels count as missed" in unknown
    assert "does not label disc; what the model takes for these counts as background" in unlabelled
    assert result.exit_code == 0
    (dataset / "classes.txt").write_text("background\ncat\ndog\n")
    result = run("evaluate", model, dataset)
    assert result.exit_code == 1 and len(result.stderr.splitlines()) == 1
    assert "knows none of the data set's classes (cat, dog" in result.stderr


def test_the_good_are_scored_and_the_bad_are_named(run, model, dataset):
    Image.fromarray(np.zeros((60, 64), np.uint8)).save(dataset / "masks" / "001.png")
    Image.fromarray(np.full((64, 64), 7, np.uint8)).save(dataset / "masks" / "002.png")
    (dataset / "masks" / "003.png").unlink()
    result = run("evaluate", model, dataset, "--json")
    assert result.exit_code == 1
    summary = json.loads(result.stdout)
    assert summary["pictures"] == 2 and summary["unreadable"] == 2 and summary["miou"] > 0.9
    errors = [line for line in result.stderr.splitlines() if "error" in line]
    assert len(errors) == 3
    for name, word in (("003.png", "no mask"), ("001.png", "64 x 60"), ("002.png", "class id 7")):
        assert any(name in line and word in line for line in errors)


def test_nothing_is_written_into_the_data_set(run, model, dataset):
    before = {path: path.read_bytes() for path in dataset.rglob("*") if path.is_file()}
    run("evaluate", model, dataset)
    assert {path: path.read_bytes() for path in dataset.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gone"], "gone: no such folder"),
        (["set", "--pictures", "gone"], "gone: no such folder"),
        (["set/images"], "no folders images and masks"),
        (["set", "--split", "test"], "has no split test"),
        (["set", "--size", "16"], "size 16 is under 32"),
        (["set", "--out", "set"], "is not empty"),
        (["set", "--out", "set/images/new"], "lies in set, which is read"),
    ],
)
def test_refusals_are_one_line(run, model, dataset, arguments, words):
    result = run("evaluate", model, *arguments)
    assert result.exit_code == (2 if "--size" in arguments else 1)
    assert len(result.stderr.splitlines()) == 1 and words in result.stderr


def test_options_of_other_tasks_are_refused(run, model, dataset):
    for options, words in (
        (["--tta"], "--tta is for class"),
        (["--iou", "0.3"], "--iou is for det"),
    ):
        result = run("evaluate", model, dataset, *options)
        assert result.exit_code == 2 and words in result.stderr


def test_the_scores_are_those_of_the_masks_that_segment_gives(run, model, dataset):
    summary = json.loads(run("evaluate", model, dataset, "--size", "48", "--json").stdout)
    segmenter = Segmenter.load(model, device="cpu", size=48)
    right = known = 0
    for path in sorted((dataset / "images").iterdir()):
        truth = read_mask(dataset / "masks" / path.name)
        predicted = segmenter.mask(read_picture(path))
        right += ((truth == predicted) & (truth != 255)).sum()
        known += (truth != 255).sum()
    assert summary["size"] == 48
    assert summary["pixel_accuracy"] == pytest.approx(right / known)


def test_many_faults_are_counted_with_the_command_that_lists_them(run, model, tmp_path):
    write_mask_set(tmp_path / "many", 26)
    for path in sorted((tmp_path / "many" / "images").iterdir())[:12]:
        path.unlink()
    result = run("evaluate", model, "many/masks", "--pictures", "many/images")
    *named, counted = result.stderr.splitlines()
    assert result.exit_code == 1 and len(named) == 10
    command = "check many/masks --pictures many/images --all"
    assert f"2 more faults; cvtool {command} shows all" in counted
    listed = run(*command.split()).output
    assert all(f"{number:03}" in listed for number in range(12))
