"""The face network: its size, its output, and that it learns to tell drawn people apart."""

import keras
import numpy as np
import pytest

from cvtool.engines import LiteRTEngine
from cvtool.faces.facenet import build, facenet
from cvtool.models.saving import export_litert

SMALL = {"widths": (8, 8, 16, 16, 24), "depths": (1, 1, 1, 1), "dimensions": 16}


def test_the_default_network_is_within_its_parameter_budget():
    network = facenet()
    assert 2_000_000 < network.count_params() <= 6_000_000
    assert network.output_shape == (None, 128)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return build(SMALL, 64)


def test_embeddings_have_length_1(network):
    faces = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)
    found = network.predict(faces, verbose=0)
    assert found.shape == (5, 16) and found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert np.ptp(found, axis=0).max() > 0.01


def test_the_exported_file_agrees(network, tmp_path):
    export_litert(network, tmp_path / "face.tflite")
    engine = LiteRTEngine(tmp_path / "face.tflite", threads=1)
    for count in (1, 3):
        faces = np.random.default_rng(count).integers(0, 256, (count, 64, 64, 3), np.uint8)
        np.testing.assert_allclose(engine(faces), network(faces), atol=5e-3)
