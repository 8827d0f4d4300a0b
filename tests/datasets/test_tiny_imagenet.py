import pytest

from cvtool.datasets.tiny_imagenet import class_names, is_tiny_imagenet, read_tiny_imagenet
from cvtool.errors import DatasetError

WORDS = "n1\tgoldfish, Carassius auratus\nn10\tcrane\nn2\tCrane, lifting device\nn9\tentity\n"


def make(root, words=WORDS):
    root.mkdir(parents=True, exist_ok=True)
    (root / "wnids.txt").write_text("n2\nn1\nn10\n")
    if words is not None:
        (root / "words.txt").write_text(words)
    for wnid in ("n1", "n10", "n2"):
        for number in (10, 2):
            picture = root / "train" / wnid / "images" / f"{wnid}_{number}.JPEG"
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.write_bytes(b"never opened")
        (root / "train" / wnid / f"{wnid}_boxes.txt").write_text("")
    (root / "val" / "images").mkdir(parents=True)
    for number in range(3):
        (root / "val" / "images" / f"val_{number}.JPEG").write_bytes(b"never opened")
    (root / "val" / "val_annotations.txt").write_text(
        "val_1.JPEG\tn10\t0\t0\t1\t1\nval_0.JPEG\tn2\t0\t0\t1\t1\nval_2.JPEG\tn1\t0\t0\t1\t1\n"
    )
    return root


def test_reads_train_and_val(tmp_path):
    data = read_tiny_imagenet(make(tmp_path))
    assert data.classes == ("goldfish", "crane (n10)", "Crane (n2)")
    assert data.splits == ("train",) * 6 + ("dev",) * 3
    # As sorted() orders them: n1, n10, n2.
    assert data.labels.tolist() == [0, 0, 1, 1, 2, 2, 1, 2, 0]
    assert [path.name for path in data.paths[:2]] == ["n1_2.JPEG", "n1_10.JPEG"]
    assert data.paths[6] == tmp_path / "val" / "images" / "val_1.JPEG"
    assert all(path.is_file() for path in data.paths)


def test_reads_the_val_folder(tmp_path, monkeypatch):
    root = make(tmp_path / "set")
    whole = read_tiny_imagenet(root)
    monkeypatch.chdir(root)
    for folder in (root / "val", "val"):
        assert is_tiny_imagenet(folder)
        data = read_tiny_imagenet(folder)
        assert data.classes == whole.classes
        assert data.splits == ("dev",) * 3
        assert data.labels.tolist() == [1, 2, 0]
        assert all(path.is_file() for path in data.paths)


def test_names_without_words(tmp_path):
    assert class_names(make(tmp_path, words=None)) == ("n1", "n10", "n2")
    (tmp_path / "words.txt").write_text("n1\tgoldfish\n")
    assert class_names(tmp_path / "val") == ("goldfish", "n10", "n2")


def test_train_only(tmp_path):
    root = make(tmp_path)
    (root / "val").rename(root / "elsewhere")
    assert read_tiny_imagenet(root).splits == ("train",) * 6
    (root / "train").rename(root / "too")
    with pytest.raises(DatasetError, match="neither a train nor a val folder"):
        read_tiny_imagenet(root)


def append(root, file, text):
    with open(root / file, "a") as stream:
        stream.write(text)


ANNOTATIONS = "val/val_annotations.txt"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda r: append(r, ANNOTATIONS, "val_3.JPEG\tn1\n"), r"1 of 4 .* val_3.JPEG \(line 4\)"),
        (lambda r: append(r, ANNOTATIONS, "val_2.JPEG\tn77\n"), "line 4: the class n77 is not in"),
        (lambda r: append(r, ANNOTATIONS, "val_2.JPEG\tn2\n"), "line 4: val_2.JPEG .* another"),
        (lambda r: append(r, ANNOTATIONS, "val_2.JPEG\n"), "line 4: needs a file, a tab"),
        (lambda r: (r / ANNOTATIONS).write_text(""), "lists no picture"),
        (lambda r: (r / ANNOTATIONS).unlink(), "val_annotations.txt: no such file"),
        (lambda r: append(r, "wnids.txt", "n1\n"), "n1 twice"),
        (lambda r: append(r, "wnids.txt", "n3\n"), "n3.images: no such folder"),
        (lambda r: (r / "wnids.txt").write_text("n1\n"), "names 1 classes"),
        (lambda r: (r / "wnids.txt").unlink(), "holds wnids.txt"),
        (lambda r: (r / "wnids.txt").write_bytes(b"\xff\xfe\x00"), "UTF-8"),
        (lambda r: (r / "train/n1/images/n1_2.JPEG").rename(r / "a"), None),
    ],
)
def test_mistakes_are_named(tmp_path, spoil, said):
    spoil(make(tmp_path))
    if said is None:  # a class with fewer pictures is none
        assert len(read_tiny_imagenet(tmp_path)) == 8
        return
    with pytest.raises(DatasetError, match=said) as caught:
        read_tiny_imagenet(tmp_path)
    assert "\n" not in str(caught.value)


def test_empty_class(tmp_path):
    root = make(tmp_path)
    for picture in (root / "train" / "n2" / "images").iterdir():
        picture.unlink()
    with pytest.raises(DatasetError, match="n2.images: no picture in it"):
        read_tiny_imagenet(root)


def test_no_such_folder(tmp_path):
    assert not is_tiny_imagenet(tmp_path)
    with pytest.raises(DatasetError, match="no such folder"):
        read_tiny_imagenet(tmp_path / "absent")
