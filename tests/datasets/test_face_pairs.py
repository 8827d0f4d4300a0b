"""Lists of pairs: LFW's formats, CSV, and what is wrong with them."""

from itertools import pairwise
from pathlib import Path

import pytest

from cvtool.datasets.face_pairs import FacePair, FacePairs, read_pairs, some_of
from cvtool.errors import DatasetError


@pytest.fixture
def people(tmp_path):
    """A folder of people, as LFW has it, beside the lists."""
    root = tmp_path / "lfw" / "pictures"
    for name in ("Ann_Lee", "Bo"):
        for number in (1, 2, 3):
            (root / name).mkdir(parents=True, exist_ok=True)
            (root / name / f"{name}_{number:04}.jpg").write_bytes(b"")
    (root / "Bo" / "Bo_0003.jpg").rename(root / "Bo" / "Bo_0003.png")
    return root


def write(people, text, name="pairs.txt"):
    path = people.parent / name
    path.write_text(text)
    return path


DEV = "2\nAnn_Lee\t1\t3\nBo\t1\t2\nAnn_Lee\t1\tBo\t3\nBo\t2\tAnn_Lee\t2\n"


@pytest.mark.parametrize("tabs", [True, False])
def test_lfws_development_list(people, tabs):
    path = write(people, DEV if tabs else DEV.replace("\t", " "))
    found = read_pairs(path)
    ann, bo = people / "Ann_Lee", people / "Bo"
    assert found.folds == 1
    assert found.pairs == (
        FacePair(ann / "Ann_Lee_0001.jpg", ann / "Ann_Lee_0003.jpg", True),
        FacePair(bo / "Bo_0001.jpg", bo / "Bo_0002.jpg", True),
        FacePair(ann / "Ann_Lee_0001.jpg", bo / "Bo_0003.png", False),
        FacePair(bo / "Bo_0002.jpg", ann / "Ann_Lee_0002.jpg", False),
    )
    assert len(found.paths) == 6
    assert read_pairs(path, people) == found


def test_lfws_list_of_folds(people):
    rows = ["Bo\t1\t2", "Bo\t1\tAnn_Lee\t1", "Bo\t2\t3", "Bo\t3\tAnn_Lee\t2"]
    found = read_pairs(write(people, "\n".join(["2\t1", *rows, ""])))
    assert found.folds == 2
    assert [pair.fold for pair in found.pairs] == [0, 0, 1, 1]
    assert [pair.same for pair in found.pairs] == [True, False, True, False]


def test_a_picture_that_is_missing_has_the_usual_name(people):
    found = read_pairs(write(people, "1\nBo\t1\t9\nBo\t1\tAnn_Lee\t1\n"))
    assert found.pairs[0].other == people / "Bo" / "Bo_0009.jpg"


@pytest.mark.parametrize("heading", ["", "file1,file2,same\n"])
def test_csv(tmp_path, heading):
    path = tmp_path / "pairs.csv"
    path.write_text(heading + "a.jpg, b.jpg, 1\n\nsub/a.jpg,c.jpg,different,7\nd.png,e.png,TRUE\n")
    found = read_pairs(path)
    assert [pair.same for pair in found.pairs] == [True, False, True]
    assert found.pairs[1] == FacePair(tmp_path / "sub/a.jpg", tmp_path / "c.jpg", False, 1)
    assert found.folds == 2
    (tmp_path / "pictures").mkdir()
    other = read_pairs(path, tmp_path / "pictures")
    assert other.pairs[0].one == tmp_path / "pictures" / "a.jpg"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "lists no pairs"),
        ("a.jpg,b.jpg,2\na.jpg,b.jpg,1\na.jpg,c.jpg,0\n", "line 1: not two files and 1"),
        ("3\nBo\t1\t2\n", "has 1 pairs where its first line announces 6"),
        ("1\nBo\t1\t2\nBo\t1\n", 'line 3: neither "NAME 1 4"'),
        ("1\nBo\t1\tx\nBo\t1\tAnn_Lee\t2\n", "line 2"),
        ("1\n../x\t1\t2\nBo\t1\tAnn_Lee\t2\n", '"../x" is no name of a folder'),
        ("1\nBo\t1\t2\nBo\t1\t3\n", "lists no pairs of two people"),
        ("a.jpg,b.jpg,maybe\nc.jpg,d.jpg,perhaps\n", "line 1: not two files and 1"),
        ("a.jpg,b.jpg\n", "line 1"),
        ("a.jpg,b.jpg,0\n", "lists no pairs of one person"),
        ("a.jpg,b.jpg,0,x\n", 'the fold "x" is no number'),
        ("file,other,same\n", "lists no pairs"),
    ],
)
def test_what_is_no_list_is_named_with_its_line(people, text, words):
    path = write(people, text)
    with pytest.raises(DatasetError) as error:
        read_pairs(path)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(DatasetError, match="gone.txt: no such file"):
        read_pairs(tmp_path / "gone.txt")
    with pytest.raises(DatasetError, match="is a folder"):
        read_pairs(tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(DatasetError, match="is no text"):
        read_pairs(tmp_path / "bytes")
    (tmp_path / "pairs.csv").write_text("a,b,1\na,c,0\n")
    with pytest.raises(DatasetError, match="no such folder of pictures"):
        read_pairs(tmp_path / "pairs.csv", tmp_path / "nowhere")


@pytest.mark.parametrize("limit", [1, 2, 4, 5, 7, 8, 99])
def test_some_of_the_pairs_are_of_both_kinds_and_spread(limit):
    files = [Path(f"{n}.jpg") for n in range(9)]
    data = FacePairs(
        tuple(FacePair(a, b, n % 2 == 0) for n, (a, b) in enumerate(pairwise(files))), 1
    )
    chosen = some_of(data, limit).pairs
    assert len(chosen) == min(max(limit, 2), 8) == len(set(chosen))
    assert abs(sum(pair.same for pair in chosen) - len(chosen) / 2) < 1
    assert [p for p in data.pairs if p in chosen] == list(chosen)
    assert limit < 4 or {data.pairs[0], data.pairs[-1]} <= set(chosen)
