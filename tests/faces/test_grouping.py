"""Grouping by person, against SciPy's average linkage, and an album's folders."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from cvtool.errors import OutputError
from cvtool.faces.album import sort_pictures
from cvtool.faces.grouping import group_faces


def people(seed, count, spread, per_person=6, dimensions=8):
    """Unit embeddings, those of each person round a direction of their own."""
    random = np.random.default_rng(seed)
    middles = random.normal(size=(count, dimensions))
    who = random.permutation(np.repeat(np.arange(count), per_person))
    rows = middles[who] + spread * random.normal(size=(len(who), dimensions))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), who


def partition(groups, singles):
    return {frozenset(group) for group in groups} | {frozenset([i]) for i in singles}


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(1, 12),
    spread=st.floats(0, 2),
    threshold=st.floats(0.01, 3.9),
)
def test_the_groups_are_those_of_scipy(seed, count, spread, threshold):
    rows, _ = people(seed, count, spread, per_person=4)
    tree = linkage(pdist(rows, "sqeuclidean"), method="average")
    # Where a merge lies on the threshold but for rounding, either answer is right.
    if np.abs(tree[:, 2] - threshold).min() < 1e-7:
        return
    labels = fcluster(tree, threshold, criterion="distance")
    expected = {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels)}
    assert partition(*group_faces(rows, threshold)) == expected


def test_people_well_apart_are_found_whatever_the_order():
    rows, who = people(3, 20, 0.05, dimensions=64)
    groups, singles = group_faces(rows.astype(np.float32), 0.5)
    assert singles == [] and len(groups) == 20
    assert all(len(set(who[group])) == 1 for group in groups)


def test_the_largest_group_comes_first_and_who_is_alone_is_no_group():
    east, north, up = np.eye(3)
    groups, singles = group_faces([north, east, up, north, east, east], 0.5)
    assert (groups, singles) == ([[1, 4, 5], [0, 3]], [2])


def test_one_face_between_two_people_does_not_make_them_one():
    """As single linkage would: each step is within the threshold, the whole way is not."""
    angles = np.radians([0, 1, 2, 40, 78, 79, 80])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    groups, singles = group_faces(rows, 0.5)
    assert len(groups) == 2 and not {0, 6} <= set(groups[0])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (np.zeros((0, 4)), ([], [])),
        (np.eye(4)[:1], ([], [0])),
        (np.eye(4)[[1] * 500], ([list(range(500))], [])),
    ],
)
def test_no_face_one_face_and_many_of_the_same(rows, expected):
    assert group_faces(rows, 0) == expected


@pytest.mark.parametrize("threshold", [0, 4])
def test_the_ends_of_the_threshold(threshold):
    rows, _ = people(1, 5, 0.5)
    groups, singles = group_faces(rows, threshold)
    assert (len(groups), len(singles)) == ((0, 30) if threshold == 0 else (1, 0))


@pytest.fixture
def pictures(tmp_path):
    """Three picture files; two of one name, in two folders, and one with an ending of its own."""
    paths = [tmp_path / "in" / name for name in ("a.jpg", "b/a.jpg", "c.gif")]
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number] * 9))
    below = (Path("a.jpg"), Path("b/a.jpg"), Path("c.png"))
    return list(zip(map(str, paths), below, strict=True))


@pytest.mark.parametrize("link", [False, True])
def test_pictures_go_into_the_folder_of_each_person_on_them(pictures, tmp_path, link):
    one, two, three = pictures
    out = tmp_path / "out"
    made = sort_pictures(out, [[one, two, one], [two]], [three], link=link, on_error=raise_it)
    files = {str(p.relative_to(out)): p for p in out.rglob("*") if not p.is_dir()}
    expected = {"person-1/a.jpg": one, "person-1/b/a.jpg": two, "person-2/b/a.jpg": two}
    expected |= {"singles/c.gif": three}
    assert made == 4 and files.keys() == expected.keys()
    for name, (source, _) in expected.items():
        assert files[name].read_bytes() == Path(source).read_bytes()
        assert files[name].is_symlink() == link
        assert os.path.samefile(files[name], source) == link


def test_a_folder_with_something_in_it_is_refused(pictures, tmp_path):
    with pytest.raises(OutputError, match="not empty"):
        sort_pictures(tmp_path / "in", [pictures], [], on_error=raise_it)
    assert sum(path.is_file() for path in (tmp_path / "in").rglob("*")) == 3


def test_a_picture_that_has_gone_is_reported_and_the_others_copied(pictures, tmp_path):
    os.remove(pictures[0][0])
    problems = []
    assert sort_pictures(tmp_path / "out", [pictures], [], on_error=problems.append) == 2
    assert len(problems) == 1 and "a.jpg" in str(problems[0])


def raise_it(error):
    raise error
