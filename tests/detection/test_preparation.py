"""From data sets with boxes as people have them to splits: sound, whole, and as they say."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from boxed_sets import text, voc
from cvtool.datasets.dataset_check import check_dataset
from cvtool.detection.preparation import dataset_from, prepare, split_lists
from cvtool.errors import CvtoolError, DatasetError
from cvtool.pictures.writing import write_picture

ANT, BEE = "0 0.5 0.5 0.5 0.5", "1 0.25 0.25 0.5 0.25"
ANT_BOX, BEE_BOX = [6, 6, 18, 18], [0, 3, 12, 9]
UNKNOWN, FLAT = "7 0.5 0.5 0.5 0.5", "0 0.5 0.5 0 0"


def quiet(_):
    pass


def draw(path, seed, side=24):
    """A coarse random pattern, unlike that of any other seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    write_picture(path, coarse.repeat(side // 6, axis=0).repeat(side // 6, axis=1))
    return path


def fill(folder, labels, *, seed=0, classes=("ant", "bee")):
    """Write a set in YOLO's layout, all its pictures different.

    Args:
        folder: of the set.
        labels: the lines of each picture's boxes, by its name, such as "train/3".
    """
    for number, (name, lines) in enumerate(labels.items()):
        draw(folder / "images" / f"{name}.png", seed + number)
        text(folder / "labels" / f"{name}.txt", *lines)
    text(folder / "classes.txt", *classes)
    return folder


def insects(ants, bees, below=""):
    """The labels of so many pictures with an ant each, and of so many with a bee each."""
    names = [f"{below}{number:02}" for number in range(ants + bees)]
    return {name: [ANT] if at < ants else [BEE] for at, name in enumerate(names)}


def names(prepared, split):
    return {example.path.stem for example in prepared.splits[split].examples}


def sizes(prepared):
    return {name: len(part.examples) for name, part in prepared.splits.items()}


def boxes_per_class(prepared, split):
    found = [example.class_ids for example in prepared.splits[split].examples]
    return np.bincount(np.concatenate(found), minlength=len(prepared.classes)).tolist()


def assert_each_once(prepared, count):
    paths = [example.path for part in prepared.splits.values() for example in part.examples]
    assert len(set(paths)) == len(paths) == count


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("plain") / "set", insects(25, 15))


@pytest.fixture(scope="module")
def divided(tmp_path_factory):
    """A set with splits of its own."""
    labels = insects(4, 4, "train/1") | insects(2, 1, "val/2") | insects(1, 2, "test/3")
    return fill(tmp_path_factory.mktemp("divided") / "set", labels)


@pytest.fixture
def own(tmp_path):
    """A set of forty pictures for a test to spoil."""
    return fill(tmp_path / "own", insects(25, 15))


def spoil(folder, count, *lines):
    """Give so many pictures these lines in place of their own."""
    for path in sorted((folder / "labels").iterdir())[:count]:
        text(path, *lines)


def test_a_pool_is_split_by_class(plain):
    told, said = [], []
    found = prepare(plain, say=said.append, on_picture=lambda: told.append(1))
    assert sizes(found) == {"train": 24, "dev": 8, "test": 8}
    assert [boxes_per_class(found, name) for name in found.splits] == [[15, 9], [5, 3], [5, 3]]
    assert_each_once(found, 40)
    assert found.remarks == [] and said == [] and len(told) == 40
    assert found.how.startswith("24 train, 8 dev, 8 test (random by seed 0, stratified, 60/20/20")
    assert "chosen from the size of the set" in found.how


def test_boxes_and_classes_stay_with_their_pictures(plain):
    found = prepare(plain, say=quiet)
    assert found.classes == ("ant", "bee")
    for part in found.splits.values():
        assert part.classes == found.classes
        for example in part.examples:
            ant = int(example.path.stem) < 25
            assert example.class_ids.tolist() == [0 if ant else 1]
            assert example.boxes.tolist() == [ANT_BOX if ant else BEE_BOX]
            assert (example.width, example.height) == (24, 24)


def test_nothing_of_the_set_is_changed(plain):
    before = {path: path.stat().st_mtime_ns for path in sorted(plain.rglob("*"))}
    prepare(plain, say=quiet)
    assert {path: path.stat().st_mtime_ns for path in sorted(plain.rglob("*"))} == before


def test_the_seed_decides(plain):
    first, again, other = (prepare(plain, seed=seed, say=quiet) for seed in (1, 1, 2))
    assert names(first, "test") == names(again, "test") != names(other, "test")
    assert sizes(first) == sizes(other)


def test_shares_as_asked_for(plain):
    found = prepare(plain, split="80/10/10", say=quiet)
    assert sizes(found) == {"train": 32, "dev": 4, "test": 4}
    assert "80/10/10, as asked for" in found.how
    # A split without pictures is none.
    assert sizes(prepare(plain, split="80/20", say=quiet)) == {"train": 32, "dev": 8}


def test_splits_of_the_set_stay(divided):
    found = prepare(divided, say=quiet)
    assert found.how == "8 train, 3 dev, 3 test (as the data set says)"
    for split, folder in (("train", "train"), ("dev", "val"), ("test", "test")):
        pictures = {example.path for example in found.splits[split].examples}
        assert pictures == set((divided / "images" / folder).iterdir())


@pytest.mark.parametrize(
    ("there", "kept", "taken"), [("val", "dev", "test"), ("test", "test", "dev")]
)
def test_what_the_set_lacks_is_taken_from_train(tmp_path, there, kept, taken):
    labels = insects(6, 4, "train/1") | insects(2, 1, f"{there}/2")
    found = prepare(fill(tmp_path / "set", labels), say=quiet)
    assert sizes(found) == {"train": 8, taken: 2, kept: 3}
    assert all(name.startswith("2") for name in names(found, kept))
    assert all(name.startswith("1") for name in names(found, "train") | names(found, taken))


def test_pictures_in_no_split_are_for_training(tmp_path):
    """As where Pascal VOC's lists leave some out."""
    for number in range(9):
        draw(tmp_path / "JPEGImages" / f"{number}.png", number)
        file = tmp_path / "Annotations" / f"{number}.xml"
        voc(file, ("ant", 2, 2, 9, 9), filename=f"{number}.png", size=(24, 24))
    for word, stems in (("train", "012"), ("val", "34"), ("test", "56")):
        text(tmp_path / "ImageSets" / "Main" / f"{word}.txt", *stems)
    found = prepare(tmp_path, say=quiet)
    assert {split: names(found, split) for split in found.splits} == {
        "train": set("01278"),
        "dev": set("34"),
        "test": set("56"),
    }


def test_the_column_of_a_table_divides_it(tmp_path):
    rows = []
    for number in range(8):
        draw(tmp_path / f"{number}.png", number)
        split = {6: "val", 7: "test"}.get(number, "train")
        rows.append(f"{number}.png,2,3,10,12,ant,{split}")
    table = text(tmp_path / "boxes.csv", "file,x1,y1,x2,y2,class,split", *rows)
    found = prepare(table, say=quiet)
    assert sizes(found) == {"train": 6, "dev": 1, "test": 1}
    assert names(found, "dev") == {"6"} and names(found, "test") == {"7"}


def test_a_folder_of_pictures_can_be_named(tmp_path):
    rows = [f"{number}.png,2,3,10,12,ant" for number in range(6)]
    for number in range(6):
        draw(tmp_path / "scans" / f"{number}.png", number)
    table = text(tmp_path / "tables" / "boxes.csv", "file,x1,y1,x2,y2,class", *rows)
    found = prepare(table, pictures=tmp_path / "scans", say=quiet)
    assert_each_once(found, 6)


def test_another_set_for_testing_is_all_test(plain, tmp_path):
    """Whatever splits it has itself; its classes may be fewer and in another order."""
    labels = {"train/80": ["1 0.5 0.5 0.5 0.5"], "val/90": ["0 0.5 0.5 0.5 0.5"], "val/91": []}
    other = fill(tmp_path / "other", labels, seed=500, classes=("bee", "ant", "wasp"))
    found = prepare(plain, test=other, say=quiet)
    assert sizes(found) == {"train": 32, "dev": 8, "test": 3}
    assert found.classes == found.splits["test"].classes == ("ant", "bee")
    labels = {e.path.stem: e.class_ids.tolist() for e in found.splits["test"].examples}
    assert labels == {"80": [0], "90": [1], "91": []}
    assert_each_once(found, 43)


def test_a_test_set_of_other_classes_is_refused(plain, tmp_path):
    other = fill(tmp_path / "other", {"0": ["2 0.5 0.5 0.5 0.5"]}, classes=("bee", "ant", "wasp"))
    with pytest.raises(DatasetError, match=r'other: class "wasp" is not among .*\(ant, bee\)'):
        prepare(plain, test=other, say=quiet)


@pytest.mark.parametrize(
    ("split", "words"),
    [("70/20", "must sum to 100"), ("much", "is no split"), ("0/100", "nothing")],
)
def test_shares_that_make_no_sense_are_refused(plain, split, words):
    with pytest.raises(CvtoolError, match=f"--split: .*{words}") as error:
        prepare(plain, split=split, say=quiet)
    assert "\n" not in str(error.value)


def test_shares_of_what_is_given_are_refused(plain, divided, tmp_path):
    with pytest.raises(CvtoolError, match="--split 70/15/15: test pictures are given"):
        prepare(plain, split="70/15/15", test=divided, say=quiet)
    found = prepare(plain, split="70/30", test=divided, say=quiet)
    assert sizes(found) == {"train": 28, "dev": 12, "test": 14}
    with pytest.raises(CvtoolError, match="--split 70/30: the data set has dev pictures"):
        prepare(divided, split="70/30", say=quiet)


def test_pictures_without_boxes_are_background(tmp_path):
    labels = insects(9, 9) | {f"empty{n}": [] for n in range(6)}
    folder = fill(tmp_path / "set", labels)
    for number in range(3):  # without a label file at all
        (folder / "labels" / f"empty{number}.txt").unlink()
    found = prepare(folder, say=quiet)
    assert_each_once(found, 24)
    empty = [example for example in found.splits["train"].examples if not len(example.boxes)]
    (remark,) = found.remarks
    assert remark == f"background: {len(empty)} training pictures without boxes"
    assert 2 <= len(empty) <= 5 and all(example.path.stem[0] == "e" for example in empty)


def test_one_background_picture_is_one(tmp_path):
    labels = insects(3, 2, "train/1") | insects(1, 1, "val/2") | insects(1, 1, "test/3")
    found = prepare(fill(tmp_path / "set", labels | {"train/empty": []}), say=quiet)
    assert found.remarks == ["background: 1 training picture without boxes"]


def crowded(folder, crowds):
    """A COCO set of twelve pictures with an ant and a bee each, divided in three.

    Args:
        folder: of the set.
        crowds: function of a picture's number and a class's -> whether the box is round a group.
    """
    for at, split in enumerate(("train", "val", "test")):
        numbers = range(4 * at, 4 * at + 4)
        for number in numbers:
            draw(folder / "images" / split / f"{number:02}.png", number)
        content = {
            "images": [
                {"id": n, "file_name": f"{n:02}.png", "width": 24, "height": 24} for n in numbers
            ],
            "categories": [{"id": 3, "name": "bee"}, {"id": 1, "name": "ant"}],
            "annotations": [
                {
                    "id": 2 * n + c,
                    "image_id": n,
                    "category_id": 1 + 2 * c,
                    "bbox": [2 + c, 3, 10, 12],
                    "iscrowd": int(crowds(n, c)),
                }
                for n in numbers
                for c in (0, 1)
            ],
        }
        text(folder / "annotations" / f"instances_{split}.json", json.dumps(content))
    return folder


def test_boxes_round_groups_stay_marked(tmp_path):
    found = prepare(crowded(tmp_path, lambda n, c: n % 2 and c), say=quiet)
    assert found.classes == ("ant", "bee") and sizes(found) == dict.fromkeys(found.splits, 4)
    for part in found.splits.values():
        for example in part.examples:
            assert example.class_ids.tolist() == [0, 1]
            assert example.crowd.tolist() == [False, bool(int(example.path.stem) % 2)]
    # They are no background either.
    assert found.remarks == []


@pytest.mark.parametrize(
    ("crowds", "words"),
    [
        (lambda n, c: n < 4 and c, 'class "bee" has no box to train on; add some'),
        (lambda n, c: 4 <= n < 8, "the 4 dev pictures show no object"),
        (lambda n, c: True, "not one box to learn from; .*cvtool check "),
    ],
)
def test_boxes_round_groups_are_no_objects_to_learn_from(tmp_path, crowds, words):
    with pytest.raises(DatasetError, match=words) as error:
        prepare(crowded(tmp_path / "crowds", crowds), say=quiet)
    assert str(error.value).startswith(f"{tmp_path / 'crowds'}: ")


def test_test_pictures_of_groups_alone_are_no_mistake(tmp_path):
    found = prepare(crowded(tmp_path, lambda n, c: n >= 8), say=quiet)
    assert sizes(found)["test"] == 4


def test_a_class_without_a_box_is_refused(tmp_path):
    folder = fill(tmp_path / "set", insects(5, 5), classes=("ant", "bee", "wasp"))
    with pytest.raises(DatasetError, match='set: class "wasp" has no box to train on'):
        prepare(folder, say=quiet)
    labels = insects(4, 0, "train/1") | insects(2, 2, "val/2") | insects(2, 2, "test/3")
    with pytest.raises(DatasetError, match='class "bee" has no box to train on'):
        prepare(fill(tmp_path / "divided", labels), say=quiet)


def test_dev_pictures_without_objects_are_refused(tmp_path):
    labels = insects(4, 4, "train/1") | {"val/2": [], "val/3": []} | insects(2, 2, "test/4")
    with pytest.raises(DatasetError, match="set: the 2 dev pictures show no object; .*--split"):
        prepare(fill(tmp_path / "set", labels), say=quiet)


def test_nothing_to_train_on_is_refused(tmp_path):
    labels = insects(3, 3, "val/1") | insects(3, 3, "test/2")
    with pytest.raises(DatasetError, match="set: no pictures to train on"):
        prepare(fill(tmp_path / "set", labels), say=quiet)


def test_one_picture_leaves_none_for_dev(tmp_path):
    with pytest.raises(DatasetError, match="set: no pictures are left for dev"):
        prepare(fill(tmp_path / "set", {"0": [ANT, BEE]}), say=quiet)


def test_no_box_at_all_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="set: not one box to learn from"):
        prepare(fill(tmp_path / "set", {"0": [], "1": []}), say=quiet)


def test_what_is_no_data_set_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="gone: no such file or folder"):
        prepare(tmp_path / "gone", say=quiet)
    with pytest.raises(DatasetError, match="no data set with boxes"):
        prepare(tmp_path, say=quiet)


def test_a_picture_with_a_fault_is_named_and_left_out(own):
    """All of it: its other box would make the lost one background."""
    text(own / "labels" / "03.txt", ANT, UNKNOWN)
    said = []
    found = prepare(own, say=said.append)
    (line,) = said
    assert line.startswith(f"{own / 'labels' / '03.txt'}:2: class 7 is not among")
    assert_each_once(found, 39)
    assert not any("03" in names(found, split) for split in found.splits)
    assert found.remarks == [f"1 picture with faults (2.5 %) left out: {line}"]


def test_up_to_five_percent_of_the_pictures_are_left_out(own):
    spoil(own, 2, FLAT)
    found = prepare(own, say=quiet)
    assert_each_once(found, 38)
    assert found.remarks[0].startswith("2 pictures with faults (5.0 %) left out: ")
    assert found.remarks[0].endswith(", and 1 more")


def test_more_are_refused_with_the_command_that_shows_them_all(own):
    spoil(own, 3, FLAT)
    said = []
    with pytest.raises(DatasetError) as error:
        prepare(own, say=said.append)
    message = str(error.value)
    assert message.startswith(f"{own}: 3 pictures with faults (7.5 %); ")
    assert f"cvtool check {own} --all" in message and "--force" in message
    assert "\n" not in message and len(said) == 3


def test_force_trains_on_the_rest(own):
    spoil(own, 12, FLAT)
    found = prepare(own, force=True, say=quiet)
    assert_each_once(found, 28)
    assert "12 pictures with faults (30.0 %) left out" in found.remarks[0]
    spoil(own, 40, FLAT)
    with pytest.raises(DatasetError, match="not one box to learn from; .*cvtool check "):
        prepare(own, force=True, say=quiet)


def test_many_faults_of_one_picture_are_one_picture(own):
    text(own / "labels" / "03.txt", ANT, *[UNKNOWN] * 14)
    said = []
    found = prepare(own, say=said.append)
    assert_each_once(found, 39)
    assert found.remarks[0].startswith("1 picture with faults (2.5 %)")
    # Ten of them are listed, and what lists them all.
    assert len(said) == 11 and all(".txt:" in line for line in said[:10])
    assert said[10] == f"... and 4 more; all of them: cvtool check {own} --all"
    assert len(check_dataset(own).faults) == 14


def test_pictures_that_cannot_be_read_are_faults(own):
    broken = own / "images" / "05.png"
    broken.write_bytes(broken.read_bytes()[:60])
    (own / "images" / "06.png").write_bytes(b"")
    said = []
    found = prepare(own, say=said.append)
    assert_each_once(found, 38)
    assert {path.name for path in own.glob("images/*") if str(path) in "".join(said)} == {
        "05.png",
        "06.png",
    }
    (remark,) = found.remarks
    assert remark.startswith("2 pictures with faults (5.0 %) left out: ")
    (own / "images" / "07.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"3 pictures with faults \(7.5 %\)"):
        prepare(own, say=quiet)


def test_pictures_that_are_missing_count_among_the_pictures(own):
    for number in (3, 4):
        (own / "images" / f"{number:02}.png").unlink()
    said = []
    found = prepare(own, say=said.append)
    assert_each_once(found, 38)
    # Two of forty, though 38 are there.
    assert found.remarks[0].startswith("2 pictures with faults (5.0 %)")
    assert ["03" in said[0], "04" in said[1]] == [True, True]


def test_faults_of_the_test_set_count_too(plain, tmp_path):
    other = fill(tmp_path / "other", insects(4, 4), seed=500)
    spoil(other, 1, UNKNOWN)
    said = []
    found = prepare(plain, test=other, say=said.append)
    assert sizes(found)["test"] == 7 and "other" in said[0]
    spoil(other, 3, UNKNOWN)
    with pytest.raises(DatasetError, match=r"3 pictures with faults \(6.2 %\)") as error:
        prepare(plain, test=other, say=quiet)
    assert f"cvtool check {other} --all" in str(error.value)


def test_near_duplicates_stay_together_and_are_named(tmp_path):
    labels = insects(12, 12) | {f"same{n:02}": [ANT] for n in range(24)}
    folder = fill(tmp_path / "set", labels)
    # A picture that is left out comes first, so that positions before and after differ.
    text(folder / "labels" / "00.txt", UNKNOWN)
    for number in range(24):
        path = folder / "images" / f"same{number:02}.png"
        path.unlink()
        # Four pictures, each of them six times, in another size every other time.
        draw(path, 1000 + number // 6, side=24 if number % 2 else 48)
    for seed in range(3):
        found = prepare(folder, seed=seed, say=quiet)
        assert_each_once(found, 47)
        for group in range(4):
            alike = {f"same{n:02}" for n in range(6 * group, 6 * group + 6)}
            assert len([split for split in found.splits if alike & names(found, split)]) == 1
    assert "4 pictures are there more than once" in found.remarks[1]


def test_a_picture_in_two_splits_of_the_set_is_named(tmp_path):
    labels = insects(4, 4, "train/1") | insects(2, 2, "val/2") | insects(2, 2, "test/3")
    folder = fill(tmp_path / "set", labels)
    copy = folder / "images" / "test" / "300.png"
    copy.write_bytes((folder / "images" / "train" / "100.png").read_bytes())
    (remark,) = prepare(folder, say=quiet).remarks
    assert "1 picture is in more than one split" in remark
    assert re.search(r"100\.png \(train\), also in test: .*300\.png", remark)


def test_the_lists_of_a_run_give_the_same_back(tmp_path, monkeypatch):
    crowded(tmp_path / "set", lambda n, c: n % 3 == 1 and c)
    monkeypatch.chdir(tmp_path)
    found = prepare("set", pictures="set/images", say=quiet)
    thirds = found.splits["dev"].examples[0]
    thirds = replace(thirds, boxes=thirds.boxes + np.float32(1 / 3))
    nothing = {key: getattr(thirds, key)[:0] for key in ("boxes", "class_ids", "crowd")}
    examples = (thirds, replace(thirds, **nothing))
    found.splits["dev"] = replace(found.splits["dev"], examples=examples)
    lists = json.loads(json.dumps(split_lists(found.splits), allow_nan=False))
    assert list(lists) == ["train", "dev", "test"]
    for split, part in found.splits.items():
        again = dataset_from(lists[split], found.classes, split)
        assert again.classes == found.classes
        for one, other in zip(again.examples, part.examples, strict=True):
            # Whole paths, so that a run can be gone on with from any folder.
            assert one.path.is_absolute() and one.path == tmp_path / other.path
            assert (one.width, one.height) == (other.width, other.height)
            np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-3)
            assert one.boxes.shape == other.boxes.shape and one.boxes.dtype == np.float32
            assert one.class_ids.tolist() == other.class_ids.tolist()
            assert one.crowd.tolist() == other.crowd.tolist() and one.split == split
