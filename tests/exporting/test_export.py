"""Models in files, run by the programs that they are for, without cvtool."""

import json
import os

import numpy as np
import pytest

from colour_unet import SIZE, colour_model, scene
from cvtool.errors import ModelError, OptionError, OutputError, SourceError
from cvtool.exporting import checking
from cvtool.exporting.export import export_model

PIXELS, MASK = scene(SIZE, SIZE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("exports")


def beside(exported):
    """The JSON beside a file, seen to be of that file."""
    said = json.loads(exported.described.read_text())
    assert said == json.loads(json.dumps(exported.description))
    assert said["model"] == "colours" and said["classes"] == ["background", "red", "blue"]
    assert said["check"]["pictures"] == 8
    sizes = {file["file"]: file["bytes"] for file in said["files"]}
    home = exported.path if exported.path.is_dir() else exported.path.parent
    assert sizes == {name: (home / name).stat().st_size for name in sizes}
    assert sum(sizes.values()) == exported.bytes
    return said


def check_mask(logits):
    np.testing.assert_array_equal(np.asarray(logits).argmax(axis=-1), MASK)


def onnx_session(path):
    onnxruntime = pytest.importorskip("onnxruntime")
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def litert_answer(path, pixels):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(str(path))
    runner = interpreter.get_signature_runner()
    return runner(pixels=pixels)["logits"]


def test_onnx_of_a_free_size(folder):
    exported = export_model(colour_model(), "onnx", free=True, batch=None, out=folder)
    said = beside(exported)
    assert exported.path == folder / "colours.onnx"
    assert said["inputs"][0]["shape"] == [None, None, None, 3]
    session = onnx_session(exported.path)
    (put,), (got,) = session.get_inputs(), session.get_outputs()
    assert put.shape == ["batch", "height", "width", 3]
    assert (put.name, got.name) == (said["inputs"][0]["name"], said["output"]["name"])
    for pixels, mask in ((PIXELS, MASK), scene(96, 128)):
        batch = np.stack([pixels, pixels[:, ::-1]]).astype(np.float32)
        (logits,) = session.run(None, {"pixels": batch})
        np.testing.assert_array_equal(logits.argmax(-1), [mask, mask[:, ::-1]])


def test_onnx_in_float16(folder):
    onnx = pytest.importorskip("onnx")
    exported = export_model(colour_model(), "onnx", precision="float16", out=folder / "half.onnx")
    stored = onnx.load(str(exported.path)).graph.initializer
    assert onnx.TensorProto.FLOAT16 in {tensor.data_type for tensor in stored}
    session = onnx_session(exported.path)
    assert session.get_inputs()[0].shape == [1, SIZE, SIZE, 3]
    check_mask(session.run(["logits"], {"pixels": PIXELS[None].astype(np.float32)})[0][0])


def test_opencv_reads_an_onnx_file_of_a_fixed_size(folder):
    cv2 = pytest.importorskip("cv2")
    exported = export_model(colour_model(), "onnx", batch=2, out=folder / "two.onnx")
    network = cv2.dnn.readNetFromONNX(str(exported.path))
    network.setInput(np.stack([PIXELS, PIXELS]).astype(np.float32))
    for logits in network.forward():
        check_mask(logits)


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_litert(folder, precision):
    out = folder / f"{precision}.tflite"
    exported = export_model(colour_model(), "litert", precision=precision, out=out)
    assert beside(exported)["precision"] == precision
    check_mask(litert_answer(out, PIXELS[None].astype(np.float32))[0])


def test_litert_in_int8_computes_in_int8(folder):
    out = folder / "int8.tflite"
    with pytest.raises(OptionError, match="--pictures DIR"):
        export_model(colour_model(), "litert", precision="int8", out=out)
    pictures = [PIXELS, PIXELS[:, ::-1], PIXELS[::-1]]
    exported = export_model(colour_model(), "litert", precision="int8", pictures=pictures, out=out)
    assert exported.agreement.pictures == 3 and 0 < exported.agreement.noise < 0.1
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(str(out))
    kinds = {np.dtype(detail["dtype"]) for detail in interpreter.get_tensor_details()}
    assert np.dtype(np.int8) in kinds
    logits = litert_answer(out, PIXELS[None].astype(np.float32))[0]
    assert (logits.argmax(-1) == MASK).mean() > 0.95


def test_int8_of_a_fixed_batch_and_a_number_of_pictures_that_it_does_not_divide(folder):
    pictures = [PIXELS, PIXELS[:, ::-1], PIXELS[::-1]]
    more = {"precision": "int8", "batch": 2, "pictures": pictures}
    exported = export_model(colour_model(), "litert", **more, out=folder / "two.tflite")
    batch = np.stack([PIXELS, PIXELS[:, ::-1]]).astype(np.float32)
    logits = litert_answer(exported.path, batch)
    assert (logits.argmax(-1) == [MASK, MASK[:, ::-1]]).mean() > 0.95


def test_saved_model(folder):
    import tensorflow

    out = folder / "saved"
    exported = export_model(colour_model(), "saved_model", batch=None, out=out)
    assert exported.path == out / "colours.saved_model"
    assert exported.described == out / "colours.saved_model.json"
    beside(exported)
    loaded = tensorflow.saved_model.load(str(exported.path))
    batch = tensorflow.constant(np.stack([PIXELS] * 3).astype(np.float32))
    for logits in loaded.signatures["serving_default"](pixels=batch)["logits"]:
        check_mask(logits)
    # Again: refused, then replaced; a folder of another kind is never touched.
    with pytest.raises(OutputError, match="already exists; use --overwrite"):
        export_model(colour_model(), "saved_model", out=out)
    (exported.path / "stale").touch()
    export_model(colour_model(), "saved_model", out=out, overwrite=True)
    assert not (exported.path / "stale").exists()
    assert sorted(os.listdir(out)) == ["colours.saved_model", "colours.saved_model.json"]
    diary = folder / "diary.saved_model"
    diary.mkdir()
    (diary / "monday.txt").touch()
    with pytest.raises(OutputError, match="is no SavedModel"):
        export_model(colour_model(), "saved_model", out=diary, overwrite=True)
    assert os.listdir(diary) == ["monday.txt"]


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_openvino(folder, precision):
    openvino = pytest.importorskip("openvino")
    out = folder / f"{precision}.xml"
    exported = export_model(colour_model(), "openvino", precision=precision, out=out)
    beside(exported)
    compiled = openvino.Core().compile_model(str(out), "CPU")
    check_mask(compiled({"pixels": PIXELS[None].astype(np.float32)})["logits"][0])


def wrong_runner(answer):
    """A runtime that makes something else of what a file says."""
    real = checking.RUNNERS["saved_model"]

    def open_file(*arguments):
        run = real(*arguments)
        return lambda *arrays: answer(run(*arrays))

    return {"saved_model": open_file}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda y: y + 0.1, "does not answer as the model does: it differs by 0.1"),
        (lambda y: y[..., :2], r"does not run \(gives \(1, 64, 64, 2\) in place of"),
        (lambda y: y * np.nan, "not finite"),
    ],
)
def test_a_wrong_file_is_an_error_and_not_kept(tmp_path, monkeypatch, answer, message):
    monkeypatch.setattr(checking, "RUNNERS", wrong_runner(answer))
    with pytest.raises(ModelError, match=message) as error:
        export_model(colour_model(), "saved_model", out=tmp_path)
    assert "nothing is written" in str(error.value) and "\n" not in str(error.value)
    assert os.listdir(tmp_path) == []


def test_a_converter_that_fails(tmp_path, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("op WHAT is not known\nand a page more")

    monkeypatch.setitem(
        __import__("cvtool.exporting.converting", fromlist=["_WRITERS"])._WRITERS,
        "saved_model",
        fail,
    )
    with pytest.raises(ModelError, match=r"to SavedModel \(op WHAT is not known\); try another"):
        export_model(colour_model(), "saved_model", out=tmp_path)
    assert os.listdir(tmp_path) == []


def test_nothing_is_overwritten_and_that_is_said_first(tmp_path, monkeypatch):
    # Before OpenVINO, which may not be installed, has anything to do.
    monkeypatch.setattr("cvtool.exporting.formats.missing_packages", lambda packages: [])
    (tmp_path / "colours.onnx.json").write_text("mine")
    with pytest.raises(OutputError, match="colours.onnx.json: already exists"):
        export_model(colour_model(), "onnx", out=tmp_path)
    (tmp_path / "x.bin").write_text("mine")
    with pytest.raises(OutputError, match="x.bin: already exists"):
        export_model(colour_model(), "openvino", out=tmp_path / "x.xml")
    assert (tmp_path / "x.bin").read_text() == "mine"


def test_no_picture(tmp_path):
    with pytest.raises(SourceError, match="no picture can be read"):
        export_model(colour_model(), "saved_model", pictures=[], out=tmp_path)
