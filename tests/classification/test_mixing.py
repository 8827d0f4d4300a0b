"""The share of each picture is read off flat pictures and compared with the targets'."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvtool.classification import mixing
from cvtool.classification.augmentation import AUGMENTATIONS, Augmentation
from cvtool.classification.mixing import draw_box, mix

MIXUP = Augmentation(mixup=0.8)
CUTMIX = Augmentation(cutmix=1.0)
ONE_HOT = np.eye(6, dtype=np.float32)


@pytest.fixture
def always(monkeypatch):
    monkeypatch.setattr(mixing, "MIXED_SHARE", 1.0)


def noise(dtype=np.uint8, count=6):
    pixels = np.random.default_rng(0).integers(0, 256, (count, 9, 12, 3))
    return pixels.astype(dtype)


def partners(targets):
    """Of each row of mixed one-hot targets: its partner."""
    others = targets.copy()
    np.fill_diagonal(others, -1)
    return others.argmax(axis=1)


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
def test_mixup_is_a_convex_combination(always, dtype):
    pictures = noise(dtype)
    shares = []
    for seed in range(30):
        mixed, targets = mix(pictures, ONE_HOT, np.random.default_rng(seed), MIXUP)
        assert mixed.dtype == dtype
        assert targets.dtype == np.float32
        assert np.allclose(targets.sum(axis=1), 1)
        share = np.diag(targets)
        assert (share == share[0]).all()
        shares.append(float(share[0]))
        partner = partners(targets)
        assert sorted(partner) == list(range(6))
        expected = shares[-1] * pictures.astype(float) + (1 - shares[-1]) * pictures[partner]
        tolerance = {np.uint8: 0.5001, np.float16: 0.2}.get(dtype, 1e-4)
        assert np.abs(mixed - expected).max() <= tolerance
    assert min(shares) < 0.2
    assert max(shares) > 0.8


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_cutmix_targets_have_the_share_of_the_pixels(always, dtype):
    numbers = np.arange(6)
    pictures = np.broadcast_to(numbers[:, None, None, None], (6, 31, 17, 3)).astype(dtype)
    shares = []
    for seed in range(60):
        mixed, targets = mix(pictures, ONE_HOT, np.random.default_rng(seed), CUTMIX)
        assert mixed.dtype == dtype
        own = mixed == pictures
        counted = [[(picture[..., 0] == number).mean() for number in numbers] for picture in mixed]
        assert np.allclose(targets, counted, atol=1e-6)
        rows, columns = np.nonzero(~own[0, ..., 0])
        if len(rows):
            assert len(rows) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)  # a filled box
        shares.append(own.mean())
    assert min(shares) < 0.3
    assert max(shares) > 0.9


@pytest.mark.parametrize("how", [MIXUP, CUTMIX])
def test_what_is_not_labelled_on_either_side_stays_so(always, how):
    targets = np.array([[0, 1, np.nan, 1], [1, np.nan, 0, 1]], np.float32)
    pictures = noise(count=2)
    seen = 0
    for seed in range(20):
        mixed, result = mix(pictures, targets, np.random.default_rng(seed), how)
        if (mixed == pictures).all():
            continue
        seen += 1
        assert np.isnan(result[:, 1:3]).all()
        assert not np.isnan(result[:, [0, 3]]).any()
        assert np.allclose(result[:, 3], 1)
        assert np.allclose(result[:, 0].sum(), 1)
    assert seen >= 15


def test_a_box_outside_changes_neither_pictures_nor_labels(always, monkeypatch):
    monkeypatch.setattr(mixing, "draw_box", lambda *_: (3, 0, 3, 5))
    targets = np.array([[0, np.nan], [1, 1]], np.float32)
    mixed, result = mix(noise(count=2), targets, np.random.default_rng(0), CUTMIX)
    assert (mixed == noise(count=2)).all()
    assert np.array_equal(result, targets, equal_nan=True)


def test_either_or_neither():
    """Mixup changes nearly all pixels of a batch, CutMix those of a box only."""
    pictures = noise()
    found = {"neither": 0, "box": 0, "all": 0}
    both = Augmentation(mixup=5, cutmix=1.0)
    for seed in range(400):
        mixed, targets = mix(pictures, ONE_HOT, np.random.default_rng(seed), both)
        changed = (mixed != pictures).any(axis=-1).mean()
        if (targets == ONE_HOT).all():
            assert changed == 0
            found["neither"] += 1
        else:
            inside = (mixed == pictures[partners(targets)]).all(axis=-1)
            own = (mixed == pictures).all(axis=-1)
            found["box" if (inside | own).all() else "all"] += 1
    assert 150 < found["neither"] < 250
    assert 60 < found["box"] < 140
    assert 60 < found["all"] < 140


@pytest.mark.parametrize("how", [AUGMENTATIONS["none"], AUGMENTATIONS["light"]])
def test_off_means_off(always, how):
    for seed in range(10):
        mixed, targets = mix(noise(), ONE_HOT, np.random.default_rng(seed), how)
        assert (mixed == noise()).all()
        assert (targets == ONE_HOT).all()


@pytest.mark.parametrize("how", [MIXUP, CUTMIX])
def test_the_generator_decides_and_inputs_stay(always, how):
    pictures, targets = noise(), ONE_HOT.copy()
    first, again, other = (mix(pictures, targets, np.random.default_rng(n), how) for n in (1, 1, 2))
    assert (first[0] == again[0]).all()
    assert (first[1] == again[1]).all()
    assert (first[0] != other[0]).any()
    assert (pictures == noise()).all()
    assert (targets == ONE_HOT).all()
    alone = mix(pictures[:1], targets[:1], np.random.default_rng(1), how)
    assert (alone[0] == pictures[:1]).all()
    assert not np.shares_memory(alone[0], pictures)
    assert not np.shares_memory(alone[1], targets)


def test_differing_numbers_are_refused():
    with pytest.raises(ValueError, match="6 pictures"):
        mix(noise(), ONE_HOT[:5], np.random.default_rng(0), MIXUP)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.floats(0, 1), st.integers(0, 2**32))
def test_boxes_lie_inside_and_are_no_larger_than_drawn(height, width, share, seed):
    left, top, right, bottom = draw_box(height, width, np.random.default_rng(seed), share)
    assert 0 <= left <= right <= width
    assert 0 <= top <= bottom <= height
    assert right - left <= width * np.sqrt(share) + 1
    assert bottom - top <= height * np.sqrt(share) + 1


def test_boxes_lie_everywhere():
    rng = np.random.default_rng(0)
    covered = np.zeros((40, 60))
    for _ in range(2000):
        left, top, right, bottom = draw_box(40, 60, rng, 0.1)
        covered[top:bottom, left:right] += 1
    assert covered.min() > 20
    assert abs(covered[10:30, 15:45].mean() / 2000 - 0.1) < 0.01
