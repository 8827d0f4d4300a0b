"""The default detector's recipes, one after the other, on a handful of drawn pictures."""

import json
import shutil

import numpy as np
import pytest

from cvtool.classification.classifier import Classifier
from cvtool.detection.detector import Detector
from cvtool.models.presets import load_presets, verify
from cvtool.pictures.writing import write_picture
from recipe_runs import PRETRAINED, run, run_here
from tiny_yolo import draw_shapes


def write_tiny_imagenet(root, val=16):
    """The layout of Tiny-ImageNet-200: a picture of noise a class, and a few in val."""
    rng = np.random.default_rng(0)
    classes = [f"n{number:08}" for number in range(200)]
    root.mkdir()
    (root / "wnids.txt").write_text("\n".join(classes))
    lines = []
    for name in classes:
        write_noise(root / "train" / name / "images" / f"{name}_0.JPEG", rng)
    for number in range(val):
        write_noise(root / "val" / "images" / f"val_{number}.JPEG", rng)
        lines.append(f"val_{number}.JPEG\t{classes[number % 4]}\t0\t0\t62\t62")
    (root / "val" / "val_annotations.txt").write_text("\n".join(lines))


def write_noise(path, rng):
    write_picture(path.with_suffix(".jpg"), rng.integers(0, 256, (64, 64, 3)).astype(np.uint8))
    path.with_suffix(".jpg").rename(path)


def write_everyday(root):
    """The layout of everyday20 with drawn shapes."""
    for split, count in (("train", 16), ("val", 8)):
        folder = root / "images" / split
        folder.mkdir(parents=True)
        dataset = draw_shapes(folder, count, seed=count)
        annotations = [
            {
                "image_id": e.picture_id,
                "category_id": int(c) + 1,
                "bbox": [float(x1), float(y1), float(x2 - x1), float(y2 - y1)],
                "iscrowd": 0,
            }
            for e in dataset.examples
            for (x1, y1, x2, y2), c in zip(e.boxes, e.class_ids, strict=True)
        ]
        content = {
            "images": [
                {"id": e.picture_id, "file_name": e.path.name, "width": e.width, "height": e.height}
                for e in dataset.examples
            ],
            "categories": [{"id": i + 1, "name": n} for i, n in enumerate(dataset.classes)],
            "annotations": [{"id": i + 1} | a for i, a in enumerate(annotations)],
        }
        (root / f"instances_{split}.json").write_text(json.dumps(content))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Run folders and the exported models of one pass through all recipes."""
    root = tmp_path_factory.mktemp("recipes")
    write_tiny_imagenet(root / "tiny")
    write_everyday(root / "everyday20")
    backbone, everyday, shipped = (root / name for name in ("backbone", "everyday", "shipped"))
    pretraining = ["--data", root / "tiny", "--out", backbone, "--stages", "32:2"]
    run_here("pretrain_backbone.py", *pretraining, "--batch", 20, "--limit", 40)
    training = ["--data", root / "everyday20", "--out", everyday, "--batch", 4]
    training += ["--backbone", backbone / "backbone.weights.h5", "--stages", "64:1:0.5,96:1:0"]
    run_here("train_everyday.py", *training)
    shipped.mkdir()
    shutil.copy(PRETRAINED / "README.md", shipped)
    run_here("export_tiny200.py", "--run", backbone, "--data", root / "tiny", "--out", shipped)
    run_here(
        *["export_everyday.py", "--run", everyday, "--data", root / "everyday20"],
        *["--size", 96, "--out", shipped],
    )
    return backbone, everyday, shipped, training


def test_the_runs_have_their_scores_and_histories(runs):
    backbone, everyday, _, _ = runs
    assert 0 <= json.loads((backbone / "scores.json").read_text())["val_top1"] <= 1
    scores = json.loads((everyday / "scores.json").read_text())
    assert scores["size"] == 96 and set(scores["per_class"]) == {"disc", "square"}
    for folder in (backbone, everyday):
        assert len((folder / "history.csv").read_text().splitlines()) == 3
        assert (folder / "curves.png").stat().st_size > 1000


def test_the_detector_starts_from_the_backbone(runs):
    """After a few steps its first kernel is still close to the pre-trained one."""
    from cvtool.backbones import csp_backbone
    from cvtool.detection.yolo import yolo

    backbone, everyday, _, _ = runs
    start, trained = csp_backbone(), yolo(2)
    start.load_weights(backbone / "backbone.weights.h5")
    trained.load_weights(everyday / "best.weights.h5")
    kernels = [n.get_layer("stem_conv").get_weights()[0] for n in (start, trained.get_layer("csp"))]
    difference = np.abs(kernels[0] - kernels[1]).mean()
    assert difference < 0.1 * np.abs(kernels[0]).mean()


def test_the_exported_preset_is_whole_and_detects(runs):
    shipped = runs[2]
    preset = load_presets(shipped)["everyday"]
    assert verify(preset) == []
    assert preset.classes == ("disc", "square") and preset.size == 96
    assert preset.scores["pictures"] == 8
    detector = Detector.load(runs[1] / "model", device="cpu")
    boxes, scores, class_ids = detector.detect_arrays(
        np.full((90, 120, 3), 114, np.uint8), min_score=0.0
    )
    assert len(boxes) == len(scores) == len(class_ids) > 0


def test_the_exported_classifier_is_whole_and_classifies(runs):
    shipped = runs[2]
    preset = load_presets(shipped)["tiny200"]
    assert verify(preset) == []
    assert len(preset.classes) == 200 and preset.scores["pictures"] == 16
    classifier = Classifier.load(runs[0] / "model", device="cpu")
    pixels = np.full((90, 120, 3), 114, np.uint8)
    assert classifier.probabilities(pixels).sum() == pytest.approx(1, abs=1e-4)
    assert "16 pictures at 96 px, litert: top-1" in (shipped / "README.md").read_text()


def test_the_card_has_the_table_of_classes(runs):
    card = (runs[2] / "README.md").read_text()
    assert "| disc | " in card and "| square | " in card and "8 pictures at 96 px" in card
    assert card.count("<!-- everyday scores -->") == 1


def test_a_finished_recipe_started_again_trains_no_further(runs):
    _, everyday, _, training = runs
    before = (everyday / "history.csv").read_text()
    output = run("train_everyday.py", *training)
    assert "mAP50" in output
    assert (everyday / "history.csv").read_text() == before
