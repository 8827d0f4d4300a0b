"""Folders of people: whose pictures are read, and which mistakes are named."""

from pathlib import Path

import pytest

from cvtool.datasets.people import read_people
from cvtool.errors import DatasetError


def files(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def test_a_folder_for_each_person(tmp_path):
    people = files(tmp_path, "Ada/2.jpg", "Ada/10.jpg", "Bob/more/1.png", "Bob/notes.txt", "x.jpg")
    (people / "Cleo").mkdir()
    data = read_people(people)
    # Cleo has no picture; that is for the caller to judge.
    assert data.classes == ("Ada", "Bob", "Cleo") and data.labels.tolist() == [0, 0, 1]
    assert [path.name for path in data.paths] == ["2.jpg", "10.jpg", "1.png"]
    assert data.splits == ("", "", "")


def test_people_may_come_split_but_nobody_twice(tmp_path):
    people = files(tmp_path, "train/Ada/1.jpg", "val/Bob/1.jpg", "test/Cleo/1.jpg")
    data = read_people(people)
    split = {data.classes[i]: name for i, name in zip(data.labels, data.splits, strict=True)}
    assert split == {"Ada": "train", "Bob": "dev", "Cleo": "test"}
    files(people, "test/Ada/2.jpg")
    with pytest.raises(DatasetError, match="Ada in both train and test; a face model is measured"):
        read_people(people)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["1.jpg", "2.jpg"], "no folders of people, 2 pictures directly in it; put the pictures"),
        (["Ada/1.jpg"], r"only one person \(Ada\)"),
        (["Ada/notes.txt", "Bob/notes.txt"], "no picture in its folders"),
        (["Ada/1.jpg", "ada/1.jpg"], "differ only in upper and lower case"),
    ],
)
def test_what_is_missing_is_said(tmp_path, names, words):
    with pytest.raises(DatasetError, match=words):
        read_people(files(tmp_path / "people", *names))


def test_a_file_and_nothing_at_all(tmp_path):
    files(tmp_path, "people.csv")
    with pytest.raises(DatasetError, match=r"people\.csv: a file; give a folder"):
        read_people(tmp_path / "people.csv")
    with pytest.raises(DatasetError, match="gone: no such folder"):
        read_people(Path("gone"))
