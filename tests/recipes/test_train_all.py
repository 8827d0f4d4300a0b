"""All default models made anew from drawn pictures, and what the recipes leave behind."""

import csv
import json
import os
import sys
from dataclasses import replace
from shutil import copytree, ignore_patterns
from unittest.mock import patch

import keras
import numpy as np
import pytest
import skimage.data
from filelock import FileLock

from cvtool.classification.classifier import Classifier
from cvtool.detection.detector import Detector
from cvtool.faces.verifier import Verifier
from cvtool.models.presets import load_presets, verify
from cvtool.pictures.reading import read_picture
from cvtool.segmentation.segmenter import Segmenter
from cvtool.style.fast import FastStylizer
from cvtool.style.vgg_small import vgg_small
from recipe_data import write_all
from recipe_runs import recipe_module, run_here
from tiny_facenet import portrait
from tiny_masks import CLASSES

GREY = np.full((90, 121, 3), 114, np.uint8)


@pytest.fixture(scope="module")
def train_all():
    """The driver, whose recipes run in this process."""
    return recipe_module("train_all")


def start(train_all, *arguments, ran=None):
    """Run the driver; the names of the steps that it ran come to `ran`."""

    def run_recipe(step, words, log):
        if ran is not None:
            ran.append(step.name)
        run_here(step.recipe, *words)

    with (
        patch.object(train_all, "run_recipe", run_recipe),
        patch.object(sys, "argv", ["train_all.py", *map(str, arguments)]),
    ):
        train_all.main()


@pytest.fixture(scope="module")
def made(train_all, tmp_path_factory):
    """The folder of runs and the driver's arguments after one pass through all recipes."""
    root = tmp_path_factory.mktemp("recipes")
    write_all(root / "data")
    arguments = ["--data", root / "data", "--out", root / "runs", "--schedule", "smoke"]
    start(train_all, *arguments)
    return root / "runs", arguments


@pytest.fixture(scope="module")
def presets(made):
    return load_presets(made[0] / "pretrained")


@pytest.fixture(scope="module")
def card(made):
    return (made[0] / "pretrained" / "README.md").read_text()


def sums(preset):
    return [file.sha256 for file in preset.files.values()]


def scores_of(made, run):
    return json.loads((made[0] / run / "scores.json").read_text())


def test_every_model_is_new_and_whole(made, presets):
    shipped = load_presets()
    for name in ("everyday", "tiny200", "everyday-unet", "facenet-lfw", "vgg-small", "adain"):
        assert verify(presets[name]) == []
        assert not set(sums(presets[name])) & set(sums(shipped[name]))


def test_the_table_has_scores_and_goals(made, train_all, capsys):
    ran = []
    start(train_all, *made[1], ran=ran)
    lines = capsys.readouterr().out.splitlines()
    assert ran == []
    assert len(lines) == 7 and lines[0].split() == ["model", "measure", "data", "score", "goal"]
    assert not any(" - " in line for line in lines)


def test_models_are_shipped_if_asked_for(made, train_all, tmp_path):
    """All but what the run made anew stays as it was."""
    shipped = tmp_path / "pretrained"
    copytree(train_all.PRETRAINED, shipped, ignore=ignore_patterns("recipes"))
    with patch.object(train_all, "PRETRAINED", shipped):
        start(train_all, *made[1], "--only", "tiny200", "--ship", ran=[])
    before, after = load_presets(), load_presets(shipped)
    assert {name for name in before if sums(before[name]) != sums(after[name])} == {"tiny200"}
    assert verify(after["tiny200"]) == []
    card = (shipped / "README.md").read_text()
    assert "16 pictures at 64 px, litert: top-1" in card
    assert "on 12 pictures of Imagenette's val" in card
    assert "900 pictures at 256 px" in card and "4 pictures at 96 px" not in card


def test_a_step_is_not_begun_again_with_other_settings(made, train_all):
    with pytest.raises(SystemExit, match="backbone was begun with other settings"):
        start(train_all, *made[1], "--schedule", "short")


def test_one_model_alone_brings_what_it_needs(train_all):
    names = [step.name for step in train_all.steps_for(["facenet-lfw"])]
    assert names == ["backbone", "detector", "everyday", "faces-aligned", "faces", "facenet-lfw"]


def test_data_that_is_missing_is_named_with_its_source(train_all, made, tmp_path):
    (tmp_path / "lfw").mkdir()
    (tmp_path / "lfw" / "peopleDevTrain.txt").touch()
    with pytest.raises(SystemExit) as stopped:
        start(train_all, "--data", tmp_path, "--out", tmp_path / "runs", "--only", "facenet-lfw")
    lines = str(stopped.value).splitlines()
    assert len(lines) == 3 and "everyday20: lacks instances_train.json, " in lines[1]
    assert "lacks images_deepfunneled/*/*.jpg, pairsDevTest.txt; " in lines[2]
    assert "vis-www.cs.umass.edu/lfw" in lines[2] and not (tmp_path / "runs").exists()


def test_a_recipe_that_fails_ends_it_with_one_line(train_all, tmp_path, capfd):
    step = replace(train_all.steps_for(["tiny200"])[0], recipe="none.py")
    with pytest.raises(SystemExit, match=r"backbone: none.py failed \(2\), see .*backbone.log;"):
        train_all.run_recipe(step, [], tmp_path / "backbone.log")
    assert "No such file" in (tmp_path / "backbone.log").read_text()
    assert "No such file" in capfd.readouterr().err


def test_a_recipe_ends_with_the_driver(train_all, tmp_path, monkeypatch):
    (tmp_path / "endless.py").write_text(
        "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)"
    )
    monkeypatch.setattr(train_all, "RECIPES", tmp_path)

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.print", interrupt)
    step = replace(train_all.steps_for(["tiny200"])[0], recipe="endless.py")
    with pytest.raises(KeyboardInterrupt):
        train_all.run_recipe(step, [], tmp_path / "endless.log")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "endless.log").read_text()), 0)


def test_two_drivers_do_not_share_a_folder(train_all, made):
    with (
        FileLock(made[0] / ".lock"),
        pytest.raises(SystemExit, match="another train_all.py is at work there"),
    ):
        start(train_all, *made[1])


def test_trainings_have_their_histories(made):
    epochs = {"backbone": 1, "detector": 2, "unet": 1, "faces/classes": 1, "vgg": 1}
    for folder, count in epochs.items():
        assert len((made[0] / folder / "history.csv").read_text().splitlines()) == count + 1
        assert (made[0] / folder / "curves.png").stat().st_size > 1000


def test_the_learning_curves_are_drawn(made, tmp_path):
    run_here("learning_curves.py", "--runs", made[0], "--out", tmp_path / "curves.png")
    height, width = read_picture(tmp_path / "curves.png").shape[:2]
    assert width > 3 * height
    with pytest.raises(SystemExit, match="holds no history.csv"):
        run_here("learning_curves.py", "--runs", tmp_path, "--out", tmp_path / "more.png")


@pytest.mark.parametrize("step", ["detector", "unet", "faces", "decoder", "imagenette"])
def test_a_finished_recipe_started_again_trains_no_further(made, train_all, step):
    run, arguments = made
    histories = sorted((run / step).rglob("history.csv"))
    before = [path.read_bytes() for path in histories]
    (wanted,) = (s for s in train_all.steps_for(train_all.MODELS) if s.name == step)
    folders = {"data": arguments[1], "runs": run, "out": run / "pretrained"}
    words = wanted.arguments(wanted.settings("smoke", "auto"), **folders)
    if step == "detector":
        # As the driver does it, in a process of its own.
        train_all.run_recipe(wanted, list(map(str, words)), run / "again.log")
    else:
        run_here(wanted.recipe, *words)
    assert histories and [path.read_bytes() for path in histories] == before


@pytest.mark.parametrize(("run", "start"), [("detector", "backbone"), ("unet", "detector")])
def test_a_network_starts_from_the_one_before(made, run, start):
    """After a few steps its first kernel is still close to the pre-trained one."""
    from cvtool.backbones import csp_backbone
    from cvtool.detection.yolo import yolo
    from cvtool.segmentation.unet import csp_unet

    def first_kernel(name):
        network = {"backbone": csp_backbone, "detector": yolo, "unet": csp_unet}[name]
        network = network() if name == "backbone" else network(3 if name == "unet" else 2)
        file = "backbone" if name == "backbone" else "best"
        network.load_weights(made[0] / name / f"{file}.weights.h5")
        layer = network if name == "backbone" else network.get_layer("csp")
        return layer.get_layer("stem_conv").get_weights()[0]

    kernels = [first_kernel(name) for name in (run, start)]
    assert np.abs(kernels[0] - kernels[1]).mean() < 0.1 * np.abs(kernels[1]).mean()


def test_the_detector_detects(made, presets, card):
    scores = scores_of(made, "detector")
    assert scores["size"] == 96 and set(scores["per_class"]) == {"disc", "square"}
    assert presets["everyday"].classes == ("disc", "square") and presets["everyday"].size == 96
    assert presets["everyday"].scores["pictures"] == 4
    detector = Detector.load(made[0] / "detector" / "model", device="cpu")
    boxes, scores, class_ids = detector.detect_arrays(GREY, min_score=0.0)
    assert len(boxes) == len(scores) == len(class_ids) > 0
    assert "| disc | " in card and "| square | " in card and "4 pictures at 96 px" in card
    assert card.count("<!-- everyday scores -->") == 1


def test_the_classifier_classifies(made, presets, card):
    assert 0 <= scores_of(made, "backbone")["val_top1"] <= 1
    assert len(presets["tiny200"].classes) == 200
    assert presets["tiny200"].scores["pictures"] == 16
    assert 0.5 <= presets["tiny200"].scores["imagenette"] <= 1
    classifier = Classifier.load(made[0] / "backbone" / "model", device="cpu")
    assert classifier.probabilities(GREY).sum() == pytest.approx(1, abs=1e-4)
    assert "16 pictures at 64 px, litert: top-1" in card
    assert "on 12 pictures of Imagenette's val" in card


def test_the_segmenter_segments(made, presets, card):
    scores = scores_of(made, "unet")
    assert scores["size"] == 64 and scores["pictures"] == 2 and 0 <= scores["miou"] <= 1
    assert list(scores["per_class"]) == list(CLASSES)
    assert scores["train"] == "everyday20 train (6 pictures), 6 with guessed masks"
    assert presets["everyday-unet"].classes == CLASSES and presets["everyday-unet"].size == 96
    segmenter = Segmenter.load(made[0] / "unet" / "model", device="cpu")
    assert segmenter(GREY).mask.shape == (90, 121)
    assert card.count("<!-- everyday-unet scores -->") == 1


def test_people_kept_aside_are_not_trained_on(made):
    scores = scores_of(made, "faces")
    assert len(scores["dev_people"]) == 2 and scores["no_face"] == 1
    assert scores["train"].endswith(" of 4 people")
    assert set(scores["stages"]) == {"classes", "triplets"}
    assert scores["best"] in scores["stages"]
    for stage in scores["stages"].values():
        assert 0 <= stage["auc"] <= 1 and 0.5 <= stage["accuracy"] <= 1


def test_the_face_network_verifies(made, presets, card):
    assert presets["facenet-lfw"].scores["pairs"] == 4
    verifier = Verifier.load(made[0] / "faces" / "model", device="cpu")
    assert verifier.threshold().source == "pairs of 2 people of LFW not trained on"
    face = verifier.find(portrait())[0]
    assert verifier.embed_face(portrait(), face).shape == (128,)
    assert card.count("<!-- facenet-lfw scores -->") == 1
    assert "4 pairs, litert: accuracy" in card and "(default)" in card


def test_the_decoder_has_its_losses_and_a_sheet(made):
    scores = scores_of(made, "decoder")
    assert scores["steps"] == 2
    parts = (scores["dev_content"], 10 * scores["dev_style"], scores["dev_tv"])
    assert scores["dev_loss"] == pytest.approx(sum(parts), rel=1e-4)
    with (made[0] / "decoder" / "history.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["dev_loss"]) == pytest.approx(scores["dev_loss"], rel=1e-3)
    assert float(row["loss"]) > 0 and float(row["style"]) > 0
    assert read_picture(made[0] / "decoder" / "sheet001.png").shape[1:] == (32, 3)


def test_the_encoder_is_normalised(made):
    photo = skimage.data.astronaut()
    network = vgg_small()
    network.load_weights(made[0] / "decoder" / "encoder.weights.h5")
    probe = keras.Model(network.input, network.get_layer("block4_conv1").output)
    features = np.asarray(probe(photo[None, :90, :120].astype(np.float32)))
    assert 0.3 < np.sqrt((features**2).mean()) < 3


def test_the_decoder_stylizes(made, presets, card):
    photo = skimage.data.astronaut()
    assert presets["adain"].scores["pairs"] == 4
    stylizer = FastStylizer.load(made[0] / "decoder" / "model", device="cpu")
    assert stylizer(photo[:50, :70], [photo[::-2, ::2]]).shape == (50, 70, 3)
    for name in ("vgg-small", "adain"):
        assert card.count(f"<!-- {name} scores -->") == 1
    assert "4 pairs at 512 px, litert" in card
