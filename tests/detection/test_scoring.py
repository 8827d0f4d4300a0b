"""The scores of a training's epochs are those of the tool."""

import numpy as np
import pytest

from cvtool.detection import scoring
from cvtool.detection.detector import Detector
from cvtool.detection.scoring import MIN_SCORE, predict_dataset
from cvtool.errors import PictureError
from cvtool.pictures.reading import read_picture
from cvtool.pictures.writing import write_picture
from red_finder import PRESET
from tiny_predictions import dataset, example

SHAPES = ((40, 90), (128, 128), (150, 60), (30, 200), (77, 101))


class Guesser:
    """A network and an engine at once: answers anything, but the same to the same picture."""

    name = "guesser"

    def __init__(self):
        self.batches = []

    def predict_on_batch(self, pixels):
        self.batches.append(len(pixels))
        return np.concatenate([self(square[None]) for square in pixels])

    def __call__(self, batch):
        rng = np.random.default_rng(int(batch.astype(np.int64).sum()))
        cells = sum((PRESET.size // stride) ** 2 for stride in PRESET.strides)
        rows = cells * len(PRESET.anchors[0])
        raw = rng.normal(0, 2, (1, rows, 5 + len(PRESET.classes)))
        raw[..., 4] -= 3
        return raw.astype(np.float32)


@pytest.fixture
def pictures(tmp_path):
    rng, examples = np.random.default_rng(0), []
    for number, (height, width) in enumerate(SHAPES):
        path = tmp_path / f"{number}.png"
        write_picture(path, rng.integers(0, 256, (height, width, 3)).astype(np.uint8))
        one = example([], [], path=path)
        object.__setattr__(one, "width", width)
        object.__setattr__(one, "height", height)
        examples.append(one)
    return dataset(*examples, classes=PRESET.classes)


def predict(network, pictures, **options):
    anchors = np.array(PRESET.anchors)
    given = dict(size=PRESET.size, anchors=anchors, strides=PRESET.strides)
    return predict_dataset(network, pictures, **given | options)


def test_it_finds_what_the_detector_finds(pictures):
    """Also at the edges of pictures that are not square."""
    found = predict(Guesser(), pictures)
    detector = Detector(PRESET, Guesser())
    for one, prediction in zip(pictures.examples, found, strict=True):
        expected = detector.detect_arrays(
            read_picture(one.path),
            min_score=MIN_SCORE,
            max_iou=scoring.MAX_IOU,
            max_boxes=scoring.MAX_BOXES,
        )
        assert len(expected[0]) > 20
        for ours, theirs in zip(prediction, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_the_number_at_a_time_changes_nothing_and_each_picture_is_seen_once(pictures):
    network = Guesser()
    one_by_one = predict(network, pictures, batch=2)
    assert network.batches == [2, 2, 1]
    for ours, theirs in zip(one_by_one, predict(Guesser(), pictures), strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_was_read_once_is_kept(pictures):
    cache = {}
    first = predict(Guesser(), pictures, cache=cache)
    for one in pictures.examples:
        one.path.unlink()
    again = predict(Guesser(), pictures, cache=cache)
    assert len(cache) == len(SHAPES)
    np.testing.assert_array_equal(first[0][0], again[0][0])
    with pytest.raises(PictureError, match=r"0\.png"):
        predict(Guesser(), pictures)


def test_no_pictures_no_predictions():
    assert predict(Guesser(), dataset(classes=PRESET.classes)) == []
