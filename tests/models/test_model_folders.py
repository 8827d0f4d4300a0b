"""A folder with model.json as --model: used like a preset, and named when it is wrong."""

import hashlib
import json
import shutil

import numpy as np
import pytest

from cvtool.detection.detector import Detector
from cvtool.errors import ModelError
from cvtool.models.presets import find_model, pretrained_folder, verify


@pytest.fixture
def model(tmp_path):
    """Make a model folder of the shipped files; arguments change its description."""

    def make(litert=None, **changes):
        folder = tmp_path / "mine"
        ignored = shutil.ignore_patterns("recipes", "presets.json", "*.md")
        shutil.copytree(pretrained_folder(), folder, ignore=ignored)
        presets = json.loads((pretrained_folder() / "presets.json").read_text())
        entry = presets["everyday"] | {"name": "mine"} | changes
        if litert is not None:
            file = entry["files"]["litert"]
            (folder / file["file"]).write_bytes(litert)
            file |= {"sha256": hashlib.sha256(litert).hexdigest(), "bytes": len(litert)}
        (folder / "model.json").write_text(json.dumps(entry))
        return folder

    return make


def test_it_detects_as_the_preset_of_the_same_files(model):
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8)
    own = Detector.load(model(), device="cpu")
    shipped = Detector.load("everyday", device="cpu")
    assert own.model_name == "mine"
    found = own(pixels, min_score=0, max_boxes=5)
    assert len(found) == 5 and found == shipped(pixels, min_score=0, max_boxes=5)


def test_its_own_score_is_what_its_boxes_have_to_reach(model):
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8)
    best = Detector.load("everyday", device="cpu")(pixels, min_score=0, max_boxes=5)
    score = best[2].score
    own = Detector.load(model(score=score), device="cpu")
    assert own.score == score and best[3].score < score
    assert own(pixels) == own(pixels, min_score=score) == best[:3]


@pytest.mark.parametrize("score", [0, 1, None])
def test_any_score_from_0_to_1_or_none_is_fine(model, score):
    own = Detector.load(model(score=score), device="cpu")
    assert own.score == (0.25 if score is None else score)


def test_a_preset_comes_before_a_folder_of_its_name(model, tmp_path, monkeypatch):
    model().rename(tmp_path / "everyday")
    monkeypatch.chdir(tmp_path)
    assert find_model("everyday").name == "everyday"
    assert find_model("./everyday").name == "mine"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"anchors": []}, "anchors"),
        ({"strides": [8, 16]}, "anchors"),
        ({"anchors": [[[1, 2]], [[1, 2]], [[1, 2], [3, 4]]]}, "same number"),
        ({"size": 300}, "multiple of 32"),
        ({"size": None}, "int"),
        ({"classes": 20}, "not iterable"),
        ({"classes": []}, "needs classes"),
        ({"files": None}, "model.json"),
        ({"score": 1.5}, "score 1.5 is no number from 0 to 1"),
        ({"score": -0.1}, "score"),
        ({"score": "0.5"}, "score"),
        ({"score": True}, "score"),
        ({"score": float("nan")}, "score"),
    ],
)
def test_a_description_that_contradicts_itself_is_refused(model, changes, words):
    with pytest.raises(ModelError, match="model.json: not the description of a model") as error:
        find_model(model(**changes))
    assert words in str(error.value) and "give the folder" in str(error.value)


@pytest.mark.parametrize(
    "changes",
    [{"classes": ["cat", "dog"]}, {"anchors": [[[1, 2]]] * 3}],
)
def test_a_network_that_the_description_is_not_of_is_refused(model, changes):
    detector = Detector.load(model(**changes), device="cpu")
    with pytest.raises(ModelError, match='model "mine": its network gives .* another model'):
        detector(np.zeros((50, 50, 3), np.uint8))


def test_a_file_that_is_no_network_is_named(model):
    with pytest.raises(ModelError, match="everyday.tflite: not a LiteRT model"):
        Detector.load(model(b"no network" * 99), device="cpu")


def test_a_model_for_something_else_is_refused(model):
    with pytest.raises(ModelError, match='model "mine" is for segment, not for detect'):
        Detector.load(model(task="segment"))


def test_damage_names_model_json_and_a_remedy_that_helps(model):
    folder = model()
    path = folder / "everyday.tflite"
    data = bytearray(path.read_bytes())
    data[500] ^= 1
    path.write_bytes(data)
    (problem,) = verify(find_model(folder))
    assert "everyday.tflite: damaged" in problem and "model.json" in problem
    with pytest.raises(ModelError, match="copy the model's folder again"):
        Detector.load(folder, device="cpu")


@pytest.mark.parametrize("name", ["", "./gone", "gone/deeper"])
def test_what_is_neither_preset_nor_folder_lists_the_presets(name):
    with pytest.raises(ModelError, match=f'unknown model "{name}"; choose from everyday'):
        find_model(name)


@pytest.mark.parametrize("file", ["../elsewhere.tflite", "/etc/passwd", "a\\b.tflite"])
def test_files_elsewhere_are_not_its_own(model, file):
    folder = model()
    entry = json.loads((folder / "model.json").read_text())
    entry["files"]["litert"]["file"] = file
    (folder / "model.json").write_text(json.dumps(entry))
    with pytest.raises(ModelError, match="no plain name"):
        find_model(folder)


def test_a_hash_is_a_hash(model):
    source = {"format": "darknet", "files": {"weights": {"sha256": "../../x", "bytes": 1}}}
    with pytest.raises(ModelError, match="not 64 hexadecimal digits"):
        find_model(model(source=source))
