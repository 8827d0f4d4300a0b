"""The other commands."""

import json
import re
import shutil

import pytest
import skimage.data

from cvtool.models.presets import pretrained_folder
from cvtool.pictures.reading import read_picture
from cvtool.pictures.writing import write_picture


def test_doctor_finds_all_well(run, monkeypatch, tmp_path):
    monkeypatch.setenv("CVTOOL_CACHE", str(tmp_path / "cache"))
    result = run("doctor")
    assert result.exit_code == 0 and result.stderr == ""
    for word in ("tensorflow", "GPU", "everyday", "intact", str(tmp_path / "cache")):
        assert word in result.stdout
    findings = json.loads(run("doctor", "--json").stdout)
    assert findings["problems"] == []
    assert findings["models"][0]["engine"] in ("litert", "tensorflow")


def test_doctor_says_why_there_is_no_gpu(run, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    findings = json.loads(run("doctor", "--json").stdout)
    assert findings["gpus"] == [] and findings["no_gpu_because"]


def test_doctor_finds_a_damaged_model(run, monkeypatch, tmp_path):
    copy = tmp_path / "pretrained"
    shutil.copytree(pretrained_folder(), copy, ignore=shutil.ignore_patterns("recipes"))
    data = bytearray((copy / "everyday.tflite").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "everyday.tflite").write_bytes(data)
    monkeypatch.setattr("cvtool.models.presets.pretrained_folder", lambda: copy)
    result = run("doctor")
    assert result.exit_code == 1
    assert "everyday.tflite: damaged" in result.stderr and "install cvtool again" in result.stderr


def test_demo_writes_a_page_with_its_pictures(run, tmp_path):
    result = run("demo")
    assert result.exit_code == 0 and result.stdout == "demo/index.html\n"
    page = (tmp_path / "demo" / "index.html").read_text()
    sources = re.findall(r'src="([^"]+)"', page)
    folders = [source.split("/")[0] for source in sources]
    assert folders == ["originals", "detected", "segmented"] * 5
    assert "everyday (256 pixels, litert)" in page and "everyday-unet (256 pixels, " in page
    assert re.search(r"Pixels: .*cat \d+\.\d %", page)
    for source in sources:
        assert read_picture(tmp_path / "demo" / source).size
    assert run("demo").stdout == "demo-2/index.html\n"
    assert run("demo", "--out", "demo").exit_code == 1


def test_demo_without_scikit_image_says_how_to_get_it(run, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "skimage", None)
    result = run("demo")
    assert result.exit_code == 1 and 'pip install ".[demo]"' in result.stderr


@pytest.fixture
def dataset(tmp_path):
    """Two photographs with a person and a cat, one with a class the model does not know."""
    folder = tmp_path / "set"
    write_picture(folder / "images" / "a.png", skimage.data.astronaut())
    write_picture(folder / "images" / "b.png", skimage.data.chelsea())
    annotations = [(1, 2, [80, 0, 280, 500]), (2, 1, [60, 20, 330, 260]), (1, 3, [0, 0, 50, 50])]
    content = {
        "images": [
            {"id": 1, "file_name": "a.png", "width": 512, "height": 512},
            {"id": 2, "file_name": "b.png", "width": 451, "height": 300},
        ],
        # Another order than the model's: classes are matched by name.
        "categories": [
            {"id": i, "name": name} for i, name in enumerate(("cat", "person", "flag"), 1)
        ],
        "annotations": [
            {"id": i, "image_id": p, "category_id": c, "bbox": b, "area": 1, "iscrowd": 0}
            for i, (p, c, b) in enumerate(annotations, 1)
        ],
    }
    (folder / "instances_val.json").write_text(json.dumps(content))
    return folder


def test_evaluate_prints_the_documented_json_and_saves_what_explains_it(run, dataset, tmp_path):
    result = run("evaluate", "everyday", dataset, "--json")
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    keys = {"mAP50", "mAP50_95", "per_class", "precision", "recall", "pictures", "seconds"}
    assert keys <= set(summary)
    assert summary["pictures"] == 2 and summary["seconds"] > 0
    assert summary["per_class"]["flag"] == {"ap50": 0.0, "ap50_95": 0.0, "truths": 1}
    assert "does not know flag" in result.stderr
    assert json.loads((tmp_path / "evaluation" / "evaluation.json").read_text()) == summary
    assert read_picture(tmp_path / "evaluation" / "precision_recall.png").std() > 5
    worst = sorted((tmp_path / "evaluation" / "worst").iterdir())
    assert worst and read_picture(worst[0]).shape[1] > 2 * 451
    table = run("evaluate", "everyday", dataset / "instances_val.json", "--limit", 1)
    assert table.exit_code == 0 and "all classes" in table.stdout
    assert "evaluation-2" in table.stdout


def test_boxes_below_a_score_do_not_count(run, dataset):
    arguments = ["evaluate", "everyday", dataset, "--json", "--overwrite"]
    lowest = json.loads(run(*arguments).stdout)
    high = json.loads(run(*arguments, "--score", 0.95).stdout)
    assert lowest["mAP50"] > 0.3 and high["mAP50"] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["everyday", "gone.json"], "gone.json: no such file"),
        (["everyday", "."], "no .json file"),
        (["evryday", "set"], "did you mean everyday"),
        (["everyday", "set", "--pictures", "."], "a.png"),
    ],
)
def test_evaluate_refuses_in_one_line(run, dataset, arguments, words):
    result = run("evaluate", *arguments)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1 and words in result.stderr


def test_a_data_set_of_other_classes_is_refused(run, dataset):
    path = dataset / "instances_val.json"
    content = json.loads(path.read_text())
    for category in content["categories"]:
        category["name"] += "?"
    path.write_text(json.dumps(content))
    result = run("evaluate", "everyday", dataset)
    assert result.exit_code == 1 and "knows none of the data set's classes" in result.stderr
