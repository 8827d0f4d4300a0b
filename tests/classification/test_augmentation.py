"""Changes of shape are followed by a marked point, changes of colour by flat pictures."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvtool.classification.augmentation import (
    ASPECTS,
    AUGMENTATIONS,
    Augmentation,
    augment,
    colour_basis,
    draw_affine,
    draw_colour_matrix,
    draw_crop,
)
from cvtool.classification.views import centre_view

GREY_WEIGHTS = np.array([0.299, 0.587, 0.114])
BASIS = np.array([[40, 10, 2], [42, -3, -4], [41, -8, 3]], np.float32)
SHAPE = Augmentation(mirror=True, crop=0.3, rotation=25, shear=12)
SEEDS = st.integers(0, 2**32)


def noise(height, width, seed=0, low=0, high=256):
    return np.random.default_rng(seed).integers(low, high, (height, width, 3), np.uint8)


def rngs(seed, count=2):
    return [np.random.default_rng(seed) for _ in range(count)]


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(1, 50),
    st.sampled_from([*AUGMENTATIONS.values(), SHAPE, Augmentation(warp=0.1, colour=1, pca=1)]),
    SEEDS,
)
def test_any_size_gives_a_square_decided_by_the_generator(height, width, side, how, seed):
    pixels = noise(height, width)
    before = pixels.copy()
    first, again = (augment(pixels, side, rng, how, BASIS) for rng in rngs(seed))
    assert first.dtype == np.uint8
    assert first.shape == (side, side, 3)
    assert (first == again).all()
    assert (pixels == before).all()


@pytest.mark.parametrize("shape", [(3, 40_000), (40_000, 3), (2500, 1800)])
def test_very_long_and_large_pictures(shape):
    pixels = np.full((*shape, 3), 90, np.uint8)
    for seed in range(4):
        view = augment(pixels, 32, np.random.default_rng(seed), AUGMENTATIONS["strong"])
        assert view.shape == (32, 32, 3)


@pytest.mark.parametrize("how", ["light", "strong"])
def test_another_seed_gives_another_picture(how):
    pixels = noise(64, 64)
    views = [
        augment(pixels, 32, np.random.default_rng(seed), AUGMENTATIONS[how]) for seed in (1, 2)
    ]
    assert (views[0] != views[1]).mean() > 0.5


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 50))
def test_none_is_the_centre_view(height, width, side):
    pixels = noise(height, width)
    view = augment(pixels, side, np.random.default_rng(0), AUGMENTATIONS["none"], BASIS)
    assert (view == centre_view(pixels, side)).all()


def test_half_of_the_pictures_are_mirrored():
    pixels = noise(40, 50)
    plain = centre_view(pixels, 24)
    rng = np.random.default_rng(0)
    views = [augment(pixels, 24, rng, Augmentation(mirror=True)) for _ in range(400)]
    mirrored = [(view == plain[:, ::-1]).all() for view in views]
    assert all(found or (view == plain).all() for found, view in zip(mirrored, views, strict=True))
    assert 160 <= sum(mirrored) <= 240
    # The other way, through the warp.
    turned = [np.linalg.det(draw_affine(40, 50, 24, rng, SHAPE)[:, :2]) < 0 for _ in range(400)]
    assert 160 <= sum(turned) <= 240
    never = Augmentation(rotation=20)
    assert all(np.linalg.det(draw_affine(40, 50, 24, rng, never)[:, :2]) > 0 for _ in range(50))


@pytest.mark.parametrize("height, width", [(50, 70), (160, 120), (700, 900)])
@pytest.mark.parametrize(
    "how", [SHAPE, Augmentation(crop=0.2), Augmentation(rotation=40), Augmentation(shear=30)]
)
def test_a_marked_point_lands_where_the_matrix_says(height, width, how):
    side, drifts = 128, []
    rows, columns = np.mgrid[:height, :width]
    for seed in range(30):
        affine_rng, rng = rngs(seed)
        matrix = draw_affine(height, width, side, affine_rng, how)
        target = np.random.default_rng([seed, 1]).uniform(40, side - 40, 2)
        x, y = matrix @ [*target, 1]
        if not (0 <= x < width and 0 <= y < height):
            continue
        spread = 3 * math.sqrt(abs(np.linalg.det(matrix[:, :2])))
        mark = 250 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * spread**2))
        pixels = np.repeat(np.rint(mark)[..., None], 3, axis=-1).astype(np.uint8)
        # A reflection at the picture's edge is another mark, so only its surroundings count.
        around = np.hypot(*np.mgrid[:side, :side] - target[::-1, None, None]) < 12
        seen = augment(pixels, side, rng, how)[..., 0] * around
        if min(x, width - x, y, height - y) < 5 * spread:
            continue
        centre = np.array([(seen * along).sum() for along in np.mgrid[:side, :side][::-1]])
        drifts.append(centre / seen.sum() - target)
        assert np.abs(drifts[-1]).max() < 0.3, seed
    assert len(drifts) >= 8
    # Over many pictures a small shift to one side would show.
    assert np.abs(np.mean(drifts, axis=0)).max() < 0.1


def test_turn_and_slant_stay_in_their_range_and_keep_the_area():
    rng = np.random.default_rng(3)
    turns, slants = [], []
    for _ in range(300):
        how = Augmentation(rotation=15, shear=8)
        linear = draw_affine(100, 200, 50, rng, how)[:, :2]
        assert math.isclose(np.linalg.det(linear), (100 / 50) ** 2)
        across, down = linear.T
        turns.append(math.degrees(math.atan2(across[1], across[0])))
        slant = math.degrees(
            math.acos(across @ down / np.linalg.norm(across) / np.linalg.norm(down))
        )
        slants.append(90 - slant)
    for drawn, limit in ((turns, 15), (slants, 8)):
        assert 0.9 * limit < max(drawn) <= limit + 1e-6
        assert -limit - 1e-6 <= min(drawn) < -0.9 * limit


def test_the_middle_stays_the_middle_without_a_crop():
    for seed in range(20):
        how = Augmentation(mirror=True, rotation=180, shear=60)
        matrix = draw_affine(60, 80, 33, np.random.default_rng(seed), how)
        assert np.allclose(matrix @ [16, 16, 1], [39.5, 29.5])


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 3000),
    st.integers(1, 3000),
    st.floats(0.01, 1),
    SEEDS,
)
def test_a_crop_keeps_its_share_and_its_aspect(height, width, smallest, seed):
    left, top, across, down = draw_crop(height, width, np.random.default_rng(seed), smallest)
    assert left >= 0
    assert top >= 0
    assert left + across <= width * (1 + 1e-9)
    assert top + down <= height * (1 + 1e-9)
    share = across * down / (height * width)
    assert share >= smallest * (1 - 1e-9)
    # The largest share that a window of an allowed aspect can have in this picture.
    possible = min(1, ASPECTS[1] * height / width, width / height / ASPECTS[0])
    if possible >= smallest:
        assert ASPECTS[0] * (1 - 1e-9) <= across / down <= ASPECTS[1] * (1 + 1e-9)
    else:
        assert math.isclose(share, smallest)
        assert math.isclose(across, width) or math.isclose(down, height)


def test_crops_differ_in_share_aspect_and_place():
    rng = np.random.default_rng(0)
    crops = np.array([draw_crop(100, 100, rng, 0.25) for _ in range(1000)])
    shares = crops[:, 2] * crops[:, 3] / 10_000
    aspects = crops[:, 2] / crops[:, 3]
    assert shares.min() < 0.27
    assert shares.max() > 0.98
    assert abs(shares.mean() - 0.625) < 0.03
    assert aspects.min() < 0.78
    assert aspects.max() > 1.29
    room = 100 - crops[:, 2:]
    assert np.abs((crops[:, :2] / room).mean(axis=0) - 0.5).max() < 0.05


def test_a_crop_fills_the_square():
    for seed in range(30):
        affine_rng, rng = rngs(seed)
        matrix = draw_affine(90, 120, 40, affine_rng, Augmentation(crop=0.3))
        left, top, across, down = draw_crop(90, 120, rng, 0.3)
        # Positions between pixels: -0.5 is the edge of the first.
        corners = matrix @ [[-0.5, 39.5], [-0.5, 39.5], [1, 1]]
        assert np.allclose(corners + 0.5, [[left, left + across], [top, top + down]])


@pytest.mark.parametrize("size", [(40, 40), (33, 150), (400, 300)])
def test_no_corner_is_filled_with_anything_but_the_picture(size):
    pixels = np.full((*size, 3), 200, np.uint8)
    how = Augmentation(True, crop=0.25, rotation=180, shear=40, warp=0.1)
    for seed in range(30):
        assert (augment(pixels, 48, np.random.default_rng(seed), how) == 200).all()


def test_much_shrunk_pictures_are_averaged():
    """Single black and white pixels become an even grey, as by INTER_AREA."""
    pixels = noise(1000, 1000) // 128 * 255
    for seed in range(5):
        view = augment(pixels, 50, np.random.default_rng(seed), Augmentation(crop=0.8, rotation=9))
        assert view.std() < 15
        assert abs(view.mean() - 127.5) < 2


def test_warp_is_smooth_and_within_its_range():
    side, amplitude = 256, 0.03
    ramp = np.broadcast_to(np.arange(side, dtype=np.uint8), (side, side))
    pixels = np.stack([ramp, ramp.T, ramp], axis=-1)
    inner = slice(32, -32)
    for seed in range(10):
        view = augment(pixels, side, np.random.default_rng(seed), Augmentation(warp=amplitude))
        moved = (view.astype(int) - pixels)[inner, inner, :2]
        # A cubic through the coarse points overshoots them.
        assert 0.3 * amplitude * side < np.abs(moved).max() <= 1.9 * amplitude * side + 1
        steps = np.diff(view[inner, inner, 0].astype(int), axis=1)
        assert steps.min() >= 0  # no fold
        assert steps.max() <= 3
        assert np.abs(np.corrcoef(moved[..., 0].ravel(), moved[..., 1].ravel())[0, 1]) < 0.95


def test_colours_follow_the_matrix():
    pixels = noise(30, 30)
    grey = float((pixels.mean(axis=(0, 1)) * GREY_WEIGHTS).sum())
    how = Augmentation(colour=0.6, pca=0.2)
    for seed in range(20):
        matrix_rng, rng = rngs(seed)
        matrix = draw_colour_matrix(grey, matrix_rng, how, BASIS)
        expected = pixels @ matrix[:, :3].T + matrix[:, 3]
        view = augment(pixels, 30, rng, how, BASIS)
        assert np.abs(view - np.clip(expected, 0, 255)).max() <= 1.01
        assert np.abs(view.astype(int) - pixels).mean() > 2


def test_brightness_contrast_saturation_and_hue_are_what_they_are_called():
    rng = np.random.default_rng(0)
    brightness, contrast, saturation, turns = [], [], [], []
    # Two colours with the same grey level, along the axes of YIQ.
    i_axis, q_axis = np.array([0.9563, -0.2721, -1.107]), np.array([0.6210, -0.6474, 1.7046])
    for _ in range(400):
        matrix = draw_colour_matrix(100.0, rng, Augmentation(colour=0.5))
        linear, shift = matrix[:, :3], matrix[:, 3]
        grey = linear @ np.full(3, 100.0) + shift
        assert np.ptp(grey) < 1e-3 * 100  # greys stay grey
        brightness.append(grey[0] / 100)
        lighter = (linear @ np.full(3, 200.0) + shift)[0] - grey[0]
        contrast.append(lighter / 100 / brightness[-1])
        along_i = linear @ i_axis / (brightness[-1] * contrast[-1])
        assert abs(GREY_WEIGHTS @ along_i) < 1e-3  # a turn of hue keeps the grey level
        parts = np.linalg.lstsq(np.stack([i_axis, q_axis], -1), along_i, rcond=None)[0]
        saturation.append(np.hypot(*parts))
        turns.append(math.degrees(math.atan2(parts[1], parts[0])))
    for gains in (brightness, contrast, saturation):
        assert 0.69 < min(gains) < 0.73
        assert 1.27 < max(gains) < 1.31
    assert -18.1 < min(turns) < -16.5
    assert 16.5 < max(turns) < 18.1


def test_no_colour_change_is_the_identity():
    matrix = draw_colour_matrix(90.0, np.random.default_rng(0), Augmentation())
    assert np.allclose(matrix, np.eye(3, 4), atol=1e-12)


def test_pca_shift_is_one_colour_in_the_span_of_the_basis():
    plane = BASIS.copy()
    plane[:, 2] = 0
    normal = np.cross(plane[:, 0], plane[:, 1])
    normal /= np.linalg.norm(normal)
    pixels = noise(20, 20, low=100, high=156)
    sizes = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        shift = augment(pixels, 20, rng, Augmentation(pca=0.3), plane).astype(int) - pixels
        assert (shift == shift[0, 0]).all()
        # Each of three colours is rounded by up to a half.
        assert abs(shift[0, 0] @ normal) <= math.sqrt(3) / 2 + 0.01
        sizes.append(np.linalg.norm(shift[0, 0]))
    assert max(sizes) > 5
    same = augment(pixels, 20, np.random.default_rng(0), Augmentation(pca=0.3))
    assert (same == pixels).all()


def test_pca_shift_has_its_standard_deviation():
    rng = np.random.default_rng(0)
    how = Augmentation(pca=0.1)
    shifts = np.array([draw_colour_matrix(9.0, rng, how, BASIS)[:, 3] for _ in range(4000)])
    parts = np.linalg.solve(BASIS, shifts.T)
    assert np.allclose(parts.std(axis=1), 0.1, rtol=0.05)
    assert np.abs(parts.mean(axis=1)).max() < 0.01


def test_colour_basis_is_the_root_of_the_covariance():
    rng = np.random.default_rng(0)
    spread = rng.normal(0, 1, (2000, 3)) @ [[30, 28, 25], [6, -2, -5], [1, -3, 2]]
    pixels = np.clip(np.rint(128 + spread), 0, 255).astype(np.uint8).reshape(40, 50, 3)
    basis = colour_basis([pixels])
    assert basis.dtype == np.float32
    assert np.allclose(basis @ basis.T, np.cov(pixels.reshape(-1, 3).T, bias=True), rtol=1e-4)
    lengths = np.linalg.norm(basis, axis=0)
    assert lengths[0] > lengths[1] > lengths[2]
    inner = basis.T @ basis
    assert np.abs(inner - np.diag(np.diag(inner))).max() < 1e-2
    # A large picture weighs as much as a small one; enlarging by pixels changes no colour.
    large = pixels.repeat(20, axis=0).repeat(20, axis=1)
    other = 255 - pixels // 2
    assert np.allclose(colour_basis([pixels, other]), colour_basis([large, other]), atol=1.0)


def test_colour_basis_of_flat_pictures_and_of_none():
    flat = np.full((5, 7, 3), 40, np.uint8)
    assert np.allclose(colour_basis([flat, flat]), 0, atol=1e-3)
    with pytest.raises(ValueError, match="at least one picture"):
        colour_basis([])


def test_presets():
    assert AUGMENTATIONS["none"] == Augmentation()
    assert list(AUGMENTATIONS) == ["none", "light", "strong"]
    light, strong = AUGMENTATIONS["light"], AUGMENTATIONS["strong"]
    assert not (light.mixup or light.cutmix)
    assert strong.crop < light.crop
    pixels = cv2.GaussianBlur(noise(64, 64), (0, 0), 4)
    changes = [
        np.mean(
            [
                np.abs(augment(pixels, 64, rng, how, BASIS).astype(int) - pixels).mean()
                for rng in map(np.random.default_rng, range(30))
            ]
        )
        for how in AUGMENTATIONS.values()
    ]
    assert changes[0] == 0
    assert 0 < changes[1] < changes[2]


@pytest.mark.parametrize(
    "field, value",
    [
        ("crop", 0),
        ("crop", 1.1),
        ("rotation", -1),
        ("rotation", 181),
        ("shear", 61),
        ("warp", 0.11),
        ("colour", 1.5),
        ("pca", -0.1),
        ("mixup", -1),
        ("cutmix", math.inf),
        ("mixup", math.nan),
        ("crop", math.nan),
    ],
)
def test_fields_out_of_range_are_refused(field, value):
    with pytest.raises(ValueError, match=field):
        Augmentation(**{field: value})
