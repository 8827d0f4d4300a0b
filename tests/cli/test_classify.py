"""`cvtool classify` as a user meets it."""

import json

import numpy as np
import pytest
import skimage.data

from cvtool.pictures.writing import write_picture


def test_one_picture_gives_a_table_of_five_classes(run, photo):
    result = run("classify", photo)
    assert result.exit_code == 0 and result.stderr == ""
    lines = [line for line in result.stdout.splitlines() if line.strip()]
    assert lines[0].startswith(f"{photo}: 512 x 256 pixels")
    assert len(lines) == 3 + 5


def test_json_of_a_folder_has_a_record_for_each_picture(run, photo, tmp_path):
    write_picture(tmp_path / "more" / "cat.png", skimage.data.chelsea())
    result = run("classify", tmp_path, "--json", "--top", 3)
    records = json.loads(result.stdout)
    assert [r["picture"] for r in records] == [str(photo), str(tmp_path / "more" / "cat.png")]
    for record in records:
        assert set(record) == {
            *("picture", "width", "height", "model", "engine", "seconds", "classes"),
        }
        scores = [c["score"] for c in record["classes"]]
        assert len(scores) == 3 and scores == sorted(scores, reverse=True)
        assert record["model"] == "tiny200" and record["engine"] == "litert"


def test_the_probabilities_of_all_classes_sum_to_one(run, photo):
    record = json.loads(run("classify", photo, "--jsonl", "--top", 1000).stdout)
    assert len(record["classes"]) == 200
    assert sum(c["score"] for c in record["classes"]) == pytest.approx(1, abs=0.02)


def test_stdin_and_score(run, photo):
    result = run("classify", "-", "--json", "--score", "0.999", stdin=photo.read_bytes())
    assert json.loads(result.stdout)[0] == json.loads(result.stdout)[0] | {
        "picture": "stdin",
        "classes": [],
    }


def test_tta_is_the_mean_over_ten_crops(run, photo):
    from cvtool.classification.classifier import Classifier
    from cvtool.classification.views import ten_crops
    from cvtool.pictures.reading import read_picture

    plain = json.loads(run("classify", photo, "--jsonl", "--top", 200).stdout)
    averaged = json.loads(run("classify", photo, "--jsonl", "--top", 200, "--tta").stdout)
    assert averaged["classes"] != plain["classes"]
    classifier = Classifier.load(device="cpu")
    crops = ten_crops(read_picture(photo), classifier.size)
    _, engine, _ = classifier.members[0]
    expected = np.mean([engine(crop[None])[0] for crop in crops], axis=0)
    found = {c["label"]: c["score"] for c in averaged["classes"]}
    assert [found[label] for label in classifier.classes] == pytest.approx(expected, abs=2e-3)


def test_several_models_are_averaged(run, photo):
    once = json.loads(run("classify", photo, "--jsonl").stdout)
    twice = json.loads(run("classify", photo, "--jsonl", "-m", "tiny200", "-m", "tiny200").stdout)
    assert twice["model"] == "tiny200+tiny200" and twice["classes"] == once["classes"]


def test_a_bad_picture_does_not_stop_the_others(run, photo, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(photo.read_bytes()[:2000])
    result = run("classify", tmp_path / "broken.jpg", photo, "--jsonl")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["picture"] == str(photo)
    assert len([x for x in result.stderr.splitlines() if "error" in x]) == 1
    assert "broken.jpg" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--model", "tiny20"], 1, "did you mean tiny200"),
        (["--model", "everyday"], 1, "is for detect, not for classify"),
        (["--json", "--jsonl"], 2, "choose one"),
        (["--size", "8"], 2, "--size"),
        (["--top", "0"], 2, "--top"),
    ],
)
def test_wrong_options_get_one_line(run, photo, arguments, code, words):
    result = run("classify", photo, *arguments)
    assert result.exit_code == code and result.stdout == ""
    assert words in result.stderr and len(result.stderr.splitlines()) == 1


def test_without_a_network_a_public_model_says_what_to_fetch(run, photo, monkeypatch):
    """As where no name can be looked up."""
    import socket

    def no_network(*_, **__):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setenv("CVTOOL_CACHE", str(photo.parent / "cache"))
    (photo.parent / "keras").mkdir()
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(photo.parent / "keras"))
    result = run("classify", photo, "--model", "mobilenetv3small")
    assert result.exit_code == 1
    (line,) = [x for x in result.stderr.splitlines() if "error" in x]
    assert "fetch https://" in line and str(photo.parent / "keras" / "models") in line
