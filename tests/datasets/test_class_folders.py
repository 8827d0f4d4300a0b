import unicodedata

import numpy as np
import pytest

from cvtool.datasets.class_folders import read_class_folders
from cvtool.errors import DatasetError


def make(root, *files):
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"never opened")
    return root


def below(data, root):
    return [path.relative_to(root).as_posix() for path in data.paths]


def fails(root, match):
    with pytest.raises(DatasetError, match=match) as caught:
        read_class_folders(root)
    assert "\n" not in str(caught.value)
    assert str(root) in str(caught.value)


def test_natural_order_and_what_is_left_out(tmp_path):
    make(tmp_path, "class 10/a.jpg", "class 2/10.png", "class 2/2.WEBP", "class 2/more/1.jpg")
    make(tmp_path, "class 2/notes.txt", "class 2/.hidden.jpg", "class 2/.cache/x.jpg")
    make(tmp_path, "readme.md", "beside.jpg", ".git/x.jpg", "__MACOSX/class 2/x.jpg")
    data = read_class_folders(tmp_path)
    assert data.classes == ("class 2", "class 10")
    assert below(data, tmp_path) == [
        "class 2/2.WEBP",
        "class 2/10.png",
        "class 2/more/1.jpg",
        "class 10/a.jpg",
    ]
    assert data.labels.tolist() == [0, 0, 0, 1] and data.labels.dtype == np.int64
    assert data.splits == ("",) * 4


@pytest.mark.parametrize(
    ("train", "dev", "test"), [("train", "val", "test"), ("Training", "VALID", "testing")]
)
def test_splits(tmp_path, train, dev, test):
    make(tmp_path, f"{test}/dog/1.jpg", f"{dev}/cat/1.jpg", f"{train}/cat/1.jpg")
    make(tmp_path, f"{train}/dog/1.jpg", f"{train}/cat/deep/2.jpg")
    data = read_class_folders(tmp_path)
    assert data.classes == ("cat", "dog")
    assert data.splits == ("train", "train", "train", "dev", "test")
    assert data.labels.tolist() == [0, 0, 1, 0, 1]
    assert below(data, tmp_path)[3:] == [f"{dev}/cat/1.jpg", f"{test}/dog/1.jpg"]


def test_only_a_test_split(tmp_path):
    make(tmp_path, "test/cat/1.jpg", "test/dog/1.jpg")
    assert read_class_folders(tmp_path).splits == ("test", "test")


def test_a_class_may_be_called_train(tmp_path):
    make(tmp_path, "car/1.jpg", "train/1.jpg", "train/steam/2.jpg")
    data = read_class_folders(tmp_path)
    assert data.classes == ("car", "train")
    assert data.labels.tolist() == [0, 1, 1]


def test_class_that_is_not_trained(tmp_path):
    make(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg", "val/cat/1.jpg", "val/eel/1.jpg")
    fails(tmp_path, "class 'eel' has pictures for dev but none for training")


def test_splits_that_contradict(tmp_path):
    make(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg", "val/cat/1.jpg", "dev/cat/1.jpg")
    fails(tmp_path, "dev and val both hold the dev split")


def test_other_folders_beside_splits(tmp_path):
    make(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg", "extra/1.jpg")
    fails(tmp_path, "split train and beside it extra")


def test_pictures_without_class_folders(tmp_path):
    make(tmp_path / "a", "1.jpg", "2.jpg")
    fails(tmp_path / "a", "2 pictures lie directly in it; put each class in a folder of its own$")
    make(tmp_path / "a", "labels.csv")
    fails(tmp_path / "a", "name the file of their labels .*labels.csv")
    make(tmp_path / "b", "train/cat/1.jpg", "train/dog/1.jpg", "test/1.jpg")
    fails(tmp_path / "b", "test: 1 picture lies directly in it; .* move test elsewhere")


def test_nothing_to_read(tmp_path):
    fails(tmp_path, "no picture in this folder or below it")
    fails(tmp_path / "absent", "absent: no such folder")
    make(tmp_path, "file")
    fails(tmp_path / "file", "file: a file; name the folder")


def test_empty_class_and_single_class(tmp_path):
    make(tmp_path, "cat/1.jpg")
    fails(tmp_path, r"only one class \(cat\)")
    make(tmp_path, "dog/notes.txt")
    fails(tmp_path, "dog: no picture in this class folder")


@pytest.mark.parametrize("places", [("cat", "Cat"), ("train/cat", "val/Cat")])
def test_names_that_differ_by_case(tmp_path, places):
    make(tmp_path, "train/eel/1.jpg" if "/" in places[0] else "eel/1.jpg")
    for place in places:
        make(tmp_path, f"{place}/1.jpg")
    if len([p for p in tmp_path.rglob("*") if p.name.casefold() == "cat"]) < 2:
        pytest.skip("the file system does not tell case apart")
    fails(tmp_path, "'[cC]at' and '[cC]at' differ only in upper and lower case; merge or rename")


def test_names_that_differ_by_encoding(tmp_path):
    composed, pieces = (unicodedata.normalize(form, "Café") for form in ("NFC", "NFD"))
    make(tmp_path / "a", f"{pieces}/1.jpg", "bar/1.jpg")
    assert read_class_folders(tmp_path / "a").classes == ("bar", composed)
    # In two splits they are the same class ...
    make(tmp_path / "b", f"train/{pieces}/1.jpg", "train/bar/1.jpg", f"test/{composed}/1.jpg")
    assert read_class_folders(tmp_path / "b").labels.tolist() == [0, 1, 1]
    # ... but beside each other a mistake.
    make(tmp_path / "a", f"{composed}/1.jpg")
    if len(list((tmp_path / "a").iterdir())) == 3:
        fails(tmp_path / "a", r"Cafe\\u0301.* differ only in how their accents are encoded")


def test_circles_of_links(tmp_path):
    make(tmp_path, "cat/1.jpg", "dog/1.jpg", "dog/more/2.jpg", "elsewhere.d/far/3.jpg")
    far = tmp_path.parent / f"{tmp_path.name}-far"
    (tmp_path / "elsewhere.d").rename(far)
    try:
        (tmp_path / "cat" / "up").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "dog" / "more" / "again").symlink_to(tmp_path / "dog", True)
        (tmp_path / "dog" / "far").symlink_to(far / "far", True)
    except OSError:
        pytest.skip("no links here")
    data = read_class_folders(tmp_path)
    assert below(data, tmp_path) == ["cat/1.jpg", "dog/1.jpg", "dog/far/3.jpg", "dog/more/2.jpg"]
