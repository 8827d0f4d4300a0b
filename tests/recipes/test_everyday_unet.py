"""The default segmentation network's recipes, one after the other, on a few drawn pictures."""

import json
import shutil

import numpy as np
import pytest

from cvtool.datasets.mask_files import write_mask
from cvtool.models.presets import load_presets, verify
from cvtool.pictures.writing import write_picture
from cvtool.segmentation.segmenter import Segmenter
from recipe_runs import PRETRAINED, run_here
from tiny_masks import CLASSES, draw


def write_everyday(root):
    """The layout of everyday20 with drawn shapes."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 4)):
        for number in range(count):
            pixels, mask = draw(rng, 60, 80)
            write_picture(root / "images" / split / f"{number}.jpg", pixels)
            write_mask(root / "masks" / split / f"{number}.png", mask)
    categories = [{"id": i, "name": name} for i, name in enumerate(CLASSES[1:], 1)]
    (root / "instances_val.json").write_text(json.dumps({"categories": categories}))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The data, the run and the folder of exported models of one pass through both recipes."""
    root = tmp_path_factory.mktemp("recipes")
    data, unet, shipped = (root / name for name in ("everyday20", "unet", "shipped"))
    write_everyday(data)
    guessed = root / "guessed"
    guessed.mkdir()
    (data / "masks" / "train" / "7.png").rename(guessed / "7.png")
    training = ["--data", data, "--out", unet, "--start", "everyday", "--batch", 4]
    training += ["--guessed", guessed]
    run_here("train_unet.py", *training, "--stages", "64:1,96:1")
    shipped.mkdir()
    shutil.copy(PRETRAINED / "README.md", shipped)
    run_here("export_unet.py", "--run", unet, "--data", data, "--size", 96, "--out", shipped)
    return data, unet, shipped, training


def test_the_run_has_its_scores_and_history(runs):
    scores = json.loads((runs[1] / "scores.json").read_text())
    assert scores["size"] == 96 and scores["pictures"] == 4 and 0 <= scores["miou"] <= 1
    assert list(scores["per_class"]) == list(CLASSES)
    assert scores["train"] == "everyday20 train (7 pictures), 1 with guessed masks"
    assert len((runs[1] / "history.csv").read_text().splitlines()) == 3


def test_it_starts_from_the_detectors_backbone(runs):
    """After a few steps its first kernel is still close to the detector's."""
    from cvtool.detection.detector import build
    from cvtool.models.presets import find_model, preset_file
    from cvtool.segmentation.unet import csp_unet

    preset = find_model("everyday")
    detector, trained = build(preset), csp_unet(3)
    detector.load_weights(preset_file(preset, "weights"))
    trained.load_weights(runs[1] / "best.weights.h5")
    kernels = [
        n.get_layer("csp").get_layer("stem_conv").get_weights()[0] for n in (detector, trained)
    ]
    assert np.abs(kernels[0] - kernels[1]).mean() < 0.1 * np.abs(kernels[0]).mean()


def test_the_exported_preset_is_whole_and_segments(runs):
    preset = load_presets(runs[2])["everyday-unet"]
    assert verify(preset) == [] and preset.classes == CLASSES and preset.size == 96
    assert preset.scores["pictures"] == 4 and 0 <= preset.scores["miou"] <= 1
    found = Segmenter.load(runs[1] / "model", device="cpu")(np.full((90, 121, 3), 114, np.uint8))
    assert found.mask.shape == (90, 121)


def test_the_card_has_the_table_of_classes(runs):
    card = (runs[2] / "README.md").read_text()
    assert "| disc | " in card and "| square | " in card and "4 pictures at 96 px" in card
    assert card.count("<!-- everyday-unet scores -->") == 1


def test_a_finished_recipe_started_again_trains_no_further(runs):
    before = (runs[1] / "history.csv").read_text()
    run_here("train_unet.py", *runs[3], "--stages", "64:1,96:1")
    assert (runs[1] / "history.csv").read_text() == before
