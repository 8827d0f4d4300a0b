"""`cvtool evaluate` matches classes by name, and says what the score leaves out."""

import json

import pytest
import skimage.data

from cvtool.detection.detector import Detection, Detector
from cvtool.errors import OutputError
from cvtool.pictures.writing import write_picture

CAT = [40, 20, 300, 260]


@pytest.fixture
def dataset(tmp_path):
    def make(*names, box_of=0):
        write_picture(tmp_path / "set" / "a.png", skimage.data.chelsea())
        content = {
            "images": [{"id": 7, "file_name": "a.png", "width": 451, "height": 300}],
            "categories": [{"id": 5 + i, "name": name} for i, name in enumerate(names)],
            "annotations": [
                {"id": 1, "image_id": 7, "category_id": 5 + box_of, "bbox": CAT, "area": 1}
            ],
        }
        (tmp_path / "set" / "boxes.json").write_text(json.dumps(content))
        return tmp_path / "set"

    return make


@pytest.fixture
def sees_a_cat(monkeypatch):
    """The model's own classes and files, with an answer that does not hang on its training."""
    x, y, width, height = CAT
    found = [
        Detection("cat", 0.9, (x, y, x + width, y + height)),
        Detection("sofa", 0.8, (0.0, 0.0, 50.0, 50.0)),
    ]
    monkeypatch.setattr(Detector, "__call__", lambda *_, **__: found)


def test_the_number_of_a_class_does_not_matter_its_name_does(run, dataset, sees_a_cat):
    result = run("evaluate", "everyday", dataset("zebra", "dog", "cat", box_of=2), "--json")
    summary = json.loads(result.stdout)
    assert summary["per_class"]["cat"] == pytest.approx({"ap50": 1, "ap50_95": 1, "truths": 1})
    assert [summary[k] for k in ("mAP50", "precision", "recall")] == pytest.approx([1, 1, 1])
    assert set(summary["per_class"]) == {"zebra", "dog", "cat"}


def test_what_does_not_match_is_said_with_the_near_name(run, dataset, sees_a_cat):
    result = run("evaluate", "everyday", dataset("airplane", "cat", "zebra", box_of=1))
    unknown, unlabelled = result.stderr.splitlines()
    assert "the model does not know airplane (but aeroplane), zebra;" in unknown
    assert "does not label aeroplane, bicycle," in unlabelled and " cat" not in unlabelled


def test_a_data_set_of_the_models_own_classes_needs_no_remark(run, dataset, sees_a_cat):
    names = Detector.load("everyday", device="cpu").classes
    result = run("evaluate", "everyday", dataset(*names, box_of=7))
    assert result.exit_code == 0 and result.stderr == ""
    assert "precision 1.000, recall 1.000" in result.stdout


def test_no_class_in_common_is_an_error(run, dataset):
    result = run("evaluate", "everyday", dataset("zebra"))
    assert result.exit_code == 1 and len(result.stderr.splitlines()) == 1
    assert "knows none of the data set's classes (zebra" in result.stderr


def test_an_evaluation_is_replaced_with_overwrite_only(run, dataset, sees_a_cat, tmp_path):
    arguments = ("evaluate", "everyday", dataset("cat"), "--out", "scores")
    assert run(*arguments).exit_code == 0
    old = (tmp_path / "scores" / "evaluation.json").read_bytes()
    refused = run(*arguments)
    assert refused.exit_code == 1 and "scores: holds an evaluation" in refused.stderr
    assert (tmp_path / "scores" / "evaluation.json").read_bytes() == old
    assert run(*arguments, "--overwrite").exit_code == 0


def test_an_output_that_cannot_be_is_refused_before_the_work(run, dataset, monkeypatch):
    monkeypatch.setattr(Detector, "load", lambda *_, **__: pytest.fail("it began"))
    result = run("evaluate", "everyday", dataset("cat"), "--out", "set/a.png")
    assert result.exit_code == 1 and "set/a.png: cannot be written" in result.stderr


def test_a_picture_of_another_size_than_stated_is_refused(run, dataset):
    folder = dataset("cat")
    write_picture(folder / "a.png", skimage.data.chelsea()[:100], overwrite=True)
    result = run("evaluate", "everyday", folder)
    assert result.exit_code == 1 and "a.png has 451 x 100" in result.stderr


def test_why_not_one_picture_can_be_used_is_said(run, dataset):
    folder = dataset("cat")
    for path in folder.glob("*.png"):
        path.write_bytes(path.read_bytes()[:-60])
    result = run("evaluate", "everyday", folder)
    assert result.exit_code == 1 and "not one of" in result.stderr
    assert "a.png: the file is cut off" in result.stderr.splitlines()[-2]


def test_scores_are_printed_even_where_their_files_cannot_be_written(
    run, dataset, sees_a_cat, monkeypatch
):
    def full(*_, **__):
        raise OutputError("evaluation/evaluation.json: no space left")

    monkeypatch.setattr("cvtool.detection.evaluation.save_evaluation", full)
    result = run("evaluate", "everyday", dataset("cat"), "--json")
    assert result.exit_code == 1 and json.loads(result.stdout)["mAP50"] is not None
    assert "no space left" in result.stderr


def test_the_longest_names_have_room_among_the_worst(run, dataset, sees_a_cat, tmp_path):
    folder, name = dataset("sofa"), "\u00e9" * 120
    (folder / "a.png").rename(folder / f"{name}.png")
    boxes = folder / "boxes.json"
    boxes.write_text(boxes.read_text().replace("a.png", f"{name}.png"))
    result = run("evaluate", "everyday", folder)
    assert result.exit_code == 0, result.stderr
    assert any((tmp_path / "evaluation" / "worst").iterdir())
