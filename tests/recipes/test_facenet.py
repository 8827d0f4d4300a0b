"""The face network's recipes, one after the other, on one face in several colours."""

import json
import shutil

import numpy as np
import pytest

from cvtool.faces.verifier import Verifier
from cvtool.models.presets import load_presets, verify
from cvtool.pictures.writing import write_picture
from recipe_runs import PRETRAINED, run_here
from tiny_facenet import portrait

PEOPLE, PICTURES = 6, 3


def write_lfw(root):
    """LFW's layout: people are colours, and one picture has no face."""
    names = [f"Person_{number}" for number in range(PEOPLE)]
    for number, name in enumerate(names):
        for picture in range(1, PICTURES + 1):
            pixels = portrait(30 * number, mirrored=picture == 2, side=150 + 10 * picture)
            write_picture(root / "images_deepfunneled" / name / f"{name}_{picture:04d}.jpg", pixels)
    blank = root / "images_deepfunneled" / names[0] / f"{names[0]}_0001.jpg"
    write_picture(blank, np.full((120, 120, 3), 99, np.uint8), overwrite=True)
    lines = [str(PEOPLE), *(f"{name}\t{PICTURES}" for name in names)]
    (root / "peopleDevTrain.txt").write_text("\n".join(lines) + "\n")
    pairs = ["2", *(f"{name}\t2\t3" for name in names[:2])]
    pairs += [f"{names[0]}\t2\t{names[n]}\t{n}" for n in (1, 2)]
    (root / "pairsDevTest.txt").write_text("\n".join(pairs) + "\n")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The data, the run and the folder of exported models of one pass through both recipes."""
    root = tmp_path_factory.mktemp("recipes")
    data, run, shipped = (root / name for name in ("lfw", "facenet", "shipped"))
    write_lfw(data)
    training = ["--data", data, "--out", run, "--start", "everyday", "--batch", 4]
    training += ["--epochs", 1, "--triplet-epochs", 1, "--people", 2, "--pictures", 2]
    run_here("train_facenet.py", *training)
    shipped.mkdir()
    shutil.copy(PRETRAINED / "README.md", shipped)
    run_here("export_facenet.py", "--run", run, "--data", data, "--out", shipped)
    return data, run, shipped, training


def test_people_kept_aside_are_not_trained_on(runs):
    scores = json.loads((runs[1] / "scores.json").read_text())
    assert len(scores["dev_people"]) == 2 and scores["no_face"] == 1
    assert scores["train"].endswith(" of 4 people")
    assert set(scores["stages"]) == {"classes", "triplets"}
    assert scores["best"] in scores["stages"]
    for stage in scores["stages"].values():
        assert 0 <= stage["auc"] <= 1 and 0.5 <= stage["accuracy"] <= 1


def test_the_exported_preset_is_whole_and_verifies(runs):
    preset = load_presets(runs[2])["facenet-lfw"]
    assert verify(preset) == [] and preset.task == "verify"
    assert preset.scores["pairs"] == 4 and 0 <= preset.scores["accuracy"] <= 1
    verifier = Verifier.load(runs[1] / "model", device="cpu")
    assert verifier.threshold().source == "pairs of 2 people of LFW not trained on"
    face = verifier.find(portrait())[0]
    assert verifier.embed_face(portrait(), face).shape == (128,)


def test_the_card_has_the_scores_and_the_thresholds(runs):
    card = (runs[2] / "README.md").read_text()
    assert card.count("<!-- facenet-lfw scores -->") == 1
    assert "4 pairs, litert: accuracy" in card and "(default)" in card


def test_a_finished_recipe_started_again_trains_no_further(runs):
    histories = [runs[1] / stage / "history.csv" for stage in ("classes", "triplets")]
    before = [path.read_text() for path in histories]
    run_here("train_facenet.py", *runs[3])
    assert [path.read_text() for path in histories] == before
