"""A verifier from pixels to an answer: faces, embeddings, thresholds, words."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cvtool.errors import ModelError, OptionError, PictureError
from cvtool.faces.mtcnn import Face
from cvtool.faces.verifier import Threshold, Verifier, turned_back
from cvtool.models.presets import find_model
from tiny_facenet import CALIBRATION, SIZE, portrait, save_tiny, tiny_model

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def verifier():
    return Verifier.load(tiny_model(), device="cpu")


def test_the_same_picture_has_distance_0_and_another_face_more(verifier):
    pictures = [portrait(), portrait(), portrait(hue=90)]
    faces = [verifier.find(pixels)[0] for pixels in pictures]
    rows = [verifier.embed_face(p, f) for p, f in zip(pictures, faces, strict=True)]
    same = verifier.compare(rows[0], rows[1], faces[:2])
    other = verifier.compare(rows[0], rows[2], (faces[0], faces[2]))
    assert same.distance == 0 and same.same and same.band == "very likely the same person"
    assert other.distance > 0.001


def test_two_pictures_are_compared_by_their_largest_faces(verifier):
    canvas = np.zeros((300, 520, 3), np.uint8)
    canvas[50:250, :200] = portrait(hue=90, side=200)
    canvas[:, 220:] = portrait()
    found = verifier(canvas, portrait())
    assert found.same and found.distance < 0.01 and found.faces[0].box[0] > 220
    assert not verifier(canvas, portrait(), Threshold(-1.0)).same
    with pytest.raises(PictureError, match="no face found in the second picture"):
        verifier(portrait(), np.zeros((99, 99, 3), np.uint8))


def test_embeddings_have_length_1_and_a_mirror_image_the_same(verifier):
    face = verifier.align(portrait(), verifier.find(portrait())[0])
    assert face.shape == (SIZE, SIZE, 3)
    rows = verifier.embed([face, face[:, ::-1]] * 20)
    assert rows.shape == (40, 16) and rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-5)
    assert verifier.embed([]).shape == (0, 16)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_picture_on_its_side_gives_the_same_face(verifier, quarters):
    pixels = portrait()[:280]
    upright = verifier.find(pixels)[0]
    turned = np.ascontiguousarray(np.rot90(pixels, quarters))
    found = verifier.find(turned)[0]
    aligned = [verifier.align(p, f).astype(int) for p, f in ((pixels, upright), (turned, found))]
    assert np.abs(aligned[0] - aligned[1]).mean() < 8
    # The left eye of the picture as it was, at its new place.
    x, y = upright.landmarks[0]
    height, width = pixels.shape[:2]
    expected = {1: (y, width - x), 2: (width - x, height - y), 3: (height - y, x)}[quarters]
    np.testing.assert_allclose(found.landmarks[0], expected, atol=3)


def test_a_box_is_turned_back_with_its_corners_in_order():
    face = Face((10, 20, 40, 70), 0.9, np.zeros((5, 2), np.float32))
    assert turned_back(face, 0, 100, 200).box == (10, 20, 40, 70)
    assert turned_back(face, 1, 100, 200).box == (130, 10, 180, 40)
    assert turned_back(face, 2, 100, 200).box == (160, 30, 190, 80)
    assert turned_back(face, 3, 100, 200).box == (20, 60, 70, 90)


def test_no_face_is_no_face(verifier):
    assert verifier.find(np.full((200, 150, 3), 90, np.uint8)) == []


def test_thresholds_come_from_the_calibration(verifier):
    assert verifier.threshold() == Threshold(0.2, 0.01, 0.7, "10 drawn pairs")
    assert verifier.threshold(0.02) == Threshold(0.1, 0.01, 0.7, "10 drawn pairs")
    assert verifier.threshold(0.5).distance == 0.3
    assert verifier.threshold(0).distance == 0.05


def test_a_rate_below_what_was_measured_is_refused(tmp_path):
    calibration = CALIBRATION | {"rates": CALIBRATION["rates"][1:]}
    verifier = Verifier.load(save_tiny(tmp_path / "m", calibration=calibration), device="cpu")
    with pytest.raises(OptionError, match="10 drawn pairs, too few .* the lowest it knows is 0.01"):
        verifier.threshold(0.001)


def test_one_face_against_many_has_a_strict_threshold(verifier, tmp_path):
    assert verifier.strict_threshold().distance == 0.05
    # Or the lowest that is known.
    for first, distance in ((1, 0.1), (2, 0.3)):
        calibration = CALIBRATION | {"rates": CALIBRATION["rates"][first:]}
        loose = Verifier.load(save_tiny(tmp_path / f"{first}", calibration=calibration))
        assert loose.strict_threshold().distance == distance
    bare = Verifier.load(save_tiny(tmp_path / "bare", calibration={}))
    with pytest.raises(ModelError, match="has no threshold"):
        bare.strict_threshold()


def test_a_model_without_calibration_says_how_to_get_one(tmp_path):
    verifier = Verifier.load(save_tiny(tmp_path / "m", calibration={}), device="cpu")
    with pytest.raises(ModelError, match="cvtool faces calibrate"):
        verifier.threshold()


@pytest.mark.parametrize(
    ("distance", "threshold", "words"),
    [
        (0.05, 0.2, "very likely the same person"),
        (0.08, 0.2, "probably the same person"),
        (0.2, 0.2, "possibly the same person"),
        (1.0, 0.2, "probably two people"),
        (1.6, 0.2, "very likely two people"),
        # Never the opposite of the answer: a loose threshold, and a strict one.
        (1.0, 1.2, "possibly the same person"),
        (1.6, 2.0, "possibly the same person"),
        (0.08, 0.05, "possibly two people"),
        (0.04, 0.0, "possibly two people"),
    ],
)
def test_distances_are_put_in_words(verifier, distance, threshold, words):
    assert verifier.band(distance, Threshold(threshold)) == words


@pytest.mark.parametrize("page", ["verify.md", "faces.md"])
def test_the_examples_of_the_docs_are_what_the_shipped_model_says(page):
    preset = find_model("facenet-lfw")
    shipped = Verifier(preset, SimpleNamespace(name="none"), None)
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    checked = 0
    for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL):
        said = re.findall(r'"distance": ([\d.]+)[^}]*?"similarity": "([^"]+)"', block)
        if not said:
            continue
        distance, far = (
            float(re.search(rf'"{key}": ([\d.]+)', block)[1]) for key in ("threshold", "far")
        )
        threshold = shipped.threshold(far)
        assert (threshold.distance, threshold.far) == (distance, far)
        for distance, words in said:
            assert shipped.band(float(distance), threshold) == words
            checked += 1
    assert checked >= 1


def test_the_json_says_where_the_threshold_comes_from(verifier):
    face = Face((1, 2, 3, 4), 0.5, np.zeros((5, 2), np.float32))
    one, other = np.eye(16)[0], np.eye(16)[1]
    result = verifier.compare(one, other, (face, face))
    assert json.loads(json.dumps(result.to_dict())) == {
        "same": False,
        "distance": 2.0,
        "threshold": 0.2,
        "far": 0.01,
        "tar": 0.7,
        "threshold_from": "10 drawn pairs",
        "similarity": "very likely two people",
        "faces": [face.to_dict()] * 2,
    }


def test_a_model_of_another_task_is_refused():
    with pytest.raises(ModelError, match='model "everyday" is for detect, not for verify'):
        Verifier.load("everyday")


@pytest.mark.parametrize(
    "calibration",
    [
        [],
        {"rates": [{"far": 0.1}]},
        {"rates": [{"far": 0.1, "threshold": "x", "tar": 1}], "threshold": 1},
        {"rates": [{"far": f, "threshold": 1, "tar": 1} for f in (0.2, 0.1)], "threshold": 1},
        {"rates": CALIBRATION["rates"]},
    ],
)
def test_a_damaged_calibration_is_refused(tmp_path, calibration):
    folder = save_tiny(tmp_path / "m")
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"calibration": calibration}))
    with pytest.raises(ModelError, match="not the description of a model"):
        Verifier.load(folder)
