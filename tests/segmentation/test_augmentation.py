"""Picture and mask move together to the pixel.

Drawn pictures carry in their colours what the mask says, or where each pixel came from; after
any change the two must still agree.
"""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvtool.datasets.masked import VOID
from cvtool.segmentation.augmentation import (
    AUGMENTATIONS,
    FILL,
    augment,
    draw_affine,
    draw_displacements,
    pixel_map,
    warp,
)

# No two alike, and none like FILL.
COLOURS = np.array([(20, 60, 200), (230, 40, 30), (40, 220, 90), (250, 240, 10)], np.uint8)
EVERYTHING = replace(AUGMENTATIONS["strong"], flip=0.5, translate=0.3, rotation=180, colour=0)


def shapes(seed, height=180, width=240):
    """A mask of large shapes, and a picture that shows each class in its colour."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.uint8)
    for class_id in (1, 2, 3):
        centre = [int(rng.integers(0, side)) for side in (width, height)]
        radius = int(rng.integers(height // 6, height // 3))
        cv2.circle(mask, centre, radius, class_id, -1)
    return COLOURS[mask], mask


def affine(scale, stretch, degrees, mirrored, place, size, height, width):
    """A map that puts the place (share of the picture) in the middle of the square."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn * (scale * stretch * (-1 if mirrored else 1), scale / stretch)
    offset = size / 2 - linear @ (np.array(place) * (width, height))
    return np.column_stack([linear, offset])


affines = st.fixed_dictionaries(
    {
        "scale": st.floats(0.2, 4),
        "stretch": st.floats(0.7, 1.4),
        "degrees": st.floats(-180, 180),
        "mirrored": st.booleans(),
        "place": st.tuples(st.floats(0.2, 0.8), st.floats(0.2, 0.8)),
    }
)


def uniform(mask, reach):
    """Where a pixel's neighbours up to `reach` away all have its value."""
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    same = cv2.dilate(mask, kernel) == cv2.erode(mask, kernel)
    same[:reach] = same[-reach:] = same[:, :reach] = same[:, -reach:] = False
    return same


@given(affines, st.sampled_from([0.0, 0.03]), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_class_and_colour_agree_to_the_pixel(change, elastic, seed):
    size = 128
    pixels, mask = shapes(seed)
    matrix = affine(**change, size=size, height=180, width=240)
    shift = draw_displacements(size, np.random.default_rng(seed), elastic)
    moved, moved_mask = warp(pixels, mask, matrix, size, shift)
    # Within two pixels of an outline a colour may be a mixture; more where it is enlarged.
    stretch = max(change["stretch"], 1 / change["stretch"])
    sure = uniform(moved_mask, 1 + math.ceil(max(1, change["scale"]) * stretch))
    inside = sure & (moved_mask != VOID)
    assert inside.any()
    np.testing.assert_array_equal(moved[inside], COLOURS[moved_mask[inside]])
    assert (moved[sure & (moved_mask == VOID)] == FILL).all()


def places_picture(side=225):
    """Where each pixel is: in its colours, x and y; in the mask, the number of its tile of 15.

    The colours are float, so that no rounding hides a shift by half a pixel.
    """
    y, x = np.indices((side, side))
    return np.stack([x, y, 0 * x], -1).astype(np.float32), (x // 15 + 15 * (y // 15)).astype(
        np.uint8
    )


@given(affines, st.sampled_from([0.0, 0.03]), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_picture_and_mask_come_from_the_place_that_the_map_says(change, elastic, seed):
    size = 96
    pixels, mask = places_picture()
    matrix = affine(**change, size=size, height=225, width=225)
    shift = draw_displacements(size, np.random.default_rng(seed), elastic)
    moved, moved_mask = warp(pixels, mask, matrix, size, shift)
    y, x = np.indices((size, size))
    if shift is not None:
        x, y = x + shift[..., 0], y + shift[..., 1]
    # From the square back to the picture, midpoint to midpoint.
    back = cv2.invertAffineTransform(matrix)
    source = np.einsum("ij,yxj->yxi", back[:, :2], np.stack([x, y], -1) + 0.5) + back[:, 2] - 0.5
    # Shrunk by area, a pixel reaches as far as it is large; at the edge grey is mixed in.
    reach = 2 / min(1, change["scale"])
    inside = ((source > reach) & (source < 224 - reach)).all(-1)
    assert inside.any()
    off = (moved[..., :2] - source)[inside]
    # OpenCV looks between pixels in steps of 1/32; what is shrunk by area is a little off too.
    assert np.abs(off).max() <= (0.03 if change["scale"] >= 0.61 else 0.2)
    # The mask's pixel is the nearest one.
    tiles = moved_mask[inside]
    corner = 15 * np.stack([tiles % 15, tiles // 15], -1)
    nearest = source[inside]
    assert (nearest >= corner - 0.55).all() and (nearest <= corner + 14.55).all()


@pytest.mark.parametrize("name", ["light", "strong", "everything"])
@pytest.mark.parametrize("patches", [False, True], ids=["whole", "patches"])
def test_random_changes_keep_them_together(name, patches):
    augmentation = replace(AUGMENTATIONS.get(name, EVERYTHING), colour=0)
    judged = 0
    for seed in range(12):
        pixels, mask = shapes(seed, 150 + 9 * seed, 260 - 11 * seed)
        moved, moved_mask = augment(
            pixels, mask, 96, np.random.default_rng(seed), augmentation, patches=patches
        )
        sure = uniform(moved_mask, 2) & (moved_mask != VOID)
        np.testing.assert_array_equal(moved[sure], COLOURS[moved_mask[sure]])
        judged += sure.sum()
    assert judged > 12 * 96**2 / 4


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (7, 3), (300, 20), (64, 64), (1000, 900)])
@pytest.mark.parametrize("patches", [False, True], ids=["whole", "patches"])
def test_a_picture_of_any_size_becomes_the_square(shape, patches):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    mask = rng.integers(0, 4, shape, dtype=np.uint8)
    mask[0, 0] = VOID
    before = pixels.copy(), mask.copy()
    seen = 0
    for seed in range(6):
        moved, moved_mask = augment(
            pixels, mask, 48, np.random.default_rng(seed), AUGMENTATIONS["strong"], patches=patches
        )
        assert moved.shape == (48, 48, 3) and moved.dtype == np.uint8
        assert moved_mask.shape == (48, 48) and moved_mask.dtype == np.uint8
        assert set(np.unique(moved_mask)) <= {0, 1, 2, 3, VOID}
        seen += (moved_mask != VOID).any()
    assert seen >= 5 or min(shape) == 1
    # Nothing is written into what was given.
    np.testing.assert_array_equal(pixels, before[0])
    np.testing.assert_array_equal(mask, before[1])


def test_the_generator_decides_all():
    pixels, mask = shapes(1)
    first, again, other = (
        augment(pixels, mask, 64, np.random.default_rng(seed), AUGMENTATIONS["strong"])
        for seed in (2, 2, 3)
    )
    for part, same, another in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(part, same)
        assert (part != another).any()


def test_without_augmentation_a_picture_of_the_squares_size_stays_as_it_is():
    pixels, mask = shapes(4, 128, 128)
    moved, moved_mask = augment(pixels, mask, 128, np.random.default_rng(0), AUGMENTATIONS["none"])
    np.testing.assert_array_equal(moved, pixels)
    np.testing.assert_array_equal(moved_mask, mask)


@pytest.mark.parametrize(("height", "width"), [(128, 80), (60, 128), (256, 160)])
def test_without_augmentation_a_picture_is_whole_and_the_rest_is_void(height, width):
    pixels, mask = shapes(5, height, width)
    moved, moved_mask = augment(pixels, mask, 128, np.random.default_rng(1), AUGMENTATIONS["none"])
    scale = 128 / max(height, width)
    rows, columns = (np.flatnonzero((moved_mask != VOID).any(axis)) for axis in (1, 0))
    assert (len(rows), len(columns)) == pytest.approx((height * scale, width * scale), abs=1)
    assert (moved_mask != VOID).sum() == len(rows) * len(columns)
    for class_id in range(4):
        share = (mask == class_id).sum() * scale**2
        assert (moved_mask == class_id).sum() == pytest.approx(share, rel=0.05, abs=15)
    outside = uniform(moved_mask, 2) & (moved_mask == VOID)
    assert outside.any() and (moved[outside] == FILL).all()


def test_patches_keep_the_size_of_things_and_others_fit_the_picture_in():
    """Of a picture eight times the square, a patch shows an eighth at its own scale."""
    augmentation = AUGMENTATIONS["none"]
    for seed in range(10):
        rng = np.random.default_rng(seed)
        matrix = draw_affine(800, 600, 100, rng, augmentation, True)
        np.testing.assert_allclose(matrix[:, :2], np.eye(2))
        # Nothing of the square lies outside the picture.
        for x, y in ((0, 0), (100, 100)):
            across, down = (x, y) - matrix[:, 2]
            assert 0 <= across <= 600 and 0 <= down <= 800
        whole = draw_affine(800, 600, 100, rng, augmentation, False)
        np.testing.assert_allclose(whole[:, :2], np.eye(2) / 8)
        for x, y in ((0, 0), (600, 800)):
            corner = whole @ (x, y, 1)
            assert (corner >= -1e-9).all() and (corner <= 100 + 1e-9).all()
    small = draw_affine(20, 300, 100, np.random.default_rng(0), augmentation, True)
    assert small[0, 0] == pytest.approx(2.5)  # so that it fills half the square


def test_changes_are_drawn_within_their_bounds():
    augmentation = replace(AUGMENTATIONS["strong"], flip=0.5)
    mirrored = flipped = 0
    scales = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        linear = draw_affine(100, 100, 100, rng, augmentation, False)[:, :2]
        lengths = np.hypot(*linear)
        scales.append(np.sqrt(lengths.prod()))
        ratio = lengths[0] / lengths[1]
        assert 1 / 1.3 - 1e-6 <= ratio <= 1.3 + 1e-6
        mirrored += linear[0, 0] < 0
        flipped += linear[1, 1] < 0
        turn = np.degrees(np.arctan2(linear[1, 0], linear[0, 0]))
        assert min(abs(turn), 180 - abs(turn)) <= 25 + 1e-6
    assert 100 < mirrored < 200 and 100 < flipped < 200
    assert 0.5 <= min(scales) < 0.6 and 1.7 < max(scales) <= 2


def test_displacements_are_smooth_and_as_large_as_asked_for():
    spreads = []
    for seed in range(40):
        shift = draw_displacements(120, np.random.default_rng(seed), 0.02)
        assert shift.shape == (120, 120, 2) and shift.dtype == np.float32
        # Neighbours stay neighbours and nothing folds over.
        assert max(np.abs(np.diff(shift, axis=axis)).max() for axis in (0, 1)) < 0.5
        spreads.append(shift[60, 60])
    assert np.std(spreads) == pytest.approx(0.02 * 120, rel=0.35)
    assert draw_displacements(120, np.random.default_rng(0), 0) is None


def test_colours_change_as_often_as_asked_for_and_the_mask_never():
    pixels, mask = shapes(2, 64, 64)
    plain = AUGMENTATIONS["none"]
    changed = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        moved, moved_mask = augment(pixels, mask, 64, rng, replace(plain, colour=0.5))
        np.testing.assert_array_equal(moved_mask, mask)
        changed += (moved != pixels).any()
    assert 15 < changed < 45


def test_the_map_of_no_change_is_each_pixels_own_place():
    across, down = pixel_map(np.eye(2, 3), 5, None)
    rows, columns = np.indices((5, 5))
    np.testing.assert_allclose(across, columns)
    np.testing.assert_allclose(down, rows)
