"""LiteRT and TensorFlow give the same answers; what cannot be run says so."""

import numpy as np
import pytest
import skimage.data

from cvtool.detection.boxes import iou
from cvtool.detection.detector import Detector, build
from cvtool.engines import LiteRTEngine, TensorFlowEngine, choose_engine
from cvtool.errors import DeviceError, ModelError
from cvtool.models.presets import find_model, preset_file


@pytest.fixture(scope="module")
def detectors():
    preset = find_model("everyday")
    litert = LiteRTEngine(preset_file(preset, "litert"))
    tensorflow = TensorFlowEngine(lambda: build(preset), preset_file(preset, "weights"))
    return Detector(preset, litert), Detector(preset, tensorflow)


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_both_engines_find_the_same_boxes(detectors, name):
    pixels = getattr(skimage.data, name)()
    a, b = (d.detect_arrays(pixels, min_score=0.05) for d in detectors)
    assert len(a[0]) == len(b[0]) > 0
    assert (iou(a[0], b[0]).diagonal() > 0.99).all()
    np.testing.assert_allclose(a[1], b[1], atol=0.01)
    np.testing.assert_array_equal(a[2], b[2])


def test_both_engines_take_batches_and_other_sizes(detectors):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3)).astype(np.uint8)
    outputs = [d.engine(pixels) for d in detectors]
    assert outputs[0].shape == outputs[1].shape == (3, 3 * (28**2 + 14**2 + 7**2), 25)
    # Logits; 0.03 of one changes a score by 0.0075 at most.
    np.testing.assert_allclose(outputs[0], outputs[1], atol=0.03)


def test_without_a_gpu_auto_is_litert_and_gpu_is_an_error(monkeypatch):
    monkeypatch.setattr("cvtool.engines.visible_gpus", lambda: ([], "no driver is loaded"))
    assert choose_engine("auto") == choose_engine("cpu") == "litert"
    with pytest.raises(DeviceError, match="no driver is loaded.*--device cpu"):
        choose_engine("gpu")
    with pytest.raises(DeviceError, match="unknown device"):
        choose_engine("tpu")


def test_with_a_gpu_auto_is_tensorflow(monkeypatch):
    monkeypatch.setattr("cvtool.engines.visible_gpus", lambda: (["a GPU"], None))
    assert choose_engine("auto") == choose_engine("gpu") == "tensorflow"
    assert choose_engine("cpu") == "litert"


@pytest.mark.parametrize("content", [b"", b"not a model", b"TFL3" * 500])
def test_a_file_that_is_no_litert_model_is_named(tmp_path, content):
    path = tmp_path / "broken.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="broken.tflite: not a LiteRT model"):
        LiteRTEngine(path)


def test_a_missing_litert_file_is_named(tmp_path):
    with pytest.raises(ModelError, match="gone.tflite: cannot be read"):
        LiteRTEngine(tmp_path / "gone.tflite")


@pytest.mark.parametrize("kind", ["text", "foreign"])
def test_weights_of_another_network_are_named(tmp_path, kind):
    import keras

    path = tmp_path / "other.weights.h5"
    if kind == "text":
        path.write_text("these are no weights")
    else:
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save_weights(path)
    preset = find_model("everyday")
    with pytest.raises(ModelError, match="other.weights.h5: not the weights"):
        TensorFlowEngine(lambda: build(preset), path)
