"""Scoring a classifier on a data set: which pictures, which classes, which figures."""

import json

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, average_precision_score

from cvtool.classification.evaluation import (
    evaluate_classifier,
    file_name,
    labels_for,
    read_classification_dataset,
    save_evaluation,
)
from cvtool.datasets.labelled import LabelledPictures
from cvtool.errors import DatasetError, OutputError, PictureError
from cvtool.pictures.writing import write_picture

COLOURS = {"red": (200, 0, 0), "green": (0, 200, 0), "blue": (0, 0, 200), "grey": (90, 90, 90)}


class Colours:
    """Stands for a classifier: the share of each channel is the probability of its class."""

    model_name, engine_name, size = "colours", "litert", 16

    def __init__(self, classes=("blue", "red", "green"), several=False):
        self.classes, self.several, self.calls = classes, several, []

    def probabilities(self, pixels, *, tta=False):
        self.calls.append(tta)
        means = dict(zip(("red", "green", "blue"), pixels.mean(axis=(0, 1)) + 1, strict=True))
        values = np.array([means.get(name, 0.5) for name in self.classes], np.float32)
        return values / (255 if self.several else values.sum())


def paint(path, name, noise=0):
    write_picture(path, np.full((16, 16, 3), COLOURS[name], np.uint8) + np.uint8(noise))
    return path


@pytest.fixture
def folder(tmp_path):
    """Ten pictures of each of three classes; two "red" ones are blue."""
    for name in ("blue", "green", "red"):
        for number in range(10):
            shown = "blue" if name == "red" and number < 2 else name
            paint(tmp_path / "set" / name / f"{number}.png", shown, number)
    return tmp_path / "set"


def test_figures_of_one_label(folder):
    model, told = Colours(), []
    found = evaluate_classifier(
        model, read_classification_dataset(folder), on_picture=lambda: told.append(1)
    )
    summary = found.summary
    assert summary["top1"] == pytest.approx(28 / 30)
    assert summary["top5"] == 1.0  # of three classes
    low, high = summary["interval"]
    assert low < 28 / 30 < high
    assert summary["per_class"]["red"]["recall"] == pytest.approx(0.8)
    assert summary["per_class"]["blue"]["precision"] == pytest.approx(10 / 12)
    assert list(summary["per_class"]) == ["blue", "red", "green"]
    assert (summary["pictures"], summary["unknown"], summary["tta"]) == (30, 0, False)
    assert (summary["model"], summary["engine"], summary["size"]) == ("colours", "litert", 16)
    assert len(told) == 30 and set(model.calls) == {False}
    # The labels are positions among the model's classes, not the data set's.
    assert found.labels.tolist() == [0] * 10 + [2] * 10 + [1] * 10
    json.dumps(summary, allow_nan=False)


def test_test_time_augmentation_is_passed_on(folder):
    model = Colours()
    found = evaluate_classifier(model, read_classification_dataset(folder, limit=3), tta=True)
    assert model.calls == [True] * 3 and found.summary["tta"] is True


def test_classes_the_model_does_not_know_count_as_wrong(folder):
    for number in range(10):
        paint(folder / "grey" / f"{number}.png", "grey", number)
    found = evaluate_classifier(Colours(), read_classification_dataset(folder))
    assert found.summary["unknown"] == 10 and found.summary["pictures"] == 40
    assert found.summary["top1"] == pytest.approx(28 / 40)
    assert found.summary["top5"] == pytest.approx(30 / 40)
    assert "grey" not in found.summary["per_class"]
    assert (found.labels == -1).sum() == 10


def test_classes_that_only_the_model_knows_are_allowed(folder):
    model = Colours(("blue", "red", "green", "white"))
    found = evaluate_classifier(model, read_classification_dataset(folder))
    assert found.summary["top1"] == pytest.approx(28 / 30)
    assert found.summary["per_class"]["white"]["pictures"] == 0


def test_pictures_of_unknown_classes_alone_are_all_wrong(folder):
    for number in range(10):
        paint(folder / "amber" / f"{number}.png", "grey", number)
    # "amber" comes first, and one picture is all that is looked at.
    found = evaluate_classifier(Colours(), read_classification_dataset(folder, limit=1))
    assert found.summary["top1"] == 0 and found.summary["unknown"] == 1


def test_no_class_in_common_is_refused(folder):
    with pytest.raises(DatasetError, match='model "colours" knows none of the data set\'s classes'):
        evaluate_classifier(Colours(("cat", "dog")), read_classification_dataset(folder))


def test_a_broken_picture_is_named(folder):
    (folder / "green" / "5.png").write_bytes(b"no picture")
    with pytest.raises(PictureError, match="5.png"):
        evaluate_classifier(Colours(), read_classification_dataset(folder))


@pytest.mark.parametrize(
    ("splits", "taken"),
    [
        (("train", "val", "test"), "test"),
        (("train", "val"), "val"),
        (("train", "test"), "test"),
        (("train",), "train"),
    ],
)
def test_test_pictures_come_before_dev_pictures(tmp_path, splits, taken):
    for split in splits:
        for name in ("red", "blue"):
            paint(tmp_path / split / name / f"{split}.png", name)
    data = read_classification_dataset(tmp_path)
    assert [path.stem for path in data.paths] == [taken] * 2


def test_a_limit_is_spread_evenly(folder):
    data = read_classification_dataset(folder, limit=6)
    assert np.bincount(data.labels).tolist() == [2, 2, 2]
    assert len(set(data.paths)) == 6
    again = read_classification_dataset(folder, limit=6)
    assert again.paths == data.paths
    assert len(read_classification_dataset(folder, limit=30)) == 30
    assert len(read_classification_dataset(folder, limit=99)) == 30
    assert len(set(read_classification_dataset(folder, limit=29).paths)) == 29


@pytest.fixture
def table(tmp_path):
    """Pictures of several colours at once, with a label that nobody gave here and there."""
    rng = np.random.default_rng(0)
    lines = ["file,red,blue,white"]
    for number in range(20):
        red, blue = rng.integers(0, 2, 2)
        pixels = np.full((16, 16, 3), (40 + 150 * red, number, 40 + 150 * blue), np.uint8)
        if number == 3:
            red = 1 - red
        write_picture(tmp_path / f"{number}.png", pixels)
        lines.append(f"{number}.png,{red},{'' if number % 5 == 0 else blue},0")
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_figures_of_several_labels(table):
    model = Colours(("blue", "green", "red"), several=True)
    data = read_classification_dataset(table)
    found = evaluate_classifier(model, data)
    labels = labels_for(model.classes, data)
    assert labels.shape == (20, 3) and np.isnan(labels[:, 1]).all()
    assert np.isnan(labels[::5, 0]).all() and not np.isnan(labels[:, 2]).any()
    np.testing.assert_array_equal(found.labels, labels)
    known = ~np.isnan(labels[:, 0])
    precisions = [
        average_precision_score(labels[known, 0], found.probabilities[known, 0]),
        average_precision_score(labels[:, 2], found.probabilities[:, 2]),
    ]
    summary = found.summary
    assert summary["mean_average_precision"] == pytest.approx(np.mean(precisions))
    labelled = ~np.isnan(labels)
    right = accuracy_score(labels[labelled], found.probabilities[labelled] >= 0.5)
    assert summary["accuracy"] == pytest.approx(right) and right < 1
    assert list(summary["per_class"]) == ["blue", "green", "red"]
    assert summary["per_class"]["green"]["labelled"] == 0
    json.dumps(summary, allow_nan=False)


def test_one_label_and_several_do_not_go_together(table, folder):
    with pytest.raises(DatasetError, match="gives one label a picture, the data set several"):
        evaluate_classifier(Colours(), read_classification_dataset(table))
    model = Colours(several=True)
    with pytest.raises(DatasetError, match="gives several labels a picture, the data set one"):
        evaluate_classifier(model, read_classification_dataset(folder))


def test_what_explains_the_score_is_saved(folder, tmp_path):
    found = evaluate_classifier(Colours(), read_classification_dataset(folder))
    out = tmp_path / "out"
    written = save_evaluation(found, out)
    names = ["calibration.png", "confusion.png", "evaluation.json", "worst"]
    assert sorted(path.name for path in written) == sorted(p.name for p in out.iterdir()) == names
    assert json.loads((out / "evaluation.json").read_text())["top1"] == pytest.approx(28 / 30)
    mistakes = sorted(path.name for path in (out / "worst").iterdir())
    assert mistakes == ["01-red-taken-for-blue.jpg", "02-red-taken-for-blue.jpg"]


def test_earlier_results_are_replaced_only_when_asked_for(folder, tmp_path):
    found = evaluate_classifier(Colours(), read_classification_dataset(folder))
    out = tmp_path / "out"
    (out / "worst").mkdir(parents=True)
    (out / "evaluation.json").write_text("old")
    for name in ("17-cat-taken-for-dog.jpg", "mine.jpg"):
        (out / "worst" / name).write_text("")
    with pytest.raises(OutputError, match="evaluation.json: already exists"):
        save_evaluation(found, out)
    assert (out / "evaluation.json").read_text() == "old"
    save_evaluation(found, out, overwrite=True)
    assert sorted(path.name for path in (out / "worst").iterdir()) == [
        "01-red-taken-for-blue.jpg",
        "02-red-taken-for-blue.jpg",
        "mine.jpg",
    ]


def test_several_labels_leave_the_figures_alone(table, tmp_path):
    found = evaluate_classifier(
        Colours(("red", "blue", "white"), several=True), read_classification_dataset(table)
    )
    assert save_evaluation(found, tmp_path / "out") == [tmp_path / "out" / "evaluation.json"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["evaluation.json"]


def test_labels_follow_the_models_order():
    data = LabelledPictures(("a", "b", "c"), (None,) * 4, np.array([0, 1, 2, 1]), ("",) * 4)
    assert labels_for(("c", "x", "b"), data).tolist() == [-1, 2, 0, 2]


def test_file_names_have_no_odd_letters():
    assert file_name("01-a/b taken:for-ü") == "01-a-b-taken-for-ü"
    assert len(file_name("x" * 500)) == 120
