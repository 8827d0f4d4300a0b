"""Measurements of a model in each engine."""

import json
import shutil
import statistics

import numpy as np
import pytest

from colour_unet import SIZE, colour_model
from cvtool.benchmarking import child, engines
from cvtool.benchmarking.benchmark import Measurement, benchmark, mark_fastest
from cvtool.benchmarking.child import WorkError, how_it_ended, run_child
from cvtool.errors import CvtoolError, ModelError, OptionError
from cvtool.pictures.writing import write_picture


def test_a_model_in_two_engines():
    said = []
    names = ["litert", "opencv"]
    pytest.importorskip("tf2onnx")
    found = benchmark(
        colour_model(), batches=(2, 1, 2), engines=names, seconds=0.02, threads=1, say=said.append
    )
    assert (found.model, found.task, found.size, found.threads) == ("colours", "segment", SIZE, 1)
    rows = [(m.engine, m.batch) for m in found.measurements]
    assert rows == [(name, batch) for name in names for batch in (1, 2)]
    assert len(said) == 1 + len(rows)
    for each in found.measurements:
        assert each.problem is None and each.runs >= 5
        assert 0 < each.median <= each.p95 < 1 and each.start < 60
        assert 10_000_000 < each.memory < 1_000_000_000
        assert each.agreement["pictures"] == each.batch
        assert each.agreement["largest_difference"] < 0.02 * each.agreement["largest_value"]
        assert each.throughput == pytest.approx(each.batch / each.median)
    for batch in (1, 2):
        (best,) = (m for m in found.measurements if m.fastest and m.batch == batch)
        assert best.median == min(m.median for m in found.measurements if m.batch == batch)
    said = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert set(said["versions"]) == set(names) and all(said["versions"].values())
    assert said["measurements"][0]["pictures_per_second"] > 0


@pytest.fixture(scope="module")
def litert(tmp_path_factory):
    """A folder with what a measurement needs, and its arguments."""
    import numpy as np

    from cvtool.benchmarking.measuring import EXPECTED_FILE, INPUTS_FILE
    from cvtool.exporting.running import run_litert

    folder = tmp_path_factory.mktemp("measured")
    path = colour_model() / "colours.tflite"
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
    answer = run_litert(path, ["pixels"], 1)(pixels)
    np.savez(folder / INPUTS_FILE, pixels)
    np.save(folder / EXPECTED_FILE, answer)
    arguments = {"engine": "litert", "path": str(path), "inputs": ["pixels"], "batch": 2}
    return folder, answer, arguments | {"threads": 1, "seconds": 0.01, "folder": str(folder)}


def test_an_engine_that_answers_otherwise_is_measured_and_not_used(litert):
    import numpy as np

    from cvtool.benchmarking.measuring import EXPECTED_FILE, measure

    folder, answer, arguments = litert
    found = measure(**arguments)
    assert found["problem"] is None and statistics.median(found["seconds"]) < 1
    np.save(folder / EXPECTED_FILE, answer + 1)
    assert "it differs by 1 where" in measure(**arguments)["problem"]
    np.save(folder / EXPECTED_FILE, answer[..., :2])
    found = measure(**arguments)
    assert "in place of (2, 32, 32, 2)" in found["problem"] and "seconds" not in found
    np.save(folder / EXPECTED_FILE, answer)


def test_what_an_engine_raises_is_one_line(litert, tmp_path):
    (tmp_path / "bad.tflite").write_bytes(b"no model")
    arguments = litert[2] | {"path": str(tmp_path / "bad.tflite")}
    with pytest.raises(WorkError, match="^ValueError: ") as error:
        run_child("measure", **arguments)
    assert "\n" not in str(error.value)


def test_a_model_that_is_not_there_is_refused_before_anything_is_loaded():
    with pytest.raises(ModelError, match='unknown model "everday"; did you mean everyday'):
        benchmark("everday", engines=["litert"])


def test_a_process_that_hangs_is_stopped(litert):
    with pytest.raises(WorkError, match="took more than 0 seconds and was stopped"):
        run_child("measure", patience=0.01, **litert[2])


def test_a_process_that_dies(monkeypatch):
    assert how_it_ended(-9, b"") == "its process was ended by SIGKILL, perhaps for want of memory"
    assert "SIGSEGV" in how_it_ended(-11, b"")
    assert how_it_ended(3, b"one\nlast words\n\n") == "its process ended with 3: last words"
    monkeypatch.setattr(child.sys, "executable", shutil.which("false"))
    with pytest.raises(WorkError, match="^its process ended with 1$"):
        run_child("measure")


def test_the_fastest_of_those_that_are_right_is_marked():
    rows = [
        Measurement("litert", 1, median=0.02),
        Measurement("opencv", 1, median=0.01, problem="answers otherwise"),
        Measurement("openvino", 1, problem="failed"),
        Measurement("onnxruntime", 1, median=0.015),
        Measurement("litert", 4, median=0.03),
        Measurement("onnxruntime", 4, median=0.05),
        Measurement("opencv", 8, problem="failed"),
    ]
    marked = mark_fastest(rows)
    assert [(m.engine, m.batch) for m in marked if m.fastest] == [
        ("onnxruntime", 1),
        ("litert", 4),
    ]


def test_engines_that_are_not_installed(monkeypatch):
    monkeypatch.setattr(
        "cvtool.exporting.formats.find_spec",
        lambda name: None if name in ("openvino", "onnxruntime") else name,
    )
    assert engines.choose_engines(None) == ["litert", "tensorflow", "opencv"]
    assert engines.left_out() == {"onnxruntime": ["onnxruntime"], "openvino": ["openvino"]}
    with pytest.raises(ModelError, match=r'OpenVINO need openvino.*pip install "cvtool\[export\]"'):
        engines.choose_engines(["openvino"])
    with pytest.raises(OptionError, match="did you mean opencv"):
        engines.choose_engines(["opencvv"])


def test_memory_is_that_of_this_process_alone():
    from cvtool.benchmarking.memory import peak_memory

    before = peak_memory()
    if before is None:
        pytest.skip("the system does not say")
    assert before > 5_000_000
    block = bytearray(200_000_000)
    block[::4096] = b"x" * len(block[::4096])
    assert peak_memory() >= before
    assert peak_memory() > 200_000_000 and len(block)


def test_pictures_that_cannot_be_read_are_named_and_the_rest_serve(tmp_path):
    from cvtool.benchmarking.preparing import prepare

    write_picture(tmp_path / "good.png", np.zeros((40, 50, 3), np.uint8))
    (tmp_path / "bad.png").write_bytes(b"no picture")
    bad, good = (str(tmp_path / f"{name}.png") for name in ("bad", "good"))
    arguments = dict(folder=str(tmp_path), model=str(colour_model()), size=32, batches=[1])
    found = prepare(**arguments, formats=[], pictures=[bad, good])
    assert len(found["problems"]) == 1 and "bad.png" in found["problems"][0]
    with pytest.raises(CvtoolError, match="bad.png: "):
        prepare(**arguments, formats=[], pictures=[bad])
