import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvtool.detection.mistakes import Mistake, cut_out, false_positives, missed_objects
from cvtool.errors import PictureError
from cvtool.pictures.writing import write_picture
from tiny_predictions import NOTHING, dataset, example, prediction

CAT, DOG, FAR = [0, 0, 10, 10], [60, 60, 80, 80], [30, 30, 40, 40]


def test_wrong_boxes_the_most_confident_first():
    data = dataset(example([CAT, DOG], [0, 1], path="a.jpg"), example([DOG], [1], path="b.jpg"))
    found = [
        prediction((0.9, 0, CAT), (0.5, 0, CAT), (0.8, 0, DOG), (0.1, 2, FAR)),
        prediction((0.7, 1, [60, 60, 80, 68]), (0.6, 2, FAR), (0.4, 0, [60, 60, 80, 67])),
    ]
    listed = false_positives(data, found, 0.2)
    told = [(m.path.name, m.label, m.score, m.kind) for m in listed]
    assert told == [
        ("a.jpg", "cat", 0.8, "classification"),
        ("b.jpg", "dog", 0.7, "localisation"),
        ("b.jpg", "owl", 0.6, "background"),
        ("a.jpg", "cat", 0.5, "duplicate"),
        ("b.jpg", "cat", 0.4, "both"),
    ]
    assert [m.truth for m in listed] == [tuple(b) if b else None for b in (DOG, DOG, 0, CAT, DOG)]
    assert listed[0].words == "wrong class: it is dog" and "0.40" in listed[1].words
    assert listed[2].box == tuple(FAR)
    assert false_positives(data, found, 0.2, most=2) == listed[:2]


def test_missed_objects_the_largest_share_first():
    data = dataset(
        example([CAT, DOG], [0, 1], path="a.jpg"),
        example([DOG, CAT], [1, 2], path="b.jpg", size=200),
        example([[0, 0, 99, 99]], [0], [True], path="crowd.jpg"),
    )
    found = [
        prediction((0.9, 0, FAR)),
        # The owl is taken for a cat, which is no miss; the dog has a box of a low score.
        prediction((0.9, 0, CAT), (0.1, 1, DOG)),
        NOTHING,
    ]
    listed = missed_objects(data, found, 0.5)
    assert [(m.path.name, m.label) for m in listed] == [
        ("a.jpg", "dog"),
        ("a.jpg", "cat"),
        ("b.jpg", "dog"),
    ]
    assert [m.words for m in listed] == ["no box at any score"] * 2 + ["found only at score 0.10"]
    assert all(m.score is None and m.truth is None and m.kind == "missed" for m in listed)
    assert missed_objects(data, found, 0.5, most=1) == listed[:1]


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "p.png"
    pixels = np.full((120, 200, 3), 128, np.uint8)
    pixels[40:60, 100:120] = 255
    write_picture(path, pixels)
    return path


def mistake(path, box, truth=None, score=0.5):
    return Mistake(path, box, "cat", score, "background", "", truth)


def places(pixels, colour):
    rows, columns = np.nonzero((pixels == colour).all(axis=-1))
    return columns.min(), rows.min(), columns.max(), rows.max()


def test_the_box_is_drawn_round_what_it_is_about(picture):
    shown = cut_out(mistake(picture, (100, 40, 120, 60)), 240)
    assert shown.shape == (240, 240, 3) and shown.dtype == np.uint8
    # The window is 48 pixels: five times as large.
    assert places(shown, (255, 64, 64)) == (70, 70, 170, 170)
    assert (shown[75:165, 75:165].mean() > 240) and (shown[10:60, 10:60] == 128).all()
    assert not (shown == (64, 255, 96)).all(axis=-1).any()


def test_the_truth_is_green_and_missed_objects_have_no_red(picture):
    both = cut_out(mistake(picture, (100, 40, 120, 60), (90, 40, 120, 70)), 240)
    left, _, right, _ = places(both, (64, 255, 96))
    assert left < places(both, (255, 64, 64))[0] and right - left == pytest.approx(120, abs=2)
    missed = cut_out(mistake(picture, (100, 40, 120, 60), score=None), 240)
    assert places(missed, (64, 255, 96)) == (70, 70, 170, 170)


@given(
    st.tuples(*[st.floats(-300, 500)] * 4),
    st.none() | st.tuples(*[st.floats(-300, 500)] * 4),
)
def test_any_box_can_be_shown(picture, box, truth):
    shown = cut_out(mistake(picture, box, truth), 60)
    assert max(shown.shape[:2]) == 60 and shown.dtype == np.uint8


def test_a_picture_that_has_gone(tmp_path):
    with pytest.raises(PictureError):
        cut_out(mistake(tmp_path / "gone.png", (0, 0, 9, 9)), 60)
