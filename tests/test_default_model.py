"""What the shipped models must see in photographs that anybody can check."""

import cv2
import numpy as np
import pytest
import skimage.data

from cvtool.classification.classifier import Classifier
from cvtool.detection.boxes import iou
from cvtool.detection.detector import Detector
from cvtool.engines import TensorFlowEngine
from cvtool.faces.verifier import Verifier, squared_distance
from cvtool.faces.verifier import build as build_facenet
from cvtool.models.presets import preset_file
from cvtool.segmentation.metrics import confusion_matrix, mean_iou
from cvtool.segmentation.segmenter import Segmenter, build


@pytest.fixture(scope="module")
def detector():
    return Detector.load("everyday", device="cpu")


@pytest.mark.parametrize(
    ("name", "label", "box"),
    [("astronaut", "person", (20, 10, 420, 512)), ("chelsea", "cat", (20, 10, 440, 290))],
)
def test_the_main_subject_is_found_where_it_is(detector, name, label, box):
    found = detector(getattr(skimage.data, name)())
    assert found and found[0].label == label
    assert iou([found[0].box], [box])[0, 0] > 0.5


@pytest.mark.parametrize("name", ["brick", "grass", "gravel"])
def test_textures_hold_no_objects(detector, name):
    pixels = np.stack([getattr(skimage.data, name)()] * 3, axis=-1)
    assert [d for d in detector(pixels) if d.score > 0.5] == []


@pytest.mark.parametrize("tta", [False, True])
def test_the_cup_is_a_cup_of_coffee(tta):
    best = Classifier.load("tiny200", device="cpu")(skimage.data.coffee(), top=1, tta=tta)[0]
    assert best.label == "espresso" and best.score > 0.2


@pytest.fixture(scope="module")
def segmenter():
    return Segmenter.load("everyday-unet", device="cpu")


# Rows and columns of a face.
@pytest.mark.parametrize(
    ("name", "label", "face"),
    [("astronaut", "person", (60, 150, 170, 260)), ("chelsea", "cat", (80, 250, 100, 330))],
)
def test_the_main_subject_has_its_pixels(segmenter, name, label, face):
    mask = segmenter.mask(getattr(skimage.data, name)())
    top, bottom, left, right = face
    found = mask == segmenter.classes.index(label)
    assert found[top:bottom, left:right].mean() > 0.9
    assert segmenter.classes[np.bincount(mask[mask > 0]).argmax()] == label


def test_what_is_beside_the_astronaut_is_background(segmenter):
    assert (segmenter.mask(skimage.data.astronaut())[:100, 320:400] == 0).mean() > 0.9


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_both_engines_give_the_same_masks(segmenter, name):
    preset = segmenter.preset
    engine = TensorFlowEngine(lambda: build(preset), preset_file(preset, "weights"))
    pixels = getattr(skimage.data, name)()
    masks = [one.mask(pixels) for one in (segmenter, Segmenter(preset, engine))]
    confusion = confusion_matrix(*masks, len(segmenter.classes))
    # Of a class of a few pixels, one more changes much.
    large = confusion.sum(1) > 0.01 * pixels.shape[0] * pixels.shape[1]
    assert mean_iou(confusion * large[:, None] * large) > 0.99


@pytest.fixture(scope="module")
def verifier():
    return Verifier.load("facenet-lfw", device="cpu")


@pytest.mark.parametrize(
    "change",
    [
        lambda photo: photo[:, ::-1],
        lambda photo: np.rot90(photo),
        lambda photo: cv2.resize(photo, (200, 200), interpolation=cv2.INTER_AREA),
        lambda photo: (0.6 * photo).astype(np.uint8),
        lambda photo: np.repeat(photo.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8),
    ],
    ids=["mirrored", "sideways", "small", "dark", "grey"],
)
def test_a_face_stays_the_same_persons(verifier, change):
    photo = skimage.data.astronaut()
    found = verifier(photo, np.ascontiguousarray(change(photo)))
    assert found.same and found.distance < verifier.threshold(0.001).distance


def test_a_hundred_other_people_are_others(verifier):
    """Faces of 25 pixels, of which the astronaut is none."""
    photo = skimage.data.astronaut()
    astronaut = verifier.embed_face(photo, verifier.find(photo)[0])
    distances = []
    for small in skimage.data.lfw_subset()[:100]:
        face = cv2.resize((255 * small).astype(np.uint8), (200, 200), interpolation=cv2.INTER_CUBIC)
        face = cv2.copyMakeBorder(face, 60, 60, 60, 60, cv2.BORDER_REPLICATE)
        pixels = np.repeat(face[..., None], 3, axis=2)
        found = verifier.find(pixels)
        if found:
            distances.append(squared_distance(astronaut, verifier.embed_face(pixels, found[0])))
    assert len(distances) > 90
    assert np.mean(np.array(distances) <= verifier.threshold(0.01).distance) <= 0.02


def test_the_verifiers_engines_agree(verifier):
    preset = verifier.preset
    engine = TensorFlowEngine(lambda: build_facenet(preset), preset_file(preset, "weights"))
    other = Verifier(preset, engine, verifier.networks)
    photo = skimage.data.astronaut()
    rows = [one.embed_face(photo, one.find(photo)[0]) for one in (verifier, other)]
    assert squared_distance(*rows) < 1e-4
