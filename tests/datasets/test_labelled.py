from pathlib import Path

import numpy as np
import pytest

from cvtool.datasets.labelled import LabelledPictures, read_labelled, require_trained_classes
from cvtool.errors import DatasetError


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"never opened")


def data(labels, splits=None):
    labels = np.asarray(labels)
    return LabelledPictures(
        ("cat", "dog", "eel"),
        tuple(Path(f"{n}.jpg") for n in range(len(labels))),
        labels,
        tuple(splits or [""] * len(labels)),
    )


def test_subset_keeps_order_and_classes():
    some = data([0, 1, 2, 1], ["train", "dev", "test", ""]).subset([3, 0])
    assert some.classes == ("cat", "dog", "eel")
    assert some.paths == (Path("3.jpg"), Path("0.jpg"))
    assert some.labels.tolist() == [1, 0] and some.labels.dtype == np.int64
    assert some.splits == ("", "train")
    assert len(some) == 2 and not some.several
    assert len(some.subset([])) == 0


def test_several_labels():
    some = data(np.array([[1, 0, np.nan], [0, 1, 1]], np.float32)).subset(np.array([1]))
    assert some.several and some.labels.tolist() == [[0, 1, 1]]


def test_recognises_class_folders(tmp_path):
    touch(tmp_path / "cat" / "1.jpg", tmp_path / "dog" / "1.jpg")
    assert read_labelled(str(tmp_path)).classes == ("cat", "dog")
    with pytest.raises(DatasetError, match="named for a CSV file only"):
        read_labelled(tmp_path, tmp_path)


@pytest.mark.parametrize("name", ["labels.csv", "labels.TSV", "labels"])
def test_recognises_a_table(tmp_path, name):
    touch(tmp_path / "pictures" / "1.jpg", tmp_path / "pictures" / "2.jpg")
    (tmp_path / name).write_text("file,label\n1.jpg,cat\n2.jpg,dog\n")
    assert read_labelled(tmp_path / name, tmp_path / "pictures").labels.tolist() == [0, 1]


def test_recognises_tiny_imagenet(tmp_path):
    touch(tmp_path / "val" / "images" / "v.JPEG")
    (tmp_path / "wnids.txt").write_text("n2\nn1\n")
    (tmp_path / "val" / "val_annotations.txt").write_text("v.JPEG\tn2\t0\t0\t1\t1\n")
    for folder in (tmp_path, tmp_path / "val"):
        read = read_labelled(folder)
        assert read.classes == ("n1", "n2") and read.splits == ("dev",)


@pytest.mark.parametrize(
    ("content", "said"), [(b"PK\x03\x04 ...", "unpack"), (b"\xff\xd8\xff\xe0", "picture")]
)
def test_other_files_are_refused(tmp_path, content, said):
    (tmp_path / "set.bin").write_bytes(content)
    with pytest.raises(DatasetError, match=f"set.bin: .*{said}") as caught:
        read_labelled(tmp_path / "set.bin")
    assert "\n" not in str(caught.value)


def test_nothing_there(tmp_path):
    with pytest.raises(DatasetError, match="absent: no such file or folder"):
        read_labelled(tmp_path / "absent")


def test_classes_have_to_be_trained():
    require_trained_classes("here", data([0, 1, 1], ["train", "train", "dev"]))
    require_trained_classes("here", data([0, 1, 1], ["dev", "test", "test"]))
    require_trained_classes("here", data([0, 1, 1]))
    with pytest.raises(DatasetError, match="here: class 'dog' and 1 more has pictures for test"):
        require_trained_classes("here", data([0, 1, 2], ["train", "test", "test"]))
