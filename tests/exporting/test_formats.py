"""What formats there are, and where an export goes."""

from pathlib import Path

import pytest

from cvtool.errors import ModelError, OptionError, OutputError
from cvtool.exporting import formats
from cvtool.exporting.formats import FORMATS, check_format, description_path, output_path


def test_a_precision_that_a_format_has_not():
    with pytest.raises(OptionError, match="float32 or float16, or --format litert"):
        check_format("onnx", "int8")
    with pytest.raises(OptionError, match="choose float32, or --format litert or onnx or openvino"):
        check_format("saved_model", "float16")


def test_an_unknown_format():
    with pytest.raises(OptionError, match="choose from litert, onnx, saved_model, openvino"):
        check_format("pickle", "float32")


def test_packages_that_are_missing_are_named_with_the_remedy(monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None if name == "tf2onnx" else name)
    with pytest.raises(ModelError) as error:
        check_format("onnx", "float32")
    assert str(error.value) == (
        'ONNX files need tf2onnx, which is not installed: pip install "cvtool[export]"'
    )
    assert check_format("litert", "int8") is FORMATS["litert"]


@pytest.mark.parametrize(
    ("out", "format", "expected"),
    [
        (None, "litert", "net.tflite"),
        (None, "saved_model", "net.saved_model"),
        ("folder", "onnx", "folder/net.onnx"),
        ("there.v2", "onnx", "there.v2/net.onnx"),
        ("other.onnx", "onnx", "other.onnx"),
        ("other.xml", "openvino", "other.xml"),
        ("deep/other.saved_model", "saved_model", "deep/other.saved_model"),
    ],
)
def test_where_an_export_goes(out, format, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("there.v2").mkdir()
    path = output_path(out and Path(out), "net", FORMATS[format])
    assert path == Path(expected)
    assert description_path(path) == Path(expected + ".json")


def test_a_name_from_elsewhere_leads_nowhere_else():
    assert output_path(None, "../../etc/net", FORMATS["onnx"]) == Path("net.onnx")


def test_another_ending_is_refused():
    with pytest.raises(OutputError, match="x.pb: ONNX files end in .onnx"):
        output_path(Path("x.pb"), "net", FORMATS["onnx"])
