import unicodedata

import numpy as np
import pytest

from cvtool.datasets.label_table import read_label_table
from cvtool.errors import DatasetError


@pytest.fixture
def write(tmp_path):
    for name in ("1.jpg", "2.jpg", "3.jpg", "sub/4.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"never opened")

    def write(text, encoding="utf-8"):
        path = tmp_path / "labels.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return path

    return write


def test_one_label_a_picture(write, tmp_path):
    data = read_label_table(write("file,label\n2.jpg,no 10\nsub/4.jpg,no 2\n1.jpg,no 10\n"))
    assert data.classes == ("no 2", "no 10")
    assert data.labels.tolist() == [1, 0, 1] and data.labels.dtype == np.int64
    assert data.paths == (tmp_path / "2.jpg", tmp_path / "sub" / "4.jpg", tmp_path / "1.jpg")
    assert data.splits == ("", "", "") and not data.several


def test_splits(write):
    data = read_label_table(
        write(
            "Split,Filename,age,Class\nTrain,1.jpg,3,a\nval,2.jpg,,a\ntest,3.jpg,5,b\ntrain,sub/4.jpg,,b\n"
        )
    )
    assert data.splits == ("train", "dev", "test", "train")
    assert data.labels.tolist() == [0, 0, 1, 1]
    assert read_label_table(write("file,label,split\n1.jpg,a,\n2.jpg,b,\n")).splits == ("", "")


def test_several_labels_a_picture(write):
    data = read_label_table(write("file,sun,sea,snow\n1.jpg,1,0,\n2.jpg,1.0,0.0,1\n"))
    assert data.classes == ("sun", "sea", "snow") and data.several
    assert data.labels.dtype == np.float32
    np.testing.assert_array_equal(data.labels, [[1, 0, np.nan], [1, 0, 1]])


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators_and_encodings(write, mark, encoding, end):
    lines = ["file,label", '"1.jpg","cat, old; grey"', "", "2.jpg,Kätzchen"]
    text = end.join([lines[0].replace(",", mark), lines[1].replace('",', f'"{mark}'), "", ""])
    data = read_label_table(write(text + lines[3].replace(",", mark) + end, encoding))
    assert data.classes == ("cat, old; grey", "Kätzchen")


def test_pictures_elsewhere(write, tmp_path):
    table = write("file,label\n4.jpg,a\n../2.jpg,b\n")
    with pytest.raises(DatasetError, match=r"2 of 2 .* the first is 4.jpg \(line 2\); .* folder"):
        read_label_table(table)
    assert read_label_table(table, tmp_path / "sub").paths[0] == tmp_path / "sub" / "4.jpg"
    with pytest.raises(DatasetError, match="absent: no such folder"):
        read_label_table(table, tmp_path / "absent")
    absolute = write(f"file,label\n{tmp_path / '1.jpg'},a\nsub\\4.jpg,b\n")
    assert [path.name for path in read_label_table(absolute).paths] == ["1.jpg", "4.jpg"]


def test_accents_spelt_either_way(write, tmp_path):
    composed, pieces = (unicodedata.normalize(form, "Café.jpg") for form in ("NFC", "NFD"))
    (tmp_path / pieces).write_bytes(b"")
    data = read_label_table(write(f"file,label\n{composed},{composed}\n1.jpg,{pieces}\n2.jpg,b\n"))
    assert data.paths[0].is_file()
    assert data.classes == ("b", composed)


def test_repeated_lines(write):
    data = read_label_table(write("file,label\n1.jpg,a\n2.jpg,b\n./1.jpg,a\n3.jpg,b\n"))
    assert [path.name for path in data.paths] == ["1.jpg", "2.jpg", "3.jpg"]
    assert data.labels.tolist() == [0, 1, 1] and len(data.splits) == 3
    data = read_label_table(write("file,a,b\n1.jpg,1,\n1.jpg,1,\n"))
    assert data.labels.shape == (1, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("file,label\n", "only a header"),
        ("name,label\n1.jpg,a\n", 'no column "file"'),
        ("file\n1.jpg\n", 'no column "label"'),
        ("file,split\n1.jpg,train\n", 'no column "label"'),
        ("file,label\n1.jpg,a\n2.jpg\n", "line 3: has 1 cells, but the header has 2"),
        ("file,label\n1.jpg,a\n\n2.jpg,\n", "line 4: no label"),
        ("file,label\n1.jpg,a\n,b\n", "line 3: no file"),
        ("file,label\n1.jpg,a\n2.jpg,a\n", r"only one label \(a\)"),
        ("file,label\n1.jpg,cat\n2.jpg,Cat\n", "line 3: the label 'Cat' .* 'cat' in line 2"),
        ("file,label\n1.jpg,a\n2.jpg,b\n1.jpg,b\n", "line 4: 1.jpg has other labels .* line 2"),
        ("file,a,b\n1.jpg,1,0\n1.jpg,1,\n", "line 3: 1.jpg has other labels than in line 2"),
        ("file,label\n1.jpg,a\n9.jpg,b\n8.jpg,b\n", r"2 of 3 pictures .* 9.jpg \(line 3\)"),
        ("file,a,b\n1.jpg,1,0\n2.jpg,0,-1\n", "line 3: the column \"b\" holds '-1'"),
        ("file,lable\n1.jpg,cat\n", 'line 2: the column "lable" holds \'cat\'.*"label"'),
        ("file,a,A\n1.jpg,1,0\n", "columns 'a' and 'A' have the same name"),
        (",file,a\n0,1.jpg,1\n", "column 1 has no name"),
        ("file,label,split\n1.jpg,a,train\n2.jpg,b,tset\n", "line 3: .* holds 'tset'"),
        ("file,label,split\n1.jpg,a,train\n2.jpg,b,\n", "line 3: .* is empty here"),
        (
            "file,label,split\n1.jpg,a,train\n2.jpg,b,train\n1.jpg,a,test\n",
            "line 4: 1.jpg is in another split in line 2",
        ),
        ("file,label,split\n1.jpg,a,train\n2.jpg,b,val\n", "class 'b' has pictures for dev but"),
        ("file,label\n1.jpg,\xe4\n".encode("latin-1"), "not text in UTF-8"),
        ("file,label\n1.jpg,a\n".encode("utf-16"), "not text in UTF-8"),
        ('file,label\n1.jpg,"' + "a" * 200_000 + '"\n', "line 2: not CSV"),
    ],
)
def test_mistakes_are_named_with_their_line(write, text, said):
    with pytest.raises(DatasetError, match=f"labels.csv: .*{said}") as caught:
        read_label_table(write(text))
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(DatasetError, match="absent.csv: no such file"):
        read_label_table(tmp_path / "absent.csv")
    with pytest.raises(DatasetError, match="a folder; name the CSV"):
        read_label_table(tmp_path)


def test_a_cell_that_no_csv_may_have_is_one_line(write):
    with pytest.raises(DatasetError, match="line 1: not CSV .*field larger"):
        read_label_table(write("a" * 200_000 + ",b\n"))
