"""What a training on masks leaves behind: model, scores, report, all of one network."""

import json
import shutil
from dataclasses import replace
from fnmatch import fnmatch

import keras
import numpy as np
import pytest

from cvtool.datasets.mask_files import read_mask
from cvtool.datasets.masked import VOID
from cvtool.errors import CvtoolError, TrainingError
from cvtool.pictures.reading import read_picture
from cvtool.segmentation import finishing
from cvtool.segmentation.finetuning import open_training
from cvtool.segmentation.finishing import RUN_FILES, evaluate_splits, finish, pictures_to_predict
from cvtool.segmentation.metrics import confusion_matrix, mean_iou, pixel_accuracy
from cvtool.segmentation.runs import start_run
from cvtool.segmentation.segmenter import Segmenter
from cvtool.segmentation.settings import Settings
from cvtool.training.checkpoints import append_history
from cvtool.training.precision import set_precision
from cvtool.training.run_folder import read_run
from html_page import Page
from tiny_masks import write_mask_set
from tiny_unet import SIZE, small_network, small_networks

PROMISED = {"model.keras", "model.json", "report.html", "curves.png"}


def quiet(_):
    pass


@pytest.fixture(scope="module", autouse=True)
def networks():
    with small_networks():
        yield


@pytest.fixture(scope="module")
def network():
    """A network that says each class somewhere."""
    keras.utils.set_random_seed(0)
    made, rng = small_network(3, {}), np.random.default_rng(1)
    layer = made.get_layer("logits")
    layer.set_weights([rng.normal(0, 3, w.shape) for w in layer.get_weights()])
    return made


@pytest.fixture(scope="module")
def training(network, tmp_path_factory):
    """A training at its end, without the training."""
    shapes = tmp_path_factory.mktemp("sets") / "shapes"
    write_mask_set(shapes, 20)
    out = tmp_path_factory.mktemp("runs") / "shapes"
    settings = Settings(from_scratch="unet", size=SIZE)
    folder = start_run(shapes, settings, out=out, say=quiet)
    network.save_weights(folder / "best.weights.h5")
    append_history(folder / "history.csv", {"epoch": 1, "loss": 2.0, "dev_miou": 0.5})
    return open_training(folder, read_run(folder))


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
    monkeypatch.setattr(finishing, "export_network", lambda *_, **named: None)
    return replace(training, folder=folder)


def finish_again(training, say=quiet):
    return finish(training, read_run(training.folder), minutes=1.0, stopped=None, say=say)


def test_the_model_and_the_report_are_there_and_nothing_half_written(training, finished):
    folder = training.folder
    files = {path.name for path in folder.iterdir()}
    own = {"shapes.tflite", "shapes.weights.h5"}
    assert files >= PROMISED | own and not list(folder.glob("part-*"))
    # What is not in this list, --overwrite would leave in the next run's folder.
    assert all(any(fnmatch(name, pattern) for pattern in RUN_FILES) for name in files - own)


def test_what_it_gives_back_is_ready_for_json(training, finished):
    result, _ = finished
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert set(result) == {"scores", "scored_split", "per_class", "diagnosis"}
    assert result["scored_split"] == "test"
    assert set(result["per_class"]) == {"background", "disc", "square"}
    for split, error in result["diagnosis"]["rows"].items():
        assert error == pytest.approx(1 - result["scores"][split]["miou"])


def test_every_picture_of_every_split_is_scored(training, finished):
    result, seen = finished
    pictures = {split: figures["pictures"] for split, figures in result["scores"].items()}
    assert pictures == {split: len(data.examples) for split, data in training.splits.items()}
    assert seen == pictures_to_predict(training) == 20


def test_the_scores_are_those_of_the_saved_model_at_the_pictures_own_size(training, finished):
    result, _ = finished
    segmenter = Segmenter.load(training.folder, device="cpu")
    assert segmenter.classes == training.classes and segmenter.size == SIZE
    for split in ("dev", "test"):
        total = 0
        for example in training.splits[split].examples:
            predicted = segmenter.mask(read_picture(example.path))
            total = total + confusion_matrix(read_mask(example.mask), predicted, 3)
        figures = result["scores"][split]
        assert 0 < figures["miou"] == pytest.approx(mean_iou(total))
        assert figures["pixel_accuracy"] == pytest.approx(pixel_accuracy(total))


def test_the_model_says_what_it_is(training, finished):
    described = json.loads((training.folder / "model.json").read_text())
    run = read_run(training.folder)
    assert (described["name"], described["task"]) == ("shapes", "segment")
    assert described["classes"] == ["background", "disc", "square"] and described["size"] == SIZE
    assert described["architecture"] == run["architecture"]
    assert described["data"] == run["dataset"] and run["dataset"] in described["description"]


def test_the_exported_files_agree_with_the_trained_network(training, network, finished):
    """To what float16 can hold of the weights; sizes other than the training's too."""
    whole = keras.models.load_model(training.folder / "model.keras")
    segmenter = Segmenter.load(training.folder, device="cpu")
    assert all(layer.compute_dtype == "float32" for layer in whole.layers)
    for shape in ((1, SIZE, SIZE, 3), (1, 32, 96, 3), (1, 33, 50, 3)):
        pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
        expected = network.predict_on_batch(pixels)
        np.testing.assert_allclose(whole.predict_on_batch(pixels), expected, atol=1e-4)
        assert expected.std() > 1
        if shape[1] % 32 == shape[2] % 32 == 0:  # LiteRT's is for aligned sides
            assert np.abs(segmenter.engine(pixels) - expected).max() < 0.02 * expected.std()


def test_the_report_tells_of_the_run(training, finished):
    result, _ = finished
    text = (training.folder / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "so it was" in text and result["diagnosis"]["summary"] in page.text
    assert read_run(training.folder)["how"] in page.text
    assert f"{result['scores']['test']['miou']:.3f}" in page.text
    # The four pictures of test, the worst first.
    assert page.tags.count("figure") == 4


def test_of_many_training_pictures_a_sample_is_scored(training, finished, monkeypatch):
    monkeypatch.setattr(finishing, "TRAIN_SAMPLE", 5)
    segmenter = Segmenter.load(training.folder, device="cpu")
    count = len(training.splits["dev"].examples) + len(training.splits["test"].examples)
    assert pictures_to_predict(training) == 5 + count

    def sampled(seed):
        settings = replace(training.settings, seed=seed)
        found = evaluate_splits(replace(training, settings=settings), segmenter, say=quiet)
        return [example.path for example in found["train"].dataset.examples]

    first = sampled(0)
    everything = {example.path for example in training.splits["train"].examples}
    assert len(set(first)) == 5 and set(first) < everything
    assert sampled(0) == first != sampled(1)


def moved(training, split, index, kind, folder):
    """The training with one of its files gone."""
    data = training.splits[split]
    examples = list(data.examples)
    examples[index] = replace(examples[index], **{kind: folder / "gone.png"})
    splits = training.splits | {split: replace(data, examples=tuple(examples))}
    return replace(training, splits=splits)


def test_what_has_gone_is_named_and_left_out(copy, tmp_path):
    """Of test all masks, so that dev is told of."""
    count = len(copy.splits["test"].examples)
    training = moved(copy, "train", 0, "path", tmp_path)
    for index in range(count):
        training = moved(training, "test", index, "mask", tmp_path)
    said = []
    result = finish_again(training, say=lambda line: said.append(str(line)))
    assert result["scored_split"] == "dev" and set(result["scores"]) == {"train", "dev"}
    assert result["scores"]["train"]["pictures"] == len(training.splits["train"].examples) - 1
    assert ["gone.png: no such" in line for line in said] == [True] * (1 + count) + [False]
    assert f"not one of {count} pictures and masks can be read" in said[-1]
    assert "chosen on dev" in (training.folder / "report.html").read_text()


def test_without_any_picture_of_dev_and_test_there_is_no_report(copy, tmp_path):
    training = copy
    for split in ("dev", "test"):
        for index in range(len(training.splits[split].examples)):
            training = moved(training, split, index, "path", tmp_path)
    with pytest.raises(CvtoolError, match="no picture of dev or test can be read.*--resume"):
        finish_again(training)


def test_a_damaged_best_checkpoint_is_named(copy):
    (copy.folder / "best.weights.h5").write_text("nothing")
    with pytest.raises(TrainingError, match=r"best\.weights\.h5: the checkpoint cannot be read"):
        finish_again(copy)


def test_void_counts_nowhere(training, finished):
    known = sum(int((read_mask(e.mask) != VOID).sum()) for e in training.splits["test"].examples)
    segmenter = Segmenter.load(training.folder, device="cpu")
    confusions = evaluate_splits(training, segmenter, say=quiet)["test"].confusions
    assert confusions.sum() == known < len(confusions) * 64 * 64
