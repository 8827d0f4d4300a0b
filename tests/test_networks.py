"""The Keras network of any model."""

import json

import numpy as np
import pytest
import skimage.data

from cvtool import load_network
from cvtool.engines import LiteRTEngine
from cvtool.errors import ModelError
from cvtool.models.presets import find_model, preset_file


def test_a_network_computes_what_the_exported_one_computes():
    name = "tiny200"
    network = load_network(name)
    preset = find_model(name)
    assert (network.name, network.size, network.classes) == (name, preset.size, preset.classes)
    pixels = skimage.data.astronaut()[None, : network.size, : network.size]
    exported = LiteRTEngine(preset_file(preset, "litert"), threads=1)(pixels)
    own = network.model(pixels.astype(np.float32), training=False).numpy()
    # The files hold float16 numbers; the sums differ in their order.
    assert np.allclose(own, exported, atol=0.02 * np.abs(exported).max())


def test_a_model_of_an_unknown_task(tmp_path):
    entry = {"name": "odd", "task": "smell", "description": "", "size": 8, "classes": []}
    (tmp_path / "model.json").write_text(json.dumps(entry | {"files": {}}))
    with pytest.raises(ModelError, match='"odd" is for smell'):
        load_network(tmp_path)
