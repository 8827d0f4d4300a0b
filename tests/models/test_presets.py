"""Presets: found, intact, and damaged ones named."""

import json
import re
import shutil

import pytest

from cvtool.errors import ModelError
from cvtool.models.cache import cache_folder
from cvtool.models.near_names import unknown_name
from cvtool.models.presets import (
    find_model,
    load_presets,
    preset_file,
    pretrained_folder,
    verify,
)


@pytest.fixture
def copy(tmp_path):
    """A copy of the shipped models that a test may damage."""
    folder = tmp_path / "pretrained"
    shutil.copytree(pretrained_folder(), folder, ignore=shutil.ignore_patterns("recipes"))
    return folder


SHIPPED = [name for name, preset in load_presets().items() if preset.files]
DOWNLOADED = [name for name in load_presets() if name not in SHIPPED]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_preset_is_whole_and_described(name):
    preset = load_presets()[name]
    assert verify(preset) == []
    for text in (preset.task, preset.description, preset.licence, preset.data, preset.recipe):
        assert text
    assert preset.scores and set(preset.files) == {"litert", "weights"}
    for recipe in preset.recipe.split(", "):
        assert (pretrained_folder() / recipe).is_file()
    assert f"## {name} " in (pretrained_folder() / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DOWNLOADED)
def test_every_preset_to_download_is_pinned_and_described(name):
    preset = load_presets()[name]
    for text in (preset.task, preset.description, preset.licence, preset.data):
        assert text
    assert preset.scores and preset.classes and preset.source["format"] == "darknet"
    assert set(preset.source["files"]) == {"configuration", "weights"}
    for file in preset.source["files"].values():
        # A commit, not a branch, whose files may change.
        assert re.match(r"https://\S+/[0-9a-f]{40}/\S+$", file["url"])
        assert re.fullmatch(r"[0-9a-f]{64}", file["sha256"]) and file["bytes"] > 0
    assert f"## {name} " in (pretrained_folder() / "README.md").read_text(encoding="utf-8")


def test_the_detector_states_its_anchors_and_classes():
    preset = find_model("everyday")
    assert preset.task == "detect" and preset.size % 32 == 0
    assert len(preset.classes) == len(set(preset.classes)) == 20
    assert preset.strides == (8, 16, 32)
    areas = [w * h for scale in preset.anchors for w, h in scale]
    assert len(areas) == 9 and areas == sorted(areas)


@pytest.mark.parametrize("damage", ["missing", "shorter", "changed"])
def test_a_damaged_file_is_refused_and_named(copy, damage):
    path = copy / "everyday.tflite"
    data = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "shorter":
        path.write_bytes(data[:-1])
    else:
        data[1000] ^= 255
        path.write_bytes(data)
    preset = find_model("everyday", copy)
    with pytest.raises(ModelError, match="everyday.tflite: (missing|damaged).*install"):
        preset_file(preset, "litert")
    assert len(verify(preset)) == 1
    assert preset_file(preset, "weights").name == "everyday.weights.h5"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": {}}', '{"a": 3}'])
def test_a_damaged_list_of_presets_is_named(tmp_path, content):
    (tmp_path / "presets.json").write_text(content)
    with pytest.raises(ModelError, match="presets.json"):
        load_presets(tmp_path)


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(ModelError, match='unknown model "Everyda"; did you mean everyday'):
        find_model("Everyda")
    assert "choose from a, b" in unknown_name("class", "zebra", ["a", "b"])


def test_a_folder_with_a_description_is_a_model(copy, tmp_path):
    entry = json.loads((copy / "presets.json").read_text())["everyday"]
    (copy / "model.json").write_text(json.dumps(entry | {"name": "mine"}))
    preset = find_model(copy)
    assert preset.name == "mine" and verify(preset) == []
    with pytest.raises(ModelError, match="no model.json"):
        find_model(tmp_path)
    (copy / "model.json").write_text('{"name": "mine"}')
    with pytest.raises(ModelError, match="model.json: not the description of a model"):
        find_model(copy)


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("CVTOOL_CACHE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"
    monkeypatch.delenv("CVTOOL_CACHE")
    assert "cvtool" in str(cache_folder())
