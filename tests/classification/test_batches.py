"""Training batches: the same for the same numbers, whatever happened before."""

import numpy as np
import pytest

from cvtool.classification.augmentation import AUGMENTATIONS
from cvtool.classification.batches import (
    ClassificationBatches,
    ViewBatches,
    balanced_weights,
    one_hot,
)
from cvtool.classification.store import PictureStore
from cvtool.classification.views import centre_view
from cvtool.errors import PictureError
from cvtool.pictures.reading import read_picture
from tiny_classes import CLASSES, write_class_folders

SIDE = 24
LIGHT, NONE = AUGMENTATIONS["light"], AUGMENTATIONS["none"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = write_class_folders(tmp_path_factory.mktemp("shapes"), 5, side=32)
    return PictureStore(sorted(folder.rglob("*.png")), SIDE)


TARGETS = one_hot(np.repeat(np.arange(3), 5), len(CLASSES))


def batches(store, *, targets=TARGETS, indices=None, **changes):
    indices = np.arange(len(targets)) if indices is None else indices
    options = {"side": SIDE, "batch": 4, "augmentation": LIGHT, "seed": 5} | changes
    return ClassificationBatches(store, targets, indices, **options)


def same(first, second):
    return all((a == b).all() for a, b in zip(first, second, strict=True))


def all_of(data):
    return [data[i] for i in range(len(data))]


def test_the_last_batch_is_the_rest(store):
    data = batches(store)
    assert len(data) == 4
    found = all_of(data)
    assert [len(pictures) for pictures, _ in found] == [4, 4, 4, 3]
    pictures, targets = found[3]
    assert pictures.shape == (3, SIDE, SIDE, 3) and pictures.dtype == np.uint8
    assert targets.shape == (3, 3) and targets.dtype == np.float32


def test_each_picture_is_shown_once_an_epoch_with_its_own_target(store):
    data = batches(store, augmentation=NONE)
    assert sorted(data.order.tolist()) == list(range(15))
    for number, (pictures, targets) in enumerate(all_of(data)):
        for row, i in enumerate(data.order[4 * number : 4 * number + 4]):
            assert (pictures[row] == centre_view(store[i], SIDE)).all()
            assert (targets[row] == TARGETS[i]).all()


def test_only_the_chosen_pictures_are_shown(store):
    data = batches(store, indices=[2, 7, 11])
    assert len(data) == 1 and sorted(data.order.tolist()) == [2, 7, 11]


def test_a_batch_depends_on_seed_epoch_and_index_alone(store):
    first, second = batches(store), batches(store)
    # In another order, and one of them twice, as threads may ask for them.
    second[3], second[0]
    assert all(same(first[i], second[i]) for i in (2, 0, 3, 1))
    assert not same(first[0], batches(store, seed=6)[0])
    assert not same(first[0], batches(store, epoch=1)[0])
    assert not same(first[0], first[1])


def test_one_picture_looks_different_each_time(store):
    shown = [batches(store, indices=[3, 3], batch=1, epoch=e)[i][0] for e in (0, 1) for i in (0, 1)]
    shown.append(batches(store, indices=[3, 3], batch=1, seed=6)[0][0])
    assert len({pictures.tobytes() for pictures in shown}) == 5


def test_a_resumed_epoch_sees_what_an_uninterrupted_one_would(store):
    whole = batches(store)
    seen = []
    for _ in range(3):
        seen.append(all_of(whole))
        whole.on_epoch_end()
    resumed = batches(store, epoch=2)
    assert all(same(a, b) for a, b in zip(seen[2], all_of(resumed), strict=True))
    assert not all(same(a, b) for a, b in zip(seen[1], seen[2], strict=True))


def test_strong_batches_repeat_as_well_and_mix_targets(store):
    strong = AUGMENTATIONS["strong"]
    make = [batches(store, augmentation=strong, epoch=e) for e in range(8)]
    again = [batches(store, augmentation=strong, epoch=e) for e in range(8)]
    assert all(same(a[0], b[0]) for a, b in zip(make, again, strict=True))
    targets = np.concatenate([data[0][1] for data in make])
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
    assert ((targets > 0) & (targets < 1)).any()


def test_what_is_not_labelled_comes_as_minus_one(store):
    targets = TARGETS.copy()
    targets[:, 1] = np.nan
    found = batches(store, targets=targets)
    for number in range(len(found)):
        assert (found[number][1][:, 1] == -1).all()
        assert set(np.unique(found[number][1][:, [0, 2]])) <= {0, 1}
    assert np.isnan(targets[:, 1]).all()


def test_balance_draws_rare_classes_as_often_as_others():
    labels = np.repeat([0, 1, 2], [900, 90, 10])
    targets = one_hot(labels, 3)
    data = ClassificationBatches(
        None, targets, np.arange(1000), side=8, batch=10, augmentation=NONE, balance=True
    )
    drawn = []
    for _ in range(3):
        drawn.append(np.bincount(labels[data.order], minlength=3))
        data.on_epoch_end()
    # 3,000 draws of probability 1/3: the standard deviation is 26.
    assert np.abs(np.sum(drawn, axis=0) - 1000).max() < 130
    assert len(set(map(tuple, drawn))) == 3


def test_balance_counts_among_the_training_pictures_alone(store):
    # Of the class that is rare in training there are plenty elsewhere.
    indices = np.array([0, 1, 2, 3, 5])
    data = batches(store, indices=indices, balance=True)
    np.testing.assert_allclose(data.weights, [1 / 8] * 4 + [1 / 2])
    assert set(data.order) <= set(indices)


def test_balanced_weights_of_several_labels_go_by_the_rarest():
    nan = np.nan
    targets = np.array([[1, 0], [1, nan], [1, 1], [0, 0]], np.float32)
    weights = balanced_weights(targets)
    expected = np.array([1 / 3, 1 / 3, 1, 1 / 4])  # the last has no label at all
    np.testing.assert_allclose(weights, expected / expected.sum())


def test_the_error_of_a_broken_picture_is_kept(store, tmp_path):
    paths = [*store.paths[:2], tmp_path / "gone.png"]
    data = ClassificationBatches(
        PictureStore(paths, SIDE), TARGETS, [0, 1, 2], side=SIDE, batch=3, augmentation=NONE
    )
    assert data.problem is None
    with pytest.raises(PictureError, match="gone.png"):
        data[0]
    assert isinstance(data.problem, PictureError) and "gone.png" in str(data.problem)


def test_views_come_in_order_and_mirrored(store):
    indices = [4, 0, 9, 14, 2]
    views = ViewBatches(store, indices, batch=2)
    assert len(views) == 3
    found = np.concatenate([views[i] for i in range(3)])
    expected = np.stack([centre_view(read_picture(store.paths[i]), SIDE) for i in indices])
    assert (found == expected).all() and found.dtype == np.uint8
    mirrored = ViewBatches(store, indices, mirrored=True, batch=2)
    assert (mirrored[1] == expected[2:4, :, ::-1]).all()


def test_one_hot():
    assert one_hot([2, 0], 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    rows = [[0, np.nan], [1, 0]]
    found = one_hot(rows, 2)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.array(rows, np.float32))
