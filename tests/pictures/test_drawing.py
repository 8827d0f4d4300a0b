import subprocess
import sys

import numpy as np
import pytest

from cvtool.pictures import fonts
from cvtool.pictures.drawing import (
    class_colour,
    draw_boxes,
    line_width,
    text_colour,
    text_size,
)

CLASSES = [
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
]


def luminance(colour):
    c = np.array(colour) / 255
    c = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(c @ [0.2126, 0.7152, 0.0722])


def is_colour(pixels, colour):
    return (pixels == np.array(colour, np.uint8)).all(axis=-1)


def test_colours_are_stable_between_processes():
    program = "from cvtool.pictures.drawing import class_colour as c; print(c('dog'), c('é'))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == f"{class_colour('dog')} {class_colour('é')}"


def test_the_default_classes_have_colours_of_their_own():
    colours = np.array([class_colour(name) for name in CLASSES], int)
    apart = np.abs(colours[:, None] - colours[None]).sum(axis=-1) + 999 * np.eye(20, dtype=int)
    assert apart.min() >= 40


def test_label_text_contrasts_with_its_ground():
    for label in [*CLASSES, *(f"class {n}" for n in range(200))]:
        ground = class_colour(label)
        a, b = luminance(ground), luminance(text_colour(ground))
        assert (max(a, b) + 0.05) / (min(a, b) + 0.05) >= 4.5
    assert text_colour((0, 0, 60)) == (255, 255, 255)


def test_line_and_text_grow_with_the_picture():
    assert line_width(200, 200) <= 2 and text_size(200, 200) >= 11
    assert 15 <= line_width(8000, 8000) <= 30
    assert 100 <= text_size(8000, 8000) <= 160
    assert text_size(8000, 8000) > text_size(2000, 2000) > text_size(1000, 1000)


def test_a_box_is_drawn_where_it_is_and_the_input_is_kept():
    pixels = np.full((200, 300, 3), 30, np.uint8)
    drawn = draw_boxes(pixels, np.array([[50.0, 80.0, 150.0, 180.0]]), ["cat"], [0.9])
    assert (pixels == 30).all() and drawn.shape == pixels.shape and drawn.dtype == np.uint8
    mask = is_colour(drawn, class_colour("cat"))
    assert mask[80, 100:150].all() and mask[179, 50:150].all()
    assert mask[80:180, 50].all() and mask[80:180, 149].all()
    assert (drawn[90:170, 60:140] == 30).all()  # nothing but the line inside
    assert (drawn[182:] == 30).all() and (drawn[:, 155:] == 30).all()
    label = mask[:80].any(axis=1)
    assert label[66:80].all() and not label[:60].any()  # the label sits on the box


def ink(drawn):
    """How many dark pixels there are: those of letters, on a white picture."""
    return int((drawn.sum(axis=-1) < 240).sum())


def changed(before, after):
    return (before != after).any(axis=-1)


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 300, 200),
        (-50, -50, 20, 20),
        (290, 190, 400, 300),
        (280, -10, 310, 30),
        (-10, 180, 40, 260),
        (299, 199, 300, 200),
    ],
)
def test_labels_are_whole_wherever_the_box_is(box):
    pixels = np.full((200, 300, 3), 255, np.uint8)
    drawn = draw_boxes(pixels, [box], ["diningtable"], [0.5])
    amid = draw_boxes(pixels, [(100, 100, 160, 160)], ["diningtable"], [0.5])
    # As many pixels in its letters as where there is room all around.
    assert ink(drawn) == ink(amid) > 50


def test_labels_do_not_cover_each_other():
    pixels = np.full((300, 300, 3), 255, np.uint8)
    boxes = [(50, 100, 250, 280), (50, 100, 250, 280)]
    both = draw_boxes(pixels, boxes, ["cat", "dog"], [0.9, 0.8])
    cat = draw_boxes(pixels, boxes[:1], ["cat"], [0.9])
    dog = draw_boxes(pixels, boxes[:1], ["dog"], [0.8])
    assert ink(both) == ink(cat) + ink(dog)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (5, 5), (12, 400), (14, 14), (20, 30)])
def test_tiny_pictures(shape):
    pixels = np.full((*shape, 3), 30, np.uint8)
    height, width = shape
    drawn = draw_boxes(pixels, [(0, 0, width, height)], ["a rather long label"], [0.123])
    assert drawn.shape == pixels.shape
    assert changed(pixels, drawn).any()


def test_long_labels_are_shortened_to_the_picture():
    pixels = np.full((100, 120, 3), 30, np.uint8)
    label = "an endless name of a class that no picture could ever hold"
    drawn = draw_boxes(pixels, [(30, 40, 60, 70)], [label])
    tag = is_colour(drawn, class_colour(label))
    assert tag[:, 0].any() or tag[:, -1].any() or tag.sum() > 500
    assert (drawn[0] == 30).all()


def test_no_boxes_and_boxes_of_nothing():
    pixels = np.full((50, 60, 3), 30, np.uint8)
    drawn = draw_boxes(pixels, np.zeros((0, 4)), [])
    np.testing.assert_array_equal(drawn, pixels)
    assert drawn is not pixels and not np.shares_memory(drawn, pixels)
    bad = [(np.nan, 0, 1, 1), (500, 500, 600, 600), (20, 20, 10, 10), (0, 0, np.inf, 5)]
    np.testing.assert_array_equal(draw_boxes(pixels, bad, ["x"] * 4), pixels)


def test_lengths_must_agree():
    pixels = np.zeros((10, 10, 3), np.uint8)
    with pytest.raises(ValueError):
        draw_boxes(pixels, np.zeros((2, 4)), ["a"])
    with pytest.raises(ValueError):
        draw_boxes(pixels, np.zeros((1, 4)), ["a"], [0.1, 0.2])


def test_accents_are_written_or_left_out_but_never_boxes(monkeypatch):
    fonts._found_fonts.cache_clear()
    monkeypatch.setattr(fonts, "_SYSTEM_FONTS", ())
    monkeypatch.setattr(fonts, "_fonts_of_opencv", list)
    try:
        assert fonts.choose_font("café brûlé") == ("cafe brule", None)
        assert fonts.choose_font("coffee 0.9") == ("coffee 0.9", None)
        pixels = np.full((100, 200, 3), 30, np.uint8)
        with_accents = draw_boxes(pixels, [(10, 30, 90, 90)], ["é"])
        assert changed(pixels, with_accents).any()
    finally:
        fonts._found_fonts.cache_clear()


def test_large_pictures_are_drawn_in_proportion():
    small = np.full((500, 500, 3), 30, np.uint8)
    large = np.full((4000, 4000, 3), 30, np.uint8)
    share = [
        is_colour(
            draw_boxes(p, [np.array((0.2, 0.3, 0.8, 0.9)) * len(p)], ["cat"]), (0, 0, 0)
        ).sum()
        / p[..., 0].size
        for p in (small, large)
    ]
    assert 0.3 < share[1] / share[0] < 3
