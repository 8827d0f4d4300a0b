"""`cvtool export`."""

import json

import pytest

from colour_unet import colour_model, scene
from cvtool.exporting import formats
from cvtool.pictures.writing import write_picture


def test_a_file_its_description_and_the_difference(run, tmp_path):
    result = run("export", colour_model(), "--format", "litert")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "colours.tflite").stat().st_size > 1000
    said = json.loads((tmp_path / "colours.tflite.json").read_text())
    assert said["check"]["largest_difference"] < 1e-3
    for word in ("colours.tflite", "1 x 64 x 64 x 3", "float32", "compared on 8 pictures"):
        assert word in result.stdout
    # Neither TensorFlow nor the converters say anything.
    assert all(line.startswith("cvtool: ") for line in result.stderr.splitlines())
    again = run("export", colour_model(), "--format", "litert")
    assert again.exit_code == 1 and "already exists; use --overwrite" in again.stderr


def test_json_pictures_and_a_broken_one(run, tmp_path):
    write_picture(tmp_path / "album" / "scene.png", scene()[0])
    (tmp_path / "album" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n, and no more")
    command = ["export", colour_model(), "-f", "litert", "--precision", "int8", "-o", "out"]
    result = run(*command, "--size", "48", "--batch", "free", "--pictures", "album", "--json")
    assert result.exit_code == 1 and "broken.png" in result.stderr.splitlines()[-1]
    said = json.loads(result.stdout)
    assert said["file"] == "out/colours.tflite" and said["precision"] == "int8"
    assert said["inputs"][0]["shape"] == [None, 48, 48, 3] and said["check"]["pictures"] == 1
    assert said["bytes"] == (tmp_path / "out" / "colours.tflite").stat().st_size


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--precision", "int8", "-f", "litert"], 2, "--pictures DIR"),
        (["--precision", "int8"], 2, "not written in int8; choose float32 or float16, or --format"),
        (["--size", "0"], 2, "--size 0: give a number from 1 to 4096, or free"),
        (["--batch", "many"], 2, "--batch many: give a number"),
        (["-f", "litert", "--size", "9"], 2, "size 9 is under 16"),
        (["-f", "coreml"], 2, "coreml"),
        (["-o", "x.pt"], 1, "x.pt: ONNX files end in .onnx"),
    ],
)
def test_what_cannot_be_done_is_one_line(run, tmp_path, options, code, message):
    result = run("export", colour_model(), *options)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_missing_packages(run, monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    result = run("export", "everyday", "-f", "openvino")
    assert result.exit_code == 1
    assert result.stderr == (
        "cvtool: error: OpenVINO files need openvino, which is not installed: "
        'pip install "cvtool[export]"\n'
    )


def test_an_unknown_model(run):
    result = run("export", "everday", "-f", "litert")
    assert result.exit_code == 1 and "did you mean everyday" in result.stderr
