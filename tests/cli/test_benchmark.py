"""`cvtool benchmark`; the measuring itself is in tests/benchmarking."""

import json

import pytest

from cvtool.benchmarking import benchmark as module
from cvtool.benchmarking.child import WorkError
from cvtool.errors import ModelError

ENGINES = ("litert", "onnxruntime", "openvino")
CALLS = [0.010, 0.011, 0.012, 0.013, 0.050]


@pytest.fixture
def asked(monkeypatch):
    """What processes were asked for; none is started."""
    calls = []

    def run_child(work, patience=0, **arguments):
        calls.append((work, arguments))
        if work == "prepare":
            if arguments["model"] == "missing":
                raise ModelError('unknown model "missing"')
            path = {str(batch): "file" for batch in arguments["batches"]}
            return {
                "model": arguments["model"],
                "task": "detect",
                "size": arguments["size"] or 256,
                "inputs": ["pixels"],
                "files": dict.fromkeys(arguments["formats"], path),
                "problems": [f"{name}: damaged" for name in arguments["pictures"] if name == "bad"],
            }
        if arguments["engine"] == "openvino":
            raise WorkError("its process was ended by SIGSEGV")
        wrong = arguments["engine"] == "onnxruntime"
        return {
            "seconds": [s / 2 if wrong else s for s in CALLS],
            "start": 0.5,
            "memory": 123_000_000,
            "agreement": {"largest_difference": 0.001},
            "problem": "it differs by 9" if wrong else None,
        }

    monkeypatch.setattr(module, "run_child", run_child)
    monkeypatch.setattr("cvtool.exporting.formats.find_spec", lambda name: name)
    return calls


def test_the_table(run, asked):
    result = run("benchmark", "everyday", "--engines", ",".join(ENGINES), "--batch", "4,1")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("everyday: detect, 256 pixels, ")
    (one,) = (line for line in lines if "LiteRT" in line and " 1 " in line)
    for text in ("12.0", "50.0", "83.3", "123", "0.001", "fastest"):
        assert text in one
    # The faster one is wrong, and says so below, as does the one that fails.
    assert "ONNX Runtime, batch 1: not usable: it differs by 9" in lines
    assert "OpenVINO, batch 4: not usable: its process was ended by SIGSEGV" in lines
    assert sum("fastest" in line for line in lines) == 2


def test_json_of_several_models_and_what_is_asked_for(run, asked):
    options = ["--engines", "litert", "--batch", "8", "--size", "320", "--threads", "3"]
    result = run("benchmark", "a", "missing", "b", *options, "--seconds", "0.5", "--json")
    assert result.exit_code == 1 and 'unknown model "missing"' in result.stderr.splitlines()[-1]
    found = json.loads(result.stdout)
    assert [each["model"] for each in found] == ["a", "b"]
    assert (found[0]["size"], found[0]["threads"]) == (320, 3)
    (measured,) = found[0]["measurements"]
    assert measured["median_ms"] == 12 and measured["p95_ms"] == 50 and measured["runs"] == 5
    assert measured["pictures_per_second"] == pytest.approx(8 / 0.012, rel=1e-3)
    assert measured["fastest"] is True and measured["peak_bytes"] == 123_000_000
    work = next(arguments for name, arguments in asked if name == "measure")
    assert (work["batch"], work["threads"], work["seconds"]) == (8, 3, 0.5)


def test_engines_that_are_not_installed_are_said_once(run, asked, monkeypatch):
    monkeypatch.setattr(
        "cvtool.exporting.formats.find_spec", lambda name: None if name == "openvino" else name
    )
    result = run("benchmark", "a", "b", "--batch", "1")
    assert result.exit_code == 0
    (line,) = (line for line in result.stderr.splitlines() if "left out" in line)
    assert "OpenVINO" in line and 'pip install "cvtool[export]"' in line
    result = run("benchmark", "a", "--engines", "openvino")
    assert result.exit_code == 1 and "openvino, which is not installed" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--batch", "1,x"], "--batch 1,x: give numbers from 1 to 1024, such as 1,4,8"),
        (["--batch", "0"], "--batch 0: give numbers"),
        (["--batch", ","], "--batch ,: give numbers"),
        (["--engines", "onnxrunner"], "did you mean onnxruntime"),
        (["--engines", ","], "--engines names no engine"),
    ],
)
def test_wrong_usage_is_one_line(run, asked, options, message):
    result = run("benchmark", "everyday", *options)
    assert result.exit_code == 2 and asked == []
    assert message in result.stderr and len(result.stderr.splitlines()) == 1


def test_pictures_that_cannot_be_read_are_named_once_and_the_rest_measured(run, asked):
    result = run("benchmark", "a", "b", "--pictures", "bad", "--pictures", "good", "--json")
    assert result.exit_code == 1
    assert [found["model"] for found in json.loads(result.stdout)] == ["a", "b"]
    assert result.stderr.count("bad: damaged") == 1
