import numpy as np
import pytest

from cvtool.pictures.drawing import class_colour, class_colours
from cvtool.pictures.mask_drawing import draw_mask


def scene(shape=(80, 120)):
    mask = np.zeros(shape, np.uint8)
    mask[20:60, 30:90] = 1
    return np.full((*shape, 3), 100, np.uint8), mask


def test_a_class_is_tinted_and_edged_and_the_rest_stays():
    pixels, mask = scene()
    before = pixels.copy()
    drawn = draw_mask(pixels, mask, ("background", "cat"))
    assert np.array_equal(pixels, before)
    assert (drawn[mask == 0] == 100).all()
    colour = np.array(class_colour("cat"))
    assert (drawn[20, 30:90] == colour).all()
    assert np.abs(drawn[24, 34] - (colour + 100.0) / 2).max() <= 1


def test_the_name_stands_inside_its_class():
    pixels, mask = scene()
    nameless = draw_mask(pixels, mask, ("background", ""), opacity=0)
    named = draw_mask(pixels, mask, ("background", "cat"), opacity=0)
    assert (nameless == 100).all()
    rows, columns = np.nonzero((named != nameless).any(axis=2))
    assert abs(rows.mean() - 40) < 2 and abs(columns.mean() - 60) < 2
    assert (mask[rows, columns] == 1).all()


def test_void_is_shown_and_unknown_ids_are_not():
    pixels, mask = scene()
    mask[20:60, 30:90] = 255
    assert (draw_mask(pixels, mask, ("background", "cat"))[30, 40] > 140).all()
    mask[20:60, 30:90] = 7
    assert (draw_mask(pixels, mask, ("background", "cat")) == 100).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (6, 6)])
def test_names_without_room_are_left_out(shape):
    drawn = draw_mask(
        np.zeros((*shape, 3), np.uint8), np.ones(shape, np.uint8), ("background", "longish name")
    )
    assert drawn.shape == (*shape, 3) and len(np.unique(drawn.reshape(-1, 3), axis=0)) <= 2


def test_bands_of_rows_do_not_show(monkeypatch):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (300, 200, 3), np.uint8)
    mask = np.kron(rng.integers(0, 4, (10, 8)), np.ones((30, 25))).astype(np.uint8)
    classes = ("background", "cat", "dog", "cow")
    expected = draw_mask(pixels, mask, classes)
    monkeypatch.setattr("cvtool.pictures.tiling.BAND_BYTES", 64 * 200 * 7)
    assert np.array_equal(draw_mask(pixels, mask, classes), expected)


def test_a_class_too_narrow_for_its_name_has_it_beside_and_names_stay_apart():
    pixels = np.full((200, 200, 3), 100, np.uint8)
    mask = np.zeros((200, 200), np.uint8)
    mask[100:180, 100:104], mask[100:180, 150:154] = 1, 2
    classes = ("background", "cat", "dog")
    named, nameless = (draw_mask(pixels, mask, c, opacity=0) for c in (classes, ("", "", "")))
    changed = (named != nameless).any(axis=2)
    assert changed.sum() > 300 and not changed[100:180].any()
    for name in classes[1:]:
        # All of the tag but its letters.
        assert (named == class_colour(name)).all(axis=2).sum() > 100


def test_classes_of_one_colour_get_two():
    names = [f"class {number}" for number in range(40)]
    assert len(set(map(class_colour, names))) < 40
    colours = class_colours(tuple(names))
    assert len(set(colours)) == 40 and colours[0] == class_colour(names[0])
    assert len(class_colours(tuple(map(str, range(254))))) == 254
