import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvtool.datasets.splits import choose_shares, keep_together, parse_split, stratified_split

SHARES = st.sampled_from(
    [
        (0.6, 0.2, 0.2),
        (0.8, 0.1, 0.1),
        (0.98, 0.01, 0.01),
        (0.8, 0.2),
        (0.7, 0.3, 0.0),
        (0.5, 0, 0.5),
    ]
)


def assigned_by(parts, count):
    """The split of each picture; fails unless the parts are a partition."""
    split = np.full(count, -1)
    for number, part in enumerate(parts):
        assert part.dtype == np.int64
        assert (np.diff(part) > 0).all()
        assert (split[part] == -1).all()
        split[part] = number
    assert (split >= 0).all()
    return split


@pytest.mark.parametrize(
    ("count", "shares"),
    [
        (0, (0.6, 0.2, 0.2)),
        (5_000, (0.6, 0.2, 0.2)),
        (7_500, (0.74, 0.13, 0.13)),
        (10_000, (0.8, 0.1, 0.1)),
        (99_999, (0.8, 0.1, 0.1)),
        (100_000, (0.98, 0.01, 0.01)),
    ],
)
def test_shares_by_size(count, shares):
    assert choose_shares(count) == shares
    train, dev, test = shares
    assert choose_shares(count, test_given=True) == pytest.approx((train + test, dev, 0))
    assert choose_shares(count, dev_given=True) == pytest.approx((train + dev, 0, test))
    assert choose_shares(count, test_given=True, dev_given=True) == (1, 0, 0)


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("70/15/15", (0.7, 0.15, 0.15)),
        ("0.7/0.15/0.15", (0.7, 0.15, 0.15)),
        (" 80 / 20 ", (0.8, 0.2, 0)),
        ("90/10/0", (0.9, 0.1, 0)),
        ("33.3/33.3/33.4", (0.333, 0.333, 0.334)),
    ],
)
def test_parses_a_split(text, shares):
    assert parse_split(text) == pytest.approx(shares)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("70/15/10", "sum to 95"),
        ("70/15/15/0", "is no split"),
        ("100", "is no split"),
        ("", "is no split"),
        ("a/b", "is no split"),
        ("nan/50/50", "is no split"),
        ("120/-20", "is no split"),
        ("0/50/50", "leave nothing"),
        ("80/0/20", "leave nothing"),
    ],
)
def test_refuses_a_split(text, said):
    with pytest.raises(ValueError, match=said):
        parse_split(text)


@given(st.lists(st.integers(0, 5), max_size=120), SHARES, st.integers(0, 2**32))
@settings(deadline=None, max_examples=80)
def test_each_class_is_shared_out(labels, shares, seed):
    labels = np.array(labels, np.int64)
    split = assigned_by(stratified_split(labels, shares, seed), len(labels))
    for class_id in np.unique(labels):
        counts = np.bincount(split[labels == class_id], minlength=len(shares))
        total = counts.sum()
        assert counts[0] >= 1
        assert counts[1] >= (total >= 2 and shares[1] > 0)
        assert all(count == 0 for count, share in zip(counts, shares, strict=True) if share == 0)
        if len(shares) == 3 and shares[2] > 0:
            assert counts[2] >= (total >= 4)
        if (total * np.array(shares)[np.array(shares) > 0] >= 1).all():
            assert (np.abs(counts - total * np.array(shares)) < 1).all()


def test_largest_remainder():
    counts = [len(part) for part in stratified_split(np.zeros(8, int), (0.6, 0.2, 0.2), 0)]
    assert counts == [5, 2, 1]  # 4.8, 1.6, 1.6: train first by remainder, then dev before test


def test_seed_decides():
    labels = np.repeat(np.arange(4), 50)
    first, again = (stratified_split(labels, (0.6, 0.2, 0.2), 7) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    other = stratified_split(labels, (0.6, 0.2, 0.2), 8)
    assert not np.array_equal(first[0], other[0])
    # Classes of one size are not all cut the same way.
    split = assigned_by(first, 200).reshape(4, 50)
    assert not (split == split[0]).all()


def test_other_classes_do_not_matter():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), [40, 25, 30])
    mixed = rng.permutation(labels)
    fewer = labels[labels != 1]
    sets = [labels, mixed, fewer]
    splits = [assigned_by(stratified_split(s, (0.7, 0.3), 3), len(s)) for s in sets]
    for class_id in (0, 2):
        own = [split[s == class_id] for s, split in zip(sets, splits, strict=True)]
        assert np.array_equal(own[0], own[1]) and np.array_equal(own[0], own[2])


@given(
    st.lists(st.integers(0, 3), min_size=4, max_size=60),
    st.lists(st.lists(st.integers(0, 59), min_size=1, max_size=5), max_size=8),
    st.integers(0, 1000),
)
@settings(deadline=None, max_examples=80)
def test_groups_stay_together(labels, groups, seed):
    labels = np.array(labels)
    groups = [[index % len(labels) for index in group] for group in groups]
    split = assigned_by(stratified_split(labels, (0.6, 0.2, 0.2), seed, groups), len(labels))
    for group in groups:
        assert len(set(split[group])) == 1
    for class_id in np.unique(labels):
        assert 0 in split[labels == class_id]


def test_a_group_follows_its_first_member():
    before = np.array([0, 1, 2, 0, 1, 2])
    assert keep_together(before, [[5, 1]]).tolist() == [0, 1, 2, 0, 1, 1]
    # Groups that share a picture are one.
    assert keep_together(before, [[4, 5], [2, 4], (0, 3)]).tolist() == [0, 1, 2, 0, 2, 2]
    assert before.tolist() == [0, 1, 2, 0, 1, 2]


@given(st.integers(0, 150), st.integers(1, 6), SHARES, st.integers(0, 1000))
@settings(deadline=None, max_examples=40)
def test_several_labels_are_a_partition(count, classes, shares, seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice([0, 1, np.nan], (count, classes), p=[0.6, 0.3, 0.1]).astype(np.float32)
    parts = stratified_split(labels, shares, seed)
    split = assigned_by(parts, count)
    assert all(len(p) == 0 for p, share in zip(parts, shares, strict=True) if share == 0)
    for column in labels.T:
        if (column == 1).any():
            assert 0 in split[column == 1]
    again = stratified_split(labels, shares, seed)
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))


def test_several_labels_are_stratified():
    rng = np.random.default_rng(1)
    rates = np.array([0.5, 0.2, 0.05, 0.02])
    labels = (rng.random((1000, 4)) < rates).astype(np.float32)
    shares = np.array([0.6, 0.2, 0.2])
    parts = stratified_split(labels, shares, 0)
    for part, share in zip(parts, shares, strict=True):
        assert abs(len(part) - 1000 * share) <= 5
        positives = labels[part].sum(axis=0)
        assert (np.abs(positives - share * labels.sum(axis=0)) <= 2).all()


@pytest.mark.parametrize("shares", [(0.5, 0.4), (1.2, -0.2), (np.nan, 1)])
def test_wrong_shares(shares):
    with pytest.raises(ValueError, match="must sum to 1"):
        stratified_split(np.zeros(4, int), shares, 0)
