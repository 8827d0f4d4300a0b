"""What a detector's training leaves behind: model, scores, report, all of one network."""

import json
import shutil
from dataclasses import replace
from fnmatch import fnmatch
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image

from cvtool.detection import finishing
from cvtool.detection.detector import Detector
from cvtool.detection.evaluation import evaluate_detector
from cvtool.detection.finetuning import open_training
from cvtool.detection.finishing import (
    RUN_FILES,
    finish,
    pictures_to_predict,
    predict_splits,
    save_trained,
    working_score,
)
from cvtool.detection.metrics import evaluate_with_curves
from cvtool.detection.runs import start_run
from cvtool.detection.scoring import predict_dataset
from cvtool.detection.settings import Settings
from cvtool.errors import CvtoolError, TrainingError
from cvtool.pictures.reading import read_picture
from cvtool.training.checkpoints import append_history
from cvtool.training.precision import set_precision
from cvtool.training.run_folder import read_run
from html_page import Page
from tiny_detector import SIZE, small_network, small_networks, write_yolo_set
from tiny_predictions import dataset, example, prediction

THRESHOLDS = np.arange(1001) / 1000


def quiet(_):
    pass


def curves(*f1s):
    """Curves of which only the F1 is of interest here."""
    return {
        str(number): SimpleNamespace(thresholds=THRESHOLDS, f1_at=np.asarray(f1))
        for number, f1 in enumerate(f1s)
    }


def hill(middle, half_width, height=1.0):
    """A triangle over the scores."""
    return height * np.maximum(0, 1 - np.abs(THRESHOLDS - middle) / half_width)


def test_the_working_score_is_the_top_of_a_hill():
    for middle in (0.1, 0.37, 0.8):
        assert working_score(curves(hill(middle, 0.1))) == pytest.approx(middle, abs=0.006)


def test_a_peak_by_chance_does_not_decide():
    """On few pictures the F1 jumps; a score beside the peak must do as well."""
    peak = np.where(np.abs(THRESHOLDS - 0.7) < 0.004, 0.9, 0)
    assert working_score(curves(np.maximum(peak, hill(0.3, 0.2, 0.6)))) == pytest.approx(
        0.3, abs=0.01
    )


def test_each_class_weighs_the_same():
    low, high = hill(0.3, 0.25, 0.8), hill(0.6, 0.25, 0.6)
    assert working_score(curves(low, high)) == pytest.approx(0.3, abs=0.05)
    assert working_score(curves(low, high, high)) == pytest.approx(0.6, abs=0.05)


@pytest.mark.parametrize(("best", "score"), [(0.0, 0.05), (0.02, 0.05), (0.97, 0.9), (1.0, 0.9)])
def test_it_never_lets_all_or_nothing_through(best, score):
    assert working_score(curves(hill(best, 0.05))) == score


def test_nothing_found_gives_a_score_all_the_same():
    assert 0.05 <= working_score(curves(np.zeros(1001))) <= 0.9


@pytest.mark.parametrize("seed", range(5))
def test_it_is_in_hundredths_and_no_other_score_does_better_with_its_neighbours(seed):
    rng = np.random.default_rng(seed)
    places = [rng.uniform((0.1, 0.05, 0.2), (0.85, 0.3, 1)) for _ in range(6)]
    several = curves(
        *(hill(*one) + hill(*other) for one, other in zip(places[::2], places[1::2], strict=True))
    )
    score = working_score(several)
    assert score == round(score, 2)
    f1 = np.mean([curve.f1_at for curve in several.values()], axis=0)

    def around(middle):
        return f1[np.abs(THRESHOLDS - middle) < 0.0255].mean()

    assert around(score) > max(around(middle) for middle in np.arange(0.05, 0.9, 0.01)) - 0.01


def test_it_parts_right_boxes_from_false_ones():
    box, elsewhere = [10, 10, 40, 40], [60, 60, 90, 90]
    data = dataset(*[example([box], [0]) for _ in range(20)])
    rng = np.random.default_rng(0)
    found = [
        prediction((rng.uniform(0.6, 0.9), 0, box), (rng.uniform(0.1, 0.4), 0, elsewhere))
        for _ in range(20)
    ]
    assert 0.38 <= working_score(evaluate_with_curves(data, found)[1]) <= 0.62


@pytest.fixture(scope="module", autouse=True)
def networks():
    with small_networks():
        yield


@pytest.fixture(scope="module")
def network():
    """A network that finds something in every picture, though nothing that there is."""
    keras.utils.set_random_seed(0)
    made, rng = small_network(2), np.random.default_rng(1)
    for variable in made.trainable_variables:
        if "head" in variable.path and "kernel" in variable.path:
            variable.assign(rng.normal(0, 10, variable.shape))
    return made


def found_by(network, training, data):
    size, anchors, strides = training.chosen["size"], training.anchors, training.strides
    return predict_dataset(network, data, size=size, anchors=anchors, strides=strides)


def shown_as_found(network, training, data):
    """The data set as if its objects were the two that the network is surest of."""
    examples = []
    predictions = found_by(network, training, data)
    for one, (boxes, _, class_ids) in zip(data.examples, predictions, strict=True):
        best = np.flatnonzero((boxes[:, 2:] - boxes[:, :2]).min(axis=1) > 6)[:2]
        examples.append(replace(one, boxes=boxes[best], class_ids=class_ids[best]))
    return replace(data, examples=tuple(examples))


@pytest.fixture(scope="module")
def training(network, tmp_path_factory):
    """A training at its end, without the training."""
    shapes = write_yolo_set(tmp_path_factory.mktemp("sets") / "shapes", 30)
    out = tmp_path_factory.mktemp("runs") / "shapes"
    folder = start_run(shapes, Settings(from_scratch="yolo", size=SIZE), out=out, say=quiet)
    network.save_weights(folder / "best.weights.h5")
    append_history(folder / "history.csv", {"epoch": 1, "loss": 2.0, "dev_mAP50_95": 0.5})
    opened = open_training(folder, read_run(folder))
    splits = {split: shown_as_found(network, opened, data) for split, data in opened.splits.items()}
    return replace(opened, splits=splits)


@pytest.fixture(scope="module")
def finished(training):
    """What `finish` gives back of a training that ran in bfloat16, and how many pictures it saw."""
    seen = []
    set_precision("bfloat16")
    try:
        result = finish(
            training,
            read_run(training.folder),
            minutes=12.34,
            stopped="stopped at epoch 1: so it was",
            say=quiet,
            on_picture=lambda: seen.append(1),
        )
    finally:
        set_precision("float32")
    return result, len(seen)


@pytest.fixture
def copy(training, finished, tmp_path, monkeypatch):
    """A finished run for a test to finish again, its model being there already."""
    folder = shutil.copytree(training.folder, tmp_path / training.folder.name)
    monkeypatch.setattr(finishing, "export_network", lambda *_: None)
    return replace(training, folder=folder)


def finish_again(training, say=quiet):
    return finish(training, read_run(training.folder), minutes=1.0, stopped=None, say=say)


def test_the_model_and_the_report_are_there_and_nothing_half_written(training, finished):
    folder = training.folder
    files = {path.name for path in folder.iterdir()}
    own = {"shapes.tflite", "shapes.weights.h5"}
    promised = {"model.keras", "model.json", "report.html", "curves.png"}
    promised |= {"precision_recall.png", "thresholds.png"} | own
    assert promised <= files and not list(folder.glob("part-*"))
    # What is not in this list, --overwrite would leave in the next run's folder.
    assert all(any(fnmatch(name, pattern) for pattern in RUN_FILES) for name in files - own)
    for name in ("curves.png", "precision_recall.png", "thresholds.png"):
        with Image.open(folder / name) as image:
            image.load()
            assert image.format == "PNG" and min(image.size) > 200


def test_what_it_gives_back_is_ready_for_json(training, finished):
    result, _ = finished
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert set(result) == {"scores", "scored_split", "score", "per_class", "diagnosis"}
    assert result["scored_split"] == "test" and set(result["per_class"]) == {"disc", "square"}
    assert set(result["diagnosis"]["rows"]) == {"train", "dev", "test"}
    for split, error in result["diagnosis"]["rows"].items():
        assert error == pytest.approx(1 - result["scores"][split]["mAP50"])


def test_every_picture_of_every_split_is_scored(training, finished):
    result, seen = finished
    pictures = {split: figures["pictures"] for split, figures in result["scores"].items()}
    assert pictures == {split: len(data.examples) for split, data in training.splits.items()}
    assert seen == pictures_to_predict(training) == 30


def test_the_scores_are_those_of_an_evaluation_of_the_saved_model(training, finished):
    result, _ = finished
    detector = Detector.load(training.folder, device="cpu")
    for split in ("dev", "test"):
        summary = evaluate_detector(detector, training.splits[split]).summary
        figures = result["scores"][split]
        assert 0.2 < figures["mAP50"] == pytest.approx(summary["mAP50"])
        assert figures["mAP50_95"] == pytest.approx(summary["mAP50_95"])
    for name, row in result["per_class"].items():
        assert row["ap50"] == pytest.approx(summary["per_class"][name]["ap50"])


def test_the_score_chosen_on_dev_is_the_models_own_and_that_of_all_figures(
    training, network, finished
):
    result, _ = finished
    dev = training.splits["dev"]
    chosen = working_score(evaluate_with_curves(dev, found_by(network, training, dev))[1])
    assert result["score"] == chosen != 0.25
    assert Detector.load(training.folder, device="cpu").score == chosen
    for figures in result["scores"].values():
        assert figures["min_score"] == chosen


def test_the_model_says_what_it_is(training, finished):
    described = json.loads((training.folder / "model.json").read_text())
    run = read_run(training.folder)
    assert (described["name"], described["task"]) == ("shapes", "detect")
    assert described["classes"] == ["disc", "square"] and described["size"] == SIZE
    assert described["data"] == run["dataset"] and run["dataset"] in described["description"]
    np.testing.assert_allclose(described["anchors"], training.anchors)


def test_the_exported_files_agree_with_the_trained_network(training, network, finished):
    """To what float16 can hold of the weights; sizes other than the training's too."""
    whole = keras.models.load_model(training.folder / "model.keras")
    detector = Detector.load(training.folder, device="cpu")
    assert all(layer.compute_dtype == "float32" for layer in whole.layers)
    for shape in ((1, SIZE, SIZE, 3), (2, 96, 160, 3)):
        pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
        expected = network.predict_on_batch(pixels)
        np.testing.assert_allclose(whole.predict_on_batch(pixels), expected, atol=1e-4)
        spread = expected.std()
        assert spread > 1
        assert np.abs(detector.engine(pixels) - expected).max() < 0.02 * spread


def test_the_detector_finds_what_the_trained_network_finds(training, network, finished):
    detector = Detector.load(training.folder, device="cpu")
    data = training.splits["test"]
    for one, found in zip(data.examples, found_by(network, training, data), strict=True):
        rows = np.column_stack([found[0], 100 * found[1], 100 * found[2]])[:5]
        detected = detector.detect_arrays(read_picture(one.path), min_score=0.001)
        others = np.column_stack([detected[0], 100 * detected[1], 100 * detected[2]])
        assert found[1][0] > 0.1
        # Pixels and hundredths; of boxes that score alike, the order may differ.
        assert np.abs(rows[:, None] - others[None]).max(axis=2).min(axis=1).max() < 1


def test_the_report_tells_of_the_run(training, finished):
    result, _ = finished
    text = (training.folder / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "so it was" in text and result["diagnosis"]["summary"] in page.text
    assert read_run(training.folder)["how"] in page.text
    assert f"{result['scores']['test']['mAP50']:.3f}" in page.text


def test_of_many_training_pictures_a_sample_is_scored(training, finished, monkeypatch):
    monkeypatch.setattr(finishing, "TRAIN_SAMPLE", 5)
    assert pictures_to_predict(training) == 5 + 6 + 6

    def sampled(seed):
        seen = []
        settings = replace(training.settings, seed=seed)
        found = predict_splits(
            replace(training, settings=settings),
            device="cpu",
            on_picture=lambda: seen.append(1),
        )
        assert {split: len(data.examples) for split, (data, _) in found.items()} == {
            "train": 5,
            "dev": 6,
            "test": 6,
        }
        assert len(seen) == 17 and all(len(data.examples) == len(p) for data, p in found.values())
        return [example.path for example in found["train"][0].examples]

    everything = [example.path for example in training.splits["train"].examples]
    first = sampled(0)
    assert len(set(first)) == 5 and set(first) < set(everything)
    assert sampled(0) == first != sampled(1)


def test_without_test_pictures_dev_is_told_of(copy):
    """Nor where they show no object; a picture that has gone is named and left out."""
    splits = dict(copy.splits)
    test = splits["test"]
    bare = [replace(e, boxes=e.boxes[:0], class_ids=e.class_ids[:0]) for e in test.examples]
    splits["test"] = replace(test, examples=tuple(bare))
    dev = splits["dev"].examples
    gone = copy.folder / "gone.png"
    shutil.move(shutil.copy(dev[0].path, gone), copy.folder.parent / "elsewhere.png")
    train = splits["train"].examples
    splits["train"] = replace(splits["train"], examples=(replace(train[0], path=gone), *train[1:]))
    said = []
    result = finish_again(replace(copy, splits=splits), say=lambda line: said.append(str(line)))
    assert result["scored_split"] == "dev" and set(result["scores"]) == {"train", "dev"}
    assert result["scores"]["train"]["pictures"] == len(train) - 1
    assert len(said) == 1 and str(gone) in said[0]
    assert "test" not in result["diagnosis"]["rows"]


def test_no_picture_left_to_score_is_one_line(copy, tmp_path):
    """They were kept in memory, and were gone when the report was made."""
    splits = {}
    for split, data in copy.splits.items():
        moved = [replace(e, path=tmp_path / split / e.path.name) for e in data.examples]
        (tmp_path / split).mkdir()
        for old, new in zip(data.examples, moved, strict=True):
            shutil.copy(old.path, new.path)
        splits[split] = replace(data, examples=tuple(moved))
    gone = replace(copy, splits=splits)
    save_trained(gone, read_run(copy.folder))
    for split in ("dev", "test"):
        shutil.rmtree(tmp_path / split)
    with pytest.raises(CvtoolError, match="dev.*can be read.*--resume") as error:
        finish_again(gone)
    assert str(copy.folder) in str(error.value)


@pytest.mark.parametrize("content", [None, b"nothing", b"\x89HDF\r\n\x1a\n"])
def test_a_damaged_checkpoint_is_named_and_the_model_stays(copy, content):
    path = copy.folder / "best.weights.h5"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    before = {file: file.read_bytes() for file in copy.folder.iterdir()}
    with pytest.raises(TrainingError, match=r"best\.weights\.h5: the checkpoint cannot be read"):
        finish_again(copy)
    assert {file: file.read_bytes() for file in copy.folder.iterdir()} == before
