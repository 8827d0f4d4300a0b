"""A network of the user's own as `--model FILE`, and imported by a name."""

import json

import pytest

from tiny_classes import write_class_folders

CLASSES = ["red", "green", "blue"]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A classifier that says which colour a picture has most of, of pixels from 0 to 255."""
    import keras
    import numpy as np
    from keras import layers

    network = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, use_bias=False, activation="softmax"),
        ]
    )
    network.layers[-1].set_weights([np.eye(3, dtype=np.float32) / 10])
    path = tmp_path_factory.mktemp("own") / "colours.keras"
    network.save(path)
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """One for all, so that a network is converted once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def here(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("CVTOOL_CACHE", str(cache))
    (tmp_path / "names.txt").write_text("\n".join(CLASSES))


def the_error(result, code):
    assert result.exit_code == code, result.output
    (line,) = [line for line in result.stderr.splitlines() if "error: " in line]
    assert "Traceback" not in result.stderr
    return line


def red_picture(folder):
    import numpy as np

    from cvtool.pictures.writing import write_picture

    write_picture(folder / "red.png", np.full((20, 20, 3), (200, 10, 10), np.uint8))


def test_classify_takes_the_file_with_its_classes(run, tmp_path, file, cache):
    red_picture(tmp_path)
    arguments = ["classify", "red.png", "-m", file, "--classes", "names.txt", "--json"]
    first = run(*arguments)
    assert first.exit_code == 0, first.stderr
    (record,) = json.loads(first.stdout)
    assert record["classes"][0] == {"label": "red", "score": 1.0}
    assert "converting, once" in first.stderr
    # The second time, and with any other command, it is there.
    assert "converting" not in run(*arguments).stderr
    assert len(list((cache / "converted").glob("colours-*/model.json"))) == 1
    damaged = next((cache / "converted").glob("colours-*/*.tflite"))
    damaged.write_bytes(b"")
    assert run(*arguments).exit_code == 0


def test_evaluate_takes_it_too(run, tmp_path, file):
    write_class_folders(tmp_path / "data", 2, classes=CLASSES)
    result = run("evaluate", file, "data", "--classes", "names.txt", "--json", "--out", "scores")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["pictures"] == 6


def test_the_classes_must_be_named_and_fit(run, tmp_path, file):
    red_picture(tmp_path)
    assert "does not say its classes" in the_error(run("classify", "red.png", "-m", file), 2)
    superfluous = run("classify", "red.png", "--classes", "names.txt")
    assert 'the model "tiny200" knows its classes' in the_error(superfluous, 2)
    (tmp_path / "two.txt").write_text("red\ngreen")
    wrong = run("classify", "red.png", "-m", file, "--classes", "two.txt")
    assert "gives 3 numbers and 2 classes are named" in the_error(wrong, 1)
    nowhere = run("classify", "red.png", "-m", "none.keras", "--classes", "names.txt")
    assert "none.keras: no such file" in the_error(nowhere, 1)
    missing = run("classify", "red.png", "-m", file, "--classes", "none.txt")
    assert "none.txt: cannot be read" in the_error(missing, 1)


def test_segment_refuses_a_classifier(run, tmp_path, file):
    red_picture(tmp_path)
    result = run("segment", "red.png", "-m", file, "--classes", "names.txt")
    assert "is for classify, not for segment" in the_error(result, 1)


def test_it_is_imported_by_a_name(run, tmp_path, file):
    red_picture(tmp_path)
    result = run("models", "import", file, "--classes", "names.txt", "--licence", "my own")
    assert result.exit_code == 0, result.stderr
    (record,) = json.loads(run("classify", "red.png", "-m", "colours", "--json").stdout)
    assert (record["model"], record["classes"][0]["label"]) == ("colours", "red")
    again = run("models", "import", file, "--classes", "names.txt")
    assert 'there is a model "colours" already' in the_error(again, 1)
    info = json.loads(run("models", "info", "colours", "--json").stdout)
    assert (info["licence"], info["made_from"]["format"]) == ("my own", "keras")


@pytest.mark.parametrize("value", ["1", "0,0", "a,b", "0,nan"])
def test_a_pixel_range_is_two_numbers(run, file, value):
    arguments = ["models", "import", file, "--classes", "names.txt", "--as", "x"]
    result = run(*arguments, "--pixel-range", value)
    assert "not two different numbers" in the_error(result, 2)


def test_options_of_own_networks_are_refused_for_darknet(run):
    result = run(
        *["models", "import", "a.cfg", "a.weights", "--classes", "names.txt", "--size", "64"]
    )
    assert "is for a .keras file or a SavedModel" in the_error(result, 2)
