"""Where pictures and masks are found, how they are paired, and what is wrong with them."""

import numpy as np
import pytest
from PIL import Image

from cvtool.datasets import mask_pixels
from cvtool.datasets.faults import FAULTS
from cvtool.datasets.mask_files import read_mask, write_mask
from cvtool.datasets.masked_layout import read_masked, recognise_masks
from cvtool.errors import DatasetError

MASK = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (3, 2)).save(path)


def mask(path, ids=MASK):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mask(path, ids)


def make(folder, stems, pictures="images", masks="masks", suffix=".jpg", ending=""):
    for stem in stems:
        picture(folder / pictures / f"{stem}{suffix}")
        mask(folder / masks / f"{stem}{ending}.png")
    return folder


def read(*arguments, **options):
    """The data set, its faults, and the messages of its remarks."""
    faults, remarks = [], []
    data = read_masked(*arguments, **options, on_fault=faults.append, on_remark=remarks.append)
    assert {fault.kind for fault in faults} <= FAULTS.keys()
    assert {remark.kind for remark in remarks} <= {"unmasked"}
    return data, faults, [remark.message for remark in remarks]


def pairs(data, folder):
    """What belongs together, relative to the folder, and its split."""
    return [
        (str(e.path.relative_to(folder)), str(e.mask.relative_to(folder)), e.split)
        for e in data.examples
    ]


def sound(*arguments, **options):
    data, faults, remarks = read(*arguments, **options)
    assert not faults and not remarks
    return data


@pytest.mark.parametrize(
    "pictures, masks", [("images", "masks"), ("JPEGImages", "SegmentationClass"), ("img", "labels")]
)
def test_two_folders(tmp_path, pictures, masks):
    make(tmp_path, ["a10", "a2"], pictures, masks)
    assert recognise_masks(tmp_path)
    data = sound(tmp_path)
    assert pairs(data, tmp_path) == [
        (f"{pictures}/a2.jpg", f"{masks}/a2.png", ""),
        (f"{pictures}/a10.jpg", f"{masks}/a10.png", ""),
    ]
    assert data.classes == ("background", "class1", "class2") and data.colours is None


@pytest.mark.parametrize("order", ["splits inside", "splits outside"])
def test_folders_of_splits(tmp_path, order):
    for split in ("val", "test", "train"):
        inside = order == "splits inside"
        folders = (f"images/{split}", f"masks/{split}")
        folders = folders if inside else (f"{split}/images", f"{split}/masks")
        make(tmp_path, [f"{split}1", f"{split}2"], *folders)
    assert recognise_masks(tmp_path)
    data = sound(tmp_path)
    splits = ["train", "train", "dev", "dev", "test", "test"]
    assert [example.split for example in data.examples] == splits
    assert all(example.path.stem == example.mask.stem for example in data.examples)


def test_folders_of_splits_on_one_side_only(tmp_path):
    make(tmp_path, ["a", "b"], "images", "masks/train")
    make(tmp_path, ["c"], "images/val", "masks")
    assert pairs(sound(tmp_path), tmp_path) == [
        ("images/a.jpg", "masks/train/a.png", "train"),
        ("images/b.jpg", "masks/train/b.png", "train"),
        ("images/val/c.jpg", "masks/c.png", "dev"),
    ]


def test_the_same_name_in_two_folders(tmp_path):
    for split in ("train", "val"):
        make(tmp_path, ["x/a"], f"images/{split}", f"masks/{split}")
    assert pairs(sound(tmp_path), tmp_path) == [
        ("images/train/x/a.jpg", "masks/train/x/a.png", "train"),
        ("images/val/x/a.jpg", "masks/val/x/a.png", "dev"),
    ]


@pytest.mark.parametrize("ending", ["_mask", "_segmentation", "_L"])
def test_masks_with_an_ending(tmp_path, ending):
    data = sound(make(tmp_path, ["a", "b_mask"], ending=ending))
    assert [(e.path.stem, e.mask.stem) for e in data.examples] == [
        ("a", f"a{ending}"),
        ("b_mask", f"b_mask{ending}"),
    ]


@pytest.mark.parametrize("place", ["ImageSets/Segmentation", "."])
def test_lists_of_splits(tmp_path, place):
    make(tmp_path, ["a", "b", "c c", "d.e", "spare"])
    picture(tmp_path / "images/unlisted.jpg")
    picture(tmp_path / "images/f.jpg")
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    (tmp_path / place / "train.txt").write_text("a\n\nimages/b.jpg masks/b.png\nc c\nz\nf\n")
    (tmp_path / place / "val.txt").write_text("d.e\nb\n")
    data, faults, remarks = read(tmp_path)
    found = {example.path.stem: example.split for example in data.examples}
    assert found == {"a": "train", "b": "train", "c c": "train", "d.e": "dev", "spare": ""}
    assert [(fault.kind, fault.file.name, fault.line, fault.split) for fault in faults] == [
        ("missing picture", "train.txt", 5, "train"),
        ("twice", "val.txt", 2, ""),
        ("missing mask", "f.jpg", None, "train"),
    ]
    assert remarks == ["1 of 7 pictures have no mask, and are left out"]


def test_trainval_is_train_where_there_is_no_train(tmp_path):
    make(tmp_path, ["a", "b"])
    (tmp_path / "trainval.txt").write_text("a\n")
    (tmp_path / "test.txt").write_text("b\n")
    assert [example.split for example in sound(tmp_path).examples] == ["train", "test"]


def test_folders_named_by_the_user(tmp_path):
    make(tmp_path, ["a", "b"], "photos", "drawn")
    photos, drawn = tmp_path / "photos", tmp_path / "drawn"
    expected = [(f"photos/{name}.jpg", f"drawn/{name}.png", "") for name in "ab"]
    assert not recognise_masks(tmp_path)
    assert recognise_masks(drawn, photos) and recognise_masks(photos, masks=drawn)
    for path, options in (
        (tmp_path, {"pictures": photos, "masks": drawn}),
        (drawn, {"pictures": photos}),
        (photos, {"masks": drawn}),
    ):
        assert pairs(sound(path, **options), tmp_path) == expected
    with pytest.raises(
        DatasetError, match=r"no folders images and masks .* --pictures and --masks"
    ):
        read_masked(tmp_path)


def test_masks_in_the_folder_of_the_pictures(tmp_path):
    make(tmp_path, ["a", "b"], ".", "masks")
    assert recognise_masks(tmp_path)
    assert pairs(sound(tmp_path), tmp_path) == [(f"{n}.jpg", f"masks/{n}.png", "") for n in "ab"]
    assert len(sound(tmp_path, masks=tmp_path / "masks").examples) == 2


def test_the_folder_of_the_masks_itself(tmp_path, monkeypatch):
    make(tmp_path, ["a", "b"], "images/train", "masks/train")
    make(tmp_path, ["c", "d"], "images/val", "masks/val")
    (tmp_path / "classes.txt").write_text("ground\ntree\nroof\n")
    for folder, count in (("masks", 4), ("masks/val", 2)):
        assert recognise_masks(tmp_path / folder)
        data = sound(tmp_path / folder)
        assert len(data.examples) == count and data.classes == ("ground", "tree", "roof")
    monkeypatch.chdir(tmp_path / "masks")
    assert recognise_masks(".") and len(sound(".").examples) == 4


def test_names_of_the_classes(tmp_path):
    make(tmp_path, ["a", "b"])
    assert sound(tmp_path, classes=["x", "y", "z"]).classes == ("x", "y", "z")
    (tmp_path / "other.txt").write_text("u\nv\nw\n")
    (tmp_path / "labels.txt").write_text("k\nl\nm\n")
    assert sound(tmp_path).classes == ("k", "l", "m")
    assert sound(tmp_path, classes=tmp_path / "other.txt").classes == ("u", "v", "w")
    assert sound(tmp_path, classes=str(tmp_path / "other.txt")).classes == ("u", "v", "w")


def test_colours_of_the_classes(tmp_path):
    make(tmp_path, ["a", "b"])
    for path in (tmp_path / "masks").iterdir():
        Image.open(path).convert("RGB").save(path)
    (tmp_path / "classes.txt").write_text("void 0 0 0\ncat 128 0 0\ndog 0 128 0\n")
    data = sound(tmp_path)
    assert data.classes == ("cat", "dog")
    for example in data.examples:
        ids = read_mask(example.mask, data.colours, len(data.classes))
        assert np.array_equal(ids, (MASK.astype(int) - 1) % 256)


def test_few_masks_are_opened_where_the_classes_are_known(tmp_path, monkeypatch):
    make(tmp_path, [str(number) for number in range(60)])
    opened = []
    read_pixels = mask_pixels.open_mask
    monkeypatch.setattr(
        "cvtool.datasets.mask_classes.open_mask", lambda at: opened.append(at) or read_pixels(at)
    )
    assert len(sound(tmp_path, classes=["a", "b", "c"]).examples) == 60
    assert len(opened) == 16


def test_what_has_no_counterpart(tmp_path):
    make(tmp_path, ["a", "b"], "images/train", "masks/train")
    picture(tmp_path / "images/train/c.jpg")
    mask(tmp_path / "masks/train/d.png")
    data, faults, remarks = read(tmp_path)
    assert len(data.examples) == 2 and not remarks
    assert [(fault.kind, fault.file.name, fault.split) for fault in faults] == [
        ("missing mask", "c.jpg", "train"),
        ("missing picture", "d.png", "train"),
    ]
    assert faults[0].picture.name == "c.jpg" and "c.png is not in" in faults[0].message
    with pytest.raises(DatasetError, match=r"c\.jpg: has no mask"):
        read_masked(tmp_path)


def test_where_most_pictures_have_no_mask_a_line_says_so(tmp_path):
    make(tmp_path, ["a", "b"])
    for number in range(3):
        picture(tmp_path / f"images/{number}.jpg")
    data, faults, remarks = read(tmp_path)
    assert len(data.examples) == 2 and not faults
    assert remarks == ["3 of 5 pictures have no mask, and are left out"]


def test_two_files_of_one_name(tmp_path):
    make(tmp_path, ["a", "b"])
    picture(tmp_path / "images/a.bmp")
    Image.fromarray(MASK).save(tmp_path / "masks/b.tif")
    Image.fromarray(MASK).save(tmp_path / "masks/a.jpg")  # a preview
    data, faults, _ = read(tmp_path)
    assert [example.mask.name for example in data.examples] == ["a.png", "b.png"]
    assert [(fault.kind, fault.file.name) for fault in faults] == [
        ("twice", "a.jpg"),
        ("twice", "b.tif"),
    ]
    assert "same name as a.bmp" in faults[0].message and "as b.png" in faults[1].message


def test_jpeg_masks(tmp_path):
    make(tmp_path, ["a", "b", "c"])
    (tmp_path / "masks/a.png").unlink()
    Image.fromarray(MASK).save(tmp_path / "masks/a.jpg")
    data, faults, _ = read(tmp_path)
    assert [example.path.stem for example in data.examples] == ["b", "c"]
    assert [(fault.kind, fault.file.name) for fault in faults] == [("unreadable label", "a.jpg")]
    assert "JPEG" in faults[0].message and "PNG" in faults[0].message
    for name in "bc":
        (tmp_path / f"masks/{name}.png").rename(tmp_path / f"masks/{name}.jpg")
    with pytest.raises(DatasetError, match=r"a\.jpg: a JPEG, .*all masks here"):
        read_masked(tmp_path)


def test_a_single_pair(tmp_path):
    data, faults, _ = read(make(tmp_path, ["a"]))
    assert len(data.examples) == 1 and [fault.kind for fault in faults] == ["one picture"]


def test_no_pairs(tmp_path):
    picture(tmp_path / "images/a.jpg")
    mask(tmp_path / "masks/b.png")
    assert recognise_masks(tmp_path)
    words = r"no mask has the name of a picture in .*images; .* a\.jpg would be a\.png, .* b\.png"
    with pytest.raises(DatasetError, match=words):
        read_masked(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="empty: no picture in this folder"):
        read_masked(tmp_path, pictures=tmp_path / "empty")


def test_paths_that_are_wrong(tmp_path):
    make(tmp_path, ["a", "b"])
    file = tmp_path / "images/a.jpg"
    for options, words in (
        ({"path": tmp_path / "absent"}, "absent: no such folder"),
        ({"path": file}, "not a folder"),
        ({"path": tmp_path, "pictures": tmp_path / "no"}, "no: no such folder of pictures"),
        ({"path": tmp_path, "masks": file}, "a.jpg: no such folder of masks"),
        ({"path": tmp_path / "masks", "pictures": tmp_path / "masks"}, "named for the pictures"),
        ({"path": tmp_path, "classes": tmp_path / "no.txt"}, "no.txt: cannot be read"),
    ):
        with pytest.raises(DatasetError, match=words) as caught:
            read_masked(**options)
        assert len(str(caught.value).splitlines()) == 1


def test_what_is_not_one_of_masks(tmp_path):
    assert not recognise_masks(tmp_path / "absent") and not recognise_masks("a\0b")
    assert not recognise_masks(tmp_path)
    for name in ("mask", "no_mask"):
        picture(tmp_path / "faces" / name / f"{name}.jpg")
    picture(tmp_path / "faces/all.jpg")
    assert not recognise_masks(tmp_path / "faces")
    assert not recognise_masks(tmp_path / "faces", tmp_path / "faces/mask")
    table = tmp_path / "labels.csv"
    table.write_text("file,label\na.jpg,cat\n")
    assert not recognise_masks(table, tmp_path)


def test_boxes_beside_the_masks_come_first(tmp_path):
    make(tmp_path, ["a", "b"])
    assert recognise_masks(tmp_path)
    (tmp_path / "boxes.json").write_text('{"images": [], "annotations": [], "categories": []}')
    assert not recognise_masks(tmp_path)
    assert recognise_masks(tmp_path, masks=tmp_path / "masks")
    assert recognise_masks(tmp_path / "masks")
