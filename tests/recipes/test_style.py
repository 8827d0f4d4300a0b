"""The recipes of instant styles, one after the other, on a handful of pictures."""

import csv
import json
import shutil
import sys
from unittest.mock import patch

import keras
import numpy as np
import pytest
import skimage.data

from cvtool.models.presets import load_presets, verify
from cvtool.pictures.reading import read_picture
from cvtool.pictures.writing import write_picture
from cvtool.style.fast import FastStylizer
from cvtool.style.vgg_small import vgg_small
from recipe_runs import PRETRAINED, RECIPES, run_here

PHOTO = skimage.data.astronaut()


@pytest.fixture(scope="module")
def painted():
    """The module of the recipe that paints."""
    with patch.object(sys, "path", [str(RECIPES), *sys.path]):
        import painted
    return painted


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The run, the exported models and the arguments of one pass through both recipes."""
    root = tmp_path_factory.mktemp("recipes")
    for name in ("contents", "styles"):
        for number in range(4):
            y, x = 80 * number, 60 * number
            pixels = PHOTO[y : y + 90, x : x + 120]
            write_picture(
                root / name / f"{number}.png", 255 - pixels if name == "styles" else pixels
            )
    encoder, run, shipped = (root / name for name in ("vgg", "adain", "shipped"))
    encoder.mkdir()
    keras.utils.set_random_seed(0)
    vgg_small(batch_norm=True).save_weights(encoder / "backbone.weights.h5")
    (encoder / "scores.json").write_text('{"dev": "some", "val_top1": 0.25, "side": 64}')
    training = ["--encoder", encoder, "--content", root / "contents", "--style", root / "styles"]
    training += ["--out", run, "--size", 32, "--batch", 2, "--steps", 2, "--epochs", 1]
    run_here("train_adain.py", *training)
    shipped.mkdir()
    shutil.copy(PRETRAINED / "README.md", shipped)
    scored = ["--contents", root / "contents", "--styles", root / "styles"]
    run_here("export_style.py", "--run", run, "--encoder-run", encoder, *scored, "--out", shipped)
    return run, shipped, training


def test_the_run_has_its_losses_and_a_sheet(runs):
    scores = json.loads((runs[0] / "scores.json").read_text())
    assert scores["train"].startswith("3 contents, 3 styles") and scores["steps"] == 2
    parts = (scores["dev_content"], 10 * scores["dev_style"], scores["dev_tv"])
    assert scores["dev_loss"] == pytest.approx(sum(parts), rel=1e-4)
    with (runs[0] / "history.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["dev_loss"]) == pytest.approx(scores["dev_loss"], rel=1e-3)
    assert float(row["loss"]) > 0 and float(row["style"]) > 0
    assert read_picture(runs[0] / "sheet001.png").shape == (3 * 32, 32, 3)


def test_the_encoder_of_the_run_is_normalised(runs):
    network = vgg_small()
    network.load_weights(runs[0] / "encoder.weights.h5")
    probe = keras.Model(network.input, network.get_layer("block4_conv1").output)
    features = np.asarray(probe(PHOTO[None, :90, :120].astype(np.float32)))
    assert 0.3 < np.sqrt((features**2).mean()) < 3


def test_the_exported_presets_are_whole_and_stylize(runs):
    presets = load_presets(runs[1])
    assert {name: preset.task for name, preset in presets.items()} == {
        "vgg-small": "features",
        "adain": "stylize",
    }
    assert all(verify(preset) == [] for preset in presets.values())
    assert presets["adain"].scores["pairs"] == 16
    assert presets["vgg-small"].scores["top1"] == 0.25
    stylizer = FastStylizer.load(runs[0] / "model", device="cpu")
    result = stylizer(PHOTO[:50, :70], [PHOTO[::-2, ::2]])
    assert result.shape == (50, 70, 3)


def test_the_cards_have_the_scores(runs):
    card = (runs[1] / "README.md").read_text()
    for name in ("vgg-small", "adain"):
        assert card.count(f"<!-- {name} scores -->") == 1
    assert "Top-1 accuracy 0.250 at 64 px." in card and "16 pairs at 512 px, litert" in card


def test_a_finished_recipe_started_again_trains_no_further(runs):
    files = [runs[0] / name for name in ("history.csv", "encoder.weights.h5")]
    before = [path.read_bytes() for path in files]
    run_here("train_adain.py", *runs[2])
    assert [path.read_bytes() for path in files] == before


@pytest.mark.parametrize("manner", ["strokes", "dots", "flat"])
def test_painted_pictures_are_new_and_repeat_with_the_seed(painted, manner):
    photo = PHOTO[:128, 100:228]

    def paint(seed):
        rng = np.random.default_rng(seed)
        if manner == "flat":
            return painted.contours(painted.flat_areas(photo, rng), photo, rng)
        return painted.strokes(photo, rng, dots=manner == "dots")

    one, again, other = paint(1), paint(1), paint(2)
    assert one.shape == photo.shape and one.dtype == np.uint8
    np.testing.assert_array_equal(one, again)
    assert (one != other).mean() > 0.1 and (one != photo).mean() > 0.5


def test_painting_gives_other_colours_each_time(painted):
    photo = PHOTO[:128, 100:228]
    means = [painted.paint(photo, np.random.default_rng(seed)).mean((0, 1)) for seed in range(8)]
    assert np.std(means, axis=0).min() > 5
