"""A network's files appear whole, or a line says why not."""

import os

import keras
import numpy as np
import pytest

from cvtool.errors import OutputError
from cvtool.training import exporting
from cvtool.training.exporting import KERAS_FILE, export_network


@pytest.fixture
def network():
    keras.utils.set_random_seed(0)
    pixels = keras.Input((None, None, 3))
    return keras.Model(pixels, keras.layers.Conv2D(2, 3)(pixels))


@pytest.fixture(autouse=True)
def described(monkeypatch):
    """LiteRT's part is the business of `models.saving` and its tests."""

    def save_model(network, folder, description, *, for_litert):
        (folder / "model.json").write_text(description["name"])

    monkeypatch.setattr(exporting, "save_model", save_model)


def test_model_keras_is_replaced_and_loads(network, tmp_path):
    (tmp_path / KERAS_FILE).write_text("old")
    export_network(network, tmp_path, {"name": "tiny"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", KERAS_FILE]
    again = keras.models.load_model(tmp_path / KERAS_FILE)
    pixels = np.ones((1, 8, 8, 3), np.float32)
    np.testing.assert_array_equal(again(pixels), network(pixels))


# HDF5 reports a full disk as RuntimeError on some ways to it.
@pytest.mark.parametrize("error", [OSError(28, os.strerror(28)), RuntimeError("No space left")])
def test_a_full_disk_leaves_the_old_file_and_no_half_one(network, tmp_path, monkeypatch, error):
    (tmp_path / KERAS_FILE).write_text("old")

    def full(self, path, *arguments, **more):
        path.write_bytes(b"half a file")
        raise error

    monkeypatch.setattr(keras.Model, "save", full)
    with pytest.raises(OutputError, match=r"No space left.*--resume") as caught:
        export_network(network, tmp_path, {"name": "tiny"})
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)
    assert (tmp_path / KERAS_FILE).read_text() == "old"
    assert not list(tmp_path.glob("part-*"))
