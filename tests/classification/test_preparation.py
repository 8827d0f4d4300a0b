"""From folders as people have them to splits: complete, stratified, and nothing in two."""

import json

import numpy as np
import pytest

from cvtool.classification.preparation import prepare, split_lists
from cvtool.errors import CvtoolError, DatasetError
from cvtool.pictures.writing import write_picture


def picture(seed, side=24):
    """A coarse random pattern, unlike that of any other seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    return coarse.repeat(side // 6, axis=0).repeat(side // 6, axis=1)


def fill(folder, counts, seed=0, side=24):
    """Write so many pictures of each class, all of them different."""
    for name, count in counts.items():
        for number in range(count):
            seed += 1
            write_picture(folder / name / f"{number:02}.png", picture(seed, side))
    return folder


def names(prepared, split):
    return {prepared.data.paths[i] for i in prepared.splits[split]}


def sizes(prepared):
    return {name: len(part) for name, part in prepared.splits.items()}


def per_class(prepared, split):
    labels = prepared.data.labels[prepared.splits[split]]
    return np.bincount(labels, minlength=len(prepared.data.classes)).tolist()


def assert_each_once(prepared):
    parts = np.concatenate(list(prepared.splits.values()))
    assert sorted(parts.tolist()) == list(range(len(prepared.data)))


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("plain") / "set", {"a": 20, "b": 10})


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """Pictures from where the model will be used, of the same classes in other numbers."""
    return fill(tmp_path_factory.mktemp("elsewhere") / "phone", {"b": 8, "a": 4}, seed=500)


def test_a_pool_is_split_by_class(plain):
    told = []
    found = prepare(plain, on_picture=lambda: told.append(1))
    assert sizes(found) == {"train": 18, "dev": 6, "test": 6}
    assert [per_class(found, name) for name in found.splits] == [[12, 6], [4, 2], [4, 2]]
    assert_each_once(found)
    assert found.remarks == [] and len(told) == 30 and found.short_side == 24
    assert found.how.startswith("18 train, 6 dev, 6 test (random by seed 0, stratified, 60/20/20")
    assert "chosen from the size of the set" in found.how


def test_the_seed_decides(plain):
    first, again, other = (prepare(plain, seed=seed) for seed in (1, 1, 2))
    assert names(first, "test") == names(again, "test") != names(other, "test")
    assert sizes(first) == sizes(other)


def test_shares_as_asked_for(plain):
    found = prepare(plain, split="80/10/10")
    assert sizes(found) == {"train": 24, "dev": 3, "test": 3}
    assert "80/10/10, as asked for" in found.how
    assert sizes(prepare(plain, split="80/20")) == {"train": 24, "dev": 6}


def test_another_set_for_testing_is_all_test(plain, elsewhere):
    found = prepare(plain, test=elsewhere)
    assert sizes(found) == {"train": 24, "dev": 6, "test": 12}
    assert names(found, "test") == set(elsewhere.rglob("*.png"))
    assert per_class(found, "test") == [4, 8]
    assert_each_once(found)


def test_a_test_set_may_have_fewer_classes(tmp_path):
    fill(tmp_path / "set", {"a": 5, "b": 5, "c": 5, "d": 5})
    found = prepare(tmp_path / "set", test=fill(tmp_path / "test", {"b": 2, "d": 3}, seed=100))
    assert per_class(found, "test") == [0, 2, 0, 3]
    for i in range(len(found.data)):
        assert found.data.classes[found.data.labels[i]] == found.data.paths[i].parent.name


def test_a_target_is_dev_and_test_and_part_of_the_rest_train_dev(plain, elsewhere):
    found = prepare(plain, target=elsewhere)
    assert sizes(found) == {"train": 24, "train-dev": 6, "dev": 6, "test": 6}
    own, other = set(plain.rglob("*.png")), set(elsewhere.rglob("*.png"))
    assert names(found, "train") | names(found, "train-dev") == own
    assert names(found, "dev") | names(found, "test") == other
    assert per_class(found, "dev") == per_class(found, "test") == [2, 4]
    assert_each_once(found)


def test_a_target_with_a_test_set_is_dev_alone(plain, elsewhere, tmp_path):
    more = fill(tmp_path / "more", {"a": 3, "b": 3}, seed=900)
    found = prepare(plain, target=elsewhere, test=more)
    assert sizes(found) == {"train": 24, "train-dev": 6, "dev": 12, "test": 6}
    assert names(found, "dev") == set(elsewhere.rglob("*.png"))
    assert names(found, "test") == set(more.rglob("*.png"))


def test_splits_of_the_folders_stay(tmp_path):
    for number, split in enumerate(("train", "val", "test")):
        fill(tmp_path / split, {"a": 4, "b": 3}, seed=100 * number)
    found = prepare(tmp_path)
    assert found.how == "7 train, 7 dev, 7 test (as the data set says)"
    for name, folder in (("train", "train"), ("dev", "val"), ("test", "test")):
        assert names(found, name) == set((tmp_path / folder).rglob("*.png"))


def test_another_test_set_is_in_place_of_the_folders_own(tmp_path, elsewhere):
    for number, split in enumerate(("train", "val", "test")):
        fill(tmp_path / split, {"a": 4, "b": 3}, seed=100 * number)
    found = prepare(tmp_path, test=elsewhere)
    assert sizes(found) == {"train": 7, "dev": 7, "test": 12}
    assert names(found, "test") == set(elsewhere.rglob("*.png"))
    assert "the data set's own test pictures, 7, are left out for --test" in found.how


def test_what_the_folders_lack_is_taken_from_train(tmp_path):
    fill(tmp_path / "train", {"a": 10, "b": 10})
    fill(tmp_path / "test", {"a": 3, "b": 3}, seed=100)
    found = prepare(tmp_path)
    assert sizes(found) == {"train": 16, "dev": 4, "test": 6}
    assert names(found, "test") == set((tmp_path / "test").rglob("*.png"))
    (tmp_path / "test").rename(tmp_path / "val")
    found = prepare(tmp_path)
    assert sizes(found) == {"train": 16, "dev": 6, "test": 4}
    assert names(found, "dev") == set((tmp_path / "val").rglob("*.png"))


def test_corrupt_pictures_are_left_out_and_said(tmp_path):
    folder = fill(tmp_path / "set", {"a": 6, "b": 6})
    broken = folder / "a" / "broken.png"
    broken.write_bytes((folder / "a" / "00.png").read_bytes()[:60])
    (folder / "b" / "empty.jpg").write_bytes(b"")
    found = prepare(folder)
    assert len(found.data) == 12 and broken not in found.data.paths
    assert broken.exists()
    (remark,) = found.remarks
    assert "2 pictures cannot be read" in remark
    assert "broken.png" in remark and "empty.jpg" in remark
    # Positions are those of the pictures that are left.
    assert_each_once(found)
    for i in range(12):
        assert found.data.classes[found.data.labels[i]] == found.data.paths[i].parent.name


def test_duplicates_stay_together(tmp_path):
    folder = fill(tmp_path / "set", {"a": 12, "b": 12})
    # One that cannot be read comes first, so that positions before and after differ.
    (folder / "a" / "!.png").write_bytes(b"no picture")
    # Four pictures, each of them six times, in another size every other time.
    for number in range(24):
        side = 24 if number % 2 else 48
        path = folder / "c" / f"{number:02}.png"
        write_picture(path, picture(1000 + number // 6, side))
    for seed in range(3):
        found = prepare(folder, seed=seed)
        split_of = {i: name for name, part in found.splits.items() for i in part}
        assert_each_once(found)
        for group in range(4):
            alike = [folder / "c" / f"{n:02}.png" for n in range(6 * group, 6 * group + 6)]
            assert len({split_of[found.data.paths.index(path)] for path in alike}) == 1
    assert "4 pictures are there more than once" in found.remarks[1]


def test_a_class_with_one_picture_is_refused(tmp_path):
    folder = fill(tmp_path / "set", {"a": 5, "b": 5, "rare": 1})
    with pytest.raises(DatasetError, match='set: class "rare" has one readable picture; give it'):
        prepare(folder)
    (folder / "rare" / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match='class "rare" has one readable picture'):
        prepare(folder)
    (folder / "rare" / "00.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match='class "rare" has no readable picture'):
        prepare(folder)


def test_a_class_only_seen_in_tests_is_refused(tmp_path, elsewhere):
    folder = fill(tmp_path / "set", {"a": 5, "b": 1})
    for path in (folder / "b").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(DatasetError, match='class "b" has no picture to train on'):
        prepare(folder, test=elsewhere)


def test_nothing_readable_is_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "0.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match="set: not one of its 2 pictures can be read"):
        prepare(tmp_path / "set")


def test_a_test_set_of_other_classes_is_refused(plain, tmp_path):
    other = fill(tmp_path / "other", {"a": 2, "zebra": 2}, seed=700)
    for option in ("test", "target"):
        with pytest.raises(DatasetError, match=r'other: class "zebra" is not among .*\(a, b\)'):
            prepare(plain, **{option: other})


def test_a_target_does_not_go_with_dev_pictures(tmp_path, elsewhere):
    fill(tmp_path / "train", {"a": 3, "b": 3})
    fill(tmp_path / "val", {"a": 2, "b": 2}, seed=50)
    with pytest.raises(CvtoolError, match="--target replaces; give its train folder"):
        prepare(tmp_path, target=elsewhere)


@pytest.mark.parametrize(
    ("split", "words"),
    [("70/20", "must sum to 100"), ("much", "is no split"), ("0/100", "nothing")],
)
def test_shares_that_make_no_sense_are_refused(plain, split, words):
    with pytest.raises(CvtoolError, match=f"--split: .*{words}") as error:
        prepare(plain, split=split)
    assert "\n" not in str(error.value)


def test_shares_of_what_is_given_are_refused(plain, elsewhere, tmp_path):
    with pytest.raises(CvtoolError, match="--split 70/15/15: test pictures are given"):
        prepare(plain, split="70/15/15", test=elsewhere)
    assert sizes(prepare(plain, split="70/30", test=elsewhere)) == {
        "train": 21,
        "dev": 9,
        "test": 12,
    }
    fill(tmp_path / "train", {"a": 3, "b": 3})
    fill(tmp_path / "val", {"a": 2, "b": 2}, seed=50)
    with pytest.raises(CvtoolError, match="--split 70/30: the data set has dev pictures"):
        prepare(tmp_path, split="70/30")


def test_nothing_to_train_on_is_refused(tmp_path):
    fill(tmp_path / "test", {"a": 3, "b": 3})
    with pytest.raises(DatasetError, match="no pictures to train on"):
        prepare(tmp_path)


@pytest.fixture
def table(tmp_path):
    lines = ["file,red,round"]
    for number in range(20):
        write_picture(tmp_path / f"{number}.png", picture(300 + number))
        lines.append(f"{number}.png,{number % 2},{'' if number % 4 == 3 else number % 3 // 2}")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "labels.csv"


def test_several_labels_a_picture(table):
    found = prepare(table)
    assert found.data.several and sum(sizes(found).values()) == 20
    assert_each_once(found)
    for part in found.splits.values():
        assert (found.data.labels[part, 0] == 1).any()
    lists = split_lists(found)
    rows = [row for part in lists.values() for row in part["labels"]]
    assert sum(row[1] is None for row in rows) == 5
    assert {value for row in rows for value in row} == {0, 1, None}
    json.dumps(lists, allow_nan=False)


def test_columns_of_a_test_table_are_matched_by_name(table, tmp_path):
    write_picture(tmp_path / "x.png", picture(999))
    (tmp_path / "other.csv").write_text("file,round\nx.png,1\n")
    found = prepare(table, test=tmp_path / "other.csv")
    (row,) = found.data.labels[found.splits["test"]]
    assert np.isnan(row[0]) and row[1] == 1


def test_one_label_and_several_do_not_go_together(table, tmp_path):
    folder = fill(tmp_path / "set", {"red": 3, "round": 3}, seed=800)
    with pytest.raises(DatasetError, match="one label a picture, the data set several labels"):
        prepare(table, test=folder)


def test_the_lists_name_whole_paths(plain, monkeypatch):
    monkeypatch.chdir(plain.parent)
    found = prepare("set")
    lists = split_lists(found)
    assert {name: len(part["files"]) for name, part in lists.items()} == sizes(found)
    for part in lists.values():
        for file, label in zip(part["files"], part["labels"], strict=True):
            assert file.startswith(str(plain / found.data.classes[label]))
