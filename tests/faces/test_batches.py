"""Batches of faces: who is in them, and how they are changed."""

import numpy as np
import pytest

from cvtool.faces.augmentation import NONE, FaceAugmentation, augment
from cvtool.faces.batches import FaceBatches

LABELS = np.array([0, 0, 0, 1, 2, 2, 3, 3, 3, 3, 4, 5, 5, 6])


def store(labels=LABELS, side=40):
    """A face's level tells which one it is."""
    return np.arange(10, 10 + 10 * len(labels), 10, dtype=np.uint8)[:, None, None, None] * np.ones(
        (1, side, side, 3), np.uint8
    )


def who(pixels):
    """The positions of unchanged faces."""
    return (pixels[:, 16, 16, 0].astype(int) - 10) // 10


def test_an_epoch_shows_each_picture_once():
    batches = FaceBatches(store(), LABELS, 32, pictures=7, augmentation=NONE)
    assert len(batches) == 2
    pixels, labels = map(np.concatenate, zip(batches[0], batches[1], strict=True))
    assert pixels.shape == (14, 32, 32, 3) and pixels.dtype == np.uint8
    assert sorted(who(pixels)) == list(range(14))
    assert np.array_equal(LABELS[who(pixels)], labels)
    batches.on_epoch_end()
    assert not np.array_equal(who(batches[0][0]), who(pixels)[:7])


def test_a_batch_for_triplets_holds_several_pictures_of_several_people():
    batches = FaceBatches(store(), LABELS, 32, people=3, pictures=3, steps=20, augmentation=NONE)
    assert len(batches) == 20
    seen = set()
    for index in range(20):
        pixels, labels = batches[index]
        assert np.array_equal(LABELS[who(pixels)], labels)
        numbers, counts = np.unique(labels, return_counts=True)
        assert len(numbers) == 3 and (counts == 3).all()
        for number in numbers:
            pictures = who(pixels)[labels == number]
            assert len(set(pictures)) == min(3, (number == LABELS).sum())
        seen.update(numbers.tolist())
    assert seen == {0, 2, 3, 5}  # the others have one picture


def test_a_batch_depends_on_seed_epoch_and_index_alone():
    first = FaceBatches(store(), LABELS, 32, people=2, pictures=2, steps=4, seed=1, epoch=3)
    again = FaceBatches(store(), LABELS, 32, people=2, pictures=2, steps=4, seed=1, epoch=2)
    again.on_epoch_end()
    for index in (3, 1):
        for one, other in zip(first[index], again[index], strict=True):
            np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first[0][0], first[1][0])


def gradient(side=60):
    y, x = np.indices((side, side))
    return np.stack([4 * x, 4 * y, 0 * x + 100], -1).astype(np.uint8)


def test_without_changes_the_middle_is_cut_out_or_mirrored():
    face = gradient()
    expected = face[10:50, 10:50]
    seen = set()
    for seed in range(12):
        found = augment(face, 40, np.random.default_rng(seed), NONE)
        mirrored = np.array_equal(found, expected[:, ::-1])
        assert mirrored or np.array_equal(found, expected)
        seen.add(mirrored)
    assert seen == {True, False}


@pytest.mark.parametrize(
    ("amounts", "change"),
    [
        ({"degrees": 20}, lambda a, b: np.abs(a - b).max() > 10),
        ({"scale": 0.3}, lambda a, b: abs(np.ptp(a[..., 0]) - np.ptp(b[..., 0])) > 5),
        ({"shift": 0.1}, lambda a, b: np.abs(a.mean((0, 1)) - b.mean((0, 1))).max() > 2),
        ({"light": 0.5}, lambda a, b: abs(a.mean() - b.mean()) > 3),
        ({"grey": 1}, lambda a, b: np.ptp(a, axis=-1).max() == 0),
        ({"coarse": 1}, lambda a, b: np.abs(a - b).max() > 0),
        ({"hidden": 1}, lambda a, b: 0.005 < (a != b).any(-1).mean() < 0.15),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_change_does_what_it_says(amounts, change):
    plain = dict.fromkeys(FaceAugmentation.__slots__, 0)
    face = gradient()
    changed = 0
    for seed in range(20):
        one, other = (
            augment(face, 40, np.random.default_rng(seed), FaceAugmentation(**given)).astype(int)
            for given in (plain | amounts, plain)  # mirrored alike
        )
        changed += bool(change(one, other))
    assert changed >= 12
