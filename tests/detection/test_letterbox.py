import numpy as np
import pytest

from cvtool.detection.letterbox import letterbox, letterbox_boxes, unletterbox_boxes


@pytest.mark.parametrize(
    ("height", "width", "inner"),
    [
        (240, 320, (40, 0, 280, 320)),
        (640, 320, (0, 80, 320, 240)),
        (30, 60, (80, 0, 240, 320)),
        (320, 320, (0, 0, 320, 320)),
        (1, 1, (0, 0, 320, 320)),
        (2, 5000, (159, 0, 160, 320)),
    ],
)
def test_the_picture_is_fitted_and_centred_on_grey(height, width, inner):
    pixels = np.full((height, width, 3), (200, 10, 50), np.uint8)
    square, scale, _ = letterbox(pixels, 320)
    assert square.shape == (320, 320, 3)
    assert square.dtype == np.uint8
    assert scale == 320 / max(height, width)
    top, left, bottom, right = inner
    expected = np.full((320, 320, 3), 114, np.uint8)
    expected[top:bottom, left:right] = (200, 10, 50)
    assert (square == expected).all()


def test_fill_and_colours_are_kept():
    pixels = np.random.default_rng(0).integers(0, 256, (50, 100, 3), np.uint8)
    square, _, (left, top) = letterbox(pixels, 100, fill=7)
    assert (left, top) == (0, 25)
    assert (square[25:75] == pixels).all()
    assert (square[:25] == 7).all()


@pytest.mark.parametrize("seed", range(30))
def test_boxes_follow_the_pixels_there_and_back(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(40, 700, 2)
    x1, y1 = (rng.random(2) * (width * 0.5, height * 0.5)).astype(int)
    x2, y2 = x1 + width // 3, y1 + height // 3
    pixels = np.full((height, width, 3), 20, np.uint8)
    pixels[y1:y2, x1:x2] = 255
    square, scale, padding = letterbox(pixels, 256)
    box = letterbox_boxes(np.array([[x1, y1, x2, y2]], np.float32), scale, padding)
    rows, columns = np.nonzero(square[..., 0] > 137)
    seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert np.abs(box[0] - seen).max() <= 1.5
    back = unletterbox_boxes(box, scale, padding, height, width)
    assert back.dtype == np.float32
    assert np.allclose(back, [[x1, y1, x2, y2]], atol=1e-2)


def test_boxes_are_cut_at_the_picture():
    pixels = np.zeros((100, 200, 3), np.uint8)
    _, scale, padding = letterbox(pixels, 320)
    whole = unletterbox_boxes([[-5, 0, 330, 320]], scale, padding, 100, 200)
    assert whole.tolist() == [[0, 0, 200, 100]]
