"""Cut-outs: their edge, their colours, and the grounds they are laid on."""

import cv2
import numpy as np
import pytest

from cvtool.errors import CvtoolError, PictureError
from cvtool.pictures.writing import write_picture
from cvtool.segmentation.cutout import Ground, blurred_ground, covering, cut_out, on_ground

OBJECT, GREEN = (200, 40, 30), (20, 150, 60)


def disc_scene(side=240, radius=70, wrong=3):
    """A disc whose edge the network puts `wrong` pixels off, and blurred.

    Returns:
        pixels, soft, and the true alpha as float (side, side), with an edge of about two pixels.
    """
    y, x = np.mgrid[:side, :side] + 0.5
    distance = np.hypot(x - side / 2, y - side / 2)
    alpha = np.clip(radius - distance, -1, 1) / 2 + 0.5
    rng = np.random.default_rng(0)
    colours = np.where(alpha[..., None] > 0, OBJECT, 0), np.full((side, side, 3), GREEN)
    pixels = alpha[..., None] * colours[0] + (1 - alpha[..., None]) * colours[1]
    pixels = (pixels + rng.normal(0, 4, pixels.shape)).clip(0, 255).astype(np.uint8)
    soft = (255 / (1 + np.exp((distance - radius - wrong) / 1.5))).astype(np.uint8)
    return pixels, soft, alpha


@pytest.mark.parametrize("wrong", [-2, 0, 2])
def test_the_edge_is_laid_onto_that_of_the_picture(wrong):
    pixels, soft, alpha = disc_scene(wrong=wrong)
    rgba = cut_out(pixels, soft)
    assert rgba.shape == (240, 240, 4) and rgba.dtype == np.uint8
    found = rgba[..., 3] / 255
    edge = np.abs(alpha - 0.5) < 0.5
    assert np.abs(found - alpha)[edge].mean() < 0.25
    # Where the network was off, by area: nearer to the truth than it was.
    off = np.abs(soft / 255 - alpha).sum()
    assert np.abs(found - alpha).sum() < (0.6 if wrong else 0.1) * off


def test_alpha_is_certain_away_from_the_edge_and_soft_on_it():
    pixels, soft, alpha = disc_scene()
    found = cut_out(pixels, soft)[..., 3]
    near = cv2.dilate(np.uint8((soft > 25) & (soft < 230)), np.ones((17, 17)))
    assert (found[(near == 0) & (alpha == 1)] == 255).all()
    assert (found[(near == 0) & (alpha == 0)] == 0).all()
    between = (found > 20) & (found < 235)
    assert 100 < between.sum() < 5000


def test_the_grounds_colour_is_taken_out_of_the_edge():
    pixels, soft, alpha = disc_scene(wrong=0)
    rgba = cut_out(pixels, soft)
    edge = (rgba[..., 3] > 80) & (rgba[..., 3] < 220)
    assert edge.sum() > 100

    def distance(colours):
        return np.abs(colours[edge].astype(float) - OBJECT).sum(axis=-1).mean()

    assert distance(rgba[..., :3]) < 0.4 * distance(pixels)


def test_nothing_of_the_ground_is_hidden_in_the_file():
    pixels, soft, _ = disc_scene()
    rgba = cut_out(pixels, soft)
    assert (rgba[:20, :20] == 0).all()


@pytest.mark.parametrize("value", [0, 255])
def test_all_or_nothing(value):
    pixels = disc_scene(60)[0]
    rgba = cut_out(pixels, np.full((60, 60), value, np.uint8))
    assert (rgba[..., 3] == value).all()
    if value:
        assert np.abs(rgba[..., :3].astype(int) - pixels).max() <= 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (300, 2), (5, 7)])
def test_pictures_of_odd_sizes(shape):
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (*shape, 3), np.uint8)
    soft = rng.integers(0, 256, shape, np.uint8)
    rgba = cut_out(pixels, soft)
    assert rgba.shape == (*shape, 4)
    assert Ground("blur").under(pixels, rgba).shape == (*shape, 3)


def test_bands_of_rows_do_not_show(monkeypatch):
    pixels, soft, _ = disc_scene()
    # So large a picture is filtered at a smaller size.
    expected = cut_out(cv2.resize(pixels, (1500, 1500)), cv2.resize(soft, (1500, 1500)))
    monkeypatch.setattr("cvtool.pictures.tiling.BAND_BYTES", 1500 * 96 * 37)
    found = cut_out(cv2.resize(pixels, (1500, 1500)), cv2.resize(soft, (1500, 1500)))
    assert np.array_equal(found, expected)


def test_on_ground_is_the_usual_mixture():
    rng = np.random.default_rng(2)
    rgba = rng.integers(0, 256, (9, 8, 4), np.uint8)
    ground = rng.integers(0, 256, (9, 8, 3), np.uint8)
    share = rgba[..., 3:] / 255
    expected = rgba[..., :3] * share + ground * (1 - share)
    assert np.abs(on_ground(rgba, ground) - expected).max() <= 0.501


def test_grounds_by_name(tmp_path):
    empty = np.zeros((6, 8, 4), np.uint8)
    pixels = np.full((6, 8, 3), 77, np.uint8)
    for text, colour in (
        ("white", (255, 255, 255)),
        ("Black", (0, 0, 0)),
        ("#36c", (0x33, 0x66, 0xCC)),
        ("#10fF80", (16, 255, 128)),
    ):
        assert (Ground(text).under(pixels, empty) == colour).all()
    write_picture(tmp_path / "sky.png", np.full((3, 9, 3), (1, 2, 3), np.uint8))
    assert (Ground(str(tmp_path / "sky.png")).under(pixels, empty) == (1, 2, 3)).all()
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(PictureError, match=r"broken\.png"):
        Ground(str(tmp_path / "broken.png"))
    for text in ("#12", "#1234567", "withe", ""):
        with pytest.raises(CvtoolError, match="background"):
            Ground(text)


def test_a_picture_as_the_ground_covers_and_keeps_its_shape():
    picture = np.zeros((40, 200, 3), np.uint8)
    picture[:, 100:] = 255
    covered = covering(picture, 80, 80)
    assert covered.shape == (80, 80, 3)
    # Its middle: the step from black to white stands in the middle, and is one step.
    assert (covered[:, :38] == 0).all() and (covered[:, 42:] == 255).all()
    assert covering(picture, 3, 7).shape == (3, 7, 3)


def test_a_blurred_ground_has_no_glow_of_the_object():
    pixels, _, alpha = disc_scene()
    ground = blurred_ground(pixels, (255 * alpha).astype(np.uint8))
    around = (alpha == 0) & (cv2.dilate(np.uint8(alpha > 0), np.ones((9, 9))) > 0)
    assert np.abs(ground[around].astype(int) - GREEN).max() < 12
    # Plainly blurred, it would be of the object's colour by half.
    plain = cv2.blur(pixels, (25, 25))
    assert np.abs(plain[around].astype(int) - GREEN).max() > 40
