"""Faces and landmarks, against the package `mtcnn` whose weights they come from."""

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cvtool.errors import ModelError
from cvtool.faces.mtcnn import (
    Face,
    central_face,
    find_faces,
    patch,
    pyramid_base,
    squares,
    suppress,
)
from cvtool.faces.mtcnn_networks import load_networks


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CVTOOL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield load_networks(threads=1)


@pytest.fixture(scope="module")
def package():
    from mtcnn import MTCNN

    return MTCNN()


def crowd():
    """One face three times: as it is, smaller and mirrored, and turned a little."""
    face = skimage.data.astronaut()[:300, 60:360]
    canvas = np.full((420, 760, 3), 96, np.uint8)
    canvas[20:320, 20:320] = face
    canvas[60:210, 360:510] = cv2.resize(face[:, ::-1], (150, 150), interpolation=cv2.INTER_AREA)
    turn = cv2.getRotationMatrix2D((150, 150), 12, 0.7)
    canvas[100:400, 450:750] = np.where(
        cv2.warpAffine(np.ones_like(face), turn, (300, 300)) > 0,
        cv2.warpAffine(face, turn, (300, 300)),
        canvas[100:400, 450:750],
    )
    return canvas


PICTURES = {
    "astronaut": skimage.data.astronaut,
    "crowd": crowd,
    "small": lambda: cv2.resize(skimage.data.astronaut(), (160, 160), interpolation=cv2.INTER_AREA),
    "large": lambda: cv2.resize(skimage.data.astronaut(), (1800, 1800)),
    "grey": lambda: cv2.cvtColor(
        cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_it_finds_what_the_package_finds(networks, package, name):
    pixels = PICTURES[name]()
    found = find_faces(pixels, networks)
    theirs = sorted(package.detect_faces(pixels), key=lambda f: -f["box"][2] * f["box"][3])
    assert len(found) == len(theirs) == (3 if name == "crowd" else 1)
    for face, other in zip(found, theirs, strict=True):
        x, y, width, height = other["box"]
        side = max(width, height)
        close = 0.05 * side + 2  # they count boxes from 1, and round them
        np.testing.assert_allclose(face.box, (x, y, x + width, y + height), atol=2 * close)
        names = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
        expected = [other["keypoints"][key] for key in names]
        np.testing.assert_allclose(face.landmarks, expected, atol=close)
        assert face.score > 0.9


def test_the_largest_face_comes_first_and_the_central_one_can_be_asked_for(networks):
    pixels = crowd()
    faces = find_faces(pixels, networks)
    assert [face.area for face in faces] == sorted((face.area for face in faces), reverse=True)
    middle = central_face(faces, *pixels.shape[:2])
    assert middle is not faces[0] and 360 < middle.box[0] < middle.box[2] < 510


def test_a_picture_of_many_pixels_is_looked_at_smaller_and_shows_the_same_face(
    networks, monkeypatch
):
    pixels = cv2.resize(skimage.data.astronaut(), (2400, 2400), interpolation=cv2.INTER_CUBIC)
    assert pyramid_base(pixels, 0.1).shape == (2000, 2000, 3)
    (found,) = find_faces(pixels, networks)
    monkeypatch.setattr("cvtool.faces.mtcnn.PYRAMID_PIXELS", 10**9)
    (whole,) = find_faces(pixels, networks)
    side = whole.box[2] - whole.box[0]
    np.testing.assert_allclose(found.box, whole.box, atol=0.02 * side)
    np.testing.assert_allclose(found.landmarks, whole.landmarks, atol=0.01 * side)


def test_the_pyramid_loses_no_pixels_of_a_picture_of_4_megapixels_nor_of_its_own_size():
    pixels = np.zeros((2000, 2000, 3), np.uint8)
    assert pyramid_base(pixels, 0.1) is pixels
    large = np.zeros((3000, 3000, 3), np.uint8)
    assert pyramid_base(large, 1.5) is large and pyramid_base(large, 0.9).shape[0] == 2700


@pytest.mark.parametrize("shape", [(1, 1), (5, 900), (11, 11), (12, 12), (200, 300)])
def test_where_there_is_no_face_none_is_found(networks, shape):
    assert find_faces(np.full((*shape, 3), 128, np.uint8), networks) == []
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert find_faces(noise, networks) == []


def test_a_face_at_the_edge_may_reach_beyond_the_picture(networks):
    pixels = skimage.data.astronaut()[60:, 190:]
    (face,) = find_faces(pixels, networks)
    assert face.box[1] < 12 and face.to_dict()["box"] == [round(v, 1) for v in face.box]


def test_networks_in_the_cache_are_used_and_damaged_ones_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("CVTOOL_CACHE", str(tmp_path))
    load_networks(threads=1)
    (folder,) = tmp_path.iterdir()
    assert sorted(file.name for file in folder.iterdir()) == [
        *("output.tflite", "proposal.tflite", "refinement.tflite")
    ]
    with monkeypatch.context() as patch:
        patch.setattr("cvtool.faces.mtcnn_networks.export_networks", None)
        load_networks(threads=1)
    (folder / "output.tflite").write_bytes(b"half")
    with pytest.raises(ModelError, match="output.tflite"):
        load_networks(threads=1)
    load_networks(threads=1)


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CVTOOL_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match="set CVTOOL_CACHE to another folder"):
        load_networks()


boxes_of = arrays(
    np.int32, st.tuples(st.integers(0, 12), st.just(4)), elements=st.integers(0, 20)
).map(lambda b: np.concatenate([b[:, :2], b[:, :2] + b[:, 2:] + 1], axis=1))


@given(boxes_of, st.integers(0, 1000))
def test_suppression_is_opencvs(boxes, seed):
    scores = np.random.default_rng(seed).permutation(len(boxes)) / 20 + 0.1
    expected = cv2.dnn.NMSBoxes(
        np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist(),
        scores.tolist(),
        0.0,
        0.5123,  # no overlap of boxes so small is just this
    )
    found = suppress(boxes.astype(float), scores, 0.5123)
    assert list(map(int, found)) == [int(i) for i in expected]


def test_a_box_within_another_is_suppressed_by_its_own_area():
    boxes = np.array([[0, 0, 10, 10], [2, 2, 6, 6], [20, 0, 30, 10]], float)
    scores = np.array([0.9, 0.8, 0.7])
    assert suppress(boxes, scores, 0.7) == [0, 1, 2]
    assert suppress(boxes, scores, 0.7, by_smaller=True) == [0, 2]


@given(boxes_of.filter(len))
def test_squares_hold_their_boxes_round_the_same_middle(boxes):
    made = squares(boxes.astype(float))
    sides = made[:, 2:] - made[:, :2]
    np.testing.assert_allclose(sides[:, 0], sides[:, 1])
    np.testing.assert_allclose(sides[:, 0], (boxes[:, 2:] - boxes[:, :2]).max(axis=1))
    np.testing.assert_allclose(made[:, :2] + made[:, 2:], boxes[:, :2] + boxes[:, 2:])


@pytest.mark.parametrize("side", [12, 24, 100])
def test_a_patch_is_the_part_of_the_picture_in_the_box(side):
    y, x = np.indices((200, 200))
    ramp = np.stack([x, y, 0 * x], -1)
    found = patch(ramp.astype(np.uint8), (20, 40, 140, 160), side)
    steps = (np.arange(side) + 0.5) * 120 / side - 0.5
    assert found.shape == (side, side, 3)
    np.testing.assert_allclose(found[side // 2, :, 0], 20 + steps, atol=1)
    np.testing.assert_allclose(found[:, side // 2, 1], 40 + steps, atol=1)


def test_a_patch_is_black_where_there_is_no_picture():
    white = np.full((50, 50, 3), 255, np.uint8)
    found = patch(white, (-50, 0, 50, 100), 20)
    assert (found[:9, 11:] == 255).all() and (found[:, :9] == 0).all() and (found[11:] == 0).all()
    assert not patch(white, (-90, -90, -50, -50), 20).any()


def test_a_face_knows_its_area_and_its_json():
    face = Face((1.0, 2.0, 11.0, 22.0), 0.98765, np.full((5, 2), 3.14, np.float32))
    assert face.area == 200
    assert face.to_dict() == {
        "box": [1.0, 2.0, 11.0, 22.0],
        "score": 0.9877,
        "landmarks": [[3.1, 3.1]] * 5,
    }
