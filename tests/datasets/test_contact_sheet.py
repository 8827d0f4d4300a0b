from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvtool.datasets.boxed import DetectionDataset, Example
from cvtool.datasets.contact_sheet import Tile, choose_tiles, contact_sheet
from cvtool.datasets.faults import Fault
from cvtool.datasets.labelled import LabelledPictures
from cvtool.datasets.mask_files import write_mask
from cvtool.datasets.masked import MaskDataset, MaskedPicture
from cvtool.pictures.drawing import class_colour
from cvtool.pictures.writing import write_picture

FAULT_RED = (190, 20, 20)


def boxed(*class_ids, splits=None):
    """A data set whose pictures 0.jpg, 1.jpg ... have boxes of these classes."""
    examples = [
        Example(
            path=Path(f"/d/{number}.jpg"),
            boxes=np.tile(np.float32([2, 2, 30, 30]), (len(ids), 1)),
            class_ids=np.array(ids, np.int64),
            width=100,
            height=80,
            picture_id=number,
            split=splits[number] if splits else "",
        )
        for number, ids in enumerate(class_ids)
    ]
    classes = tuple("abcdefghijklmnopqrstuvwxyz")
    return DetectionDataset(classes, tuple(examples), tuple(range(26)))


def fault(number, kind="outside"):
    return Fault(kind, Path("labels.txt"), f"wrong {number}", 3, Path(f"/d/{number}.jpg"))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 25), max_size=4), min_size=1, max_size=40),
    st.integers(0, 3),
)
def test_every_class_is_shown_where_there_is_room(class_ids, seed):
    data = boxed(*class_ids)
    tiles = choose_tiles(data, count=26, seed=seed)
    shown = {label for tile in tiles for label in tile.labels}
    assert shown == {data.classes[label] for ids in class_ids for label in ids}
    assert len({tile.path for tile in tiles}) == len(tiles) == min(26, len(class_ids))


def test_the_choice_repeats_and_follows_the_seed():
    data = boxed(*[[0]] * 40)
    names = [[t.name for t in choose_tiles(data, seed=seed)] for seed in (0, 0, 1)]
    assert names[0] == names[1] != names[2]


def test_pictures_with_faults_come_first_each_kind_in_turn():
    data = boxed(*[[n % 5] for n in range(30)])
    faults = [*(fault(n) for n in range(10, 20)), fault(25, "no area"), fault(3, "twice")]
    tiles = choose_tiles(data, faults, count=8)
    assert [tile.fault for tile in tiles] == ["wrong 10", "wrong 25", "wrong 3", "wrong 11"] + [
        ""
    ] * 4
    assert {label for tile in tiles for label in tile.labels} == set("abcde")


def test_faults_of_no_picture_in_the_set():
    other = Fault("unreadable label", Path("x.txt"), "not text")
    assert [tile.fault for tile in choose_tiles(boxed([0]), [other, fault(7)])] == [""]


def test_captions_say_split_and_classes():
    tiles = choose_tiles(boxed([0], [1, 2], splits=["train", ""]))
    assert {tile.name: tile.words for tile in tiles} == {
        "0.jpg": "train, 1 box",
        "1.jpg": "2 boxes",
    }
    paths = (Path("/d/x/1.jpg"), Path("/d/y/2.jpg"))
    one = LabelledPictures(("cat", "dog"), paths, np.array([1, 0]), ("", ""))
    assert {tile.name: tile.words for tile in choose_tiles(one)} == {
        "x/1.jpg": "dog",
        "y/2.jpg": "cat",
    }
    marks = np.array([[1, 1], [0, np.nan]], np.float32)
    several = LabelledPictures(("cat", "dog"), paths, marks, ("", ""))
    assert {tile.words for tile in choose_tiles(several)} == {"cat, dog", "no label"}


def tile(path, words="1 box", boxes=(), labels=(), fault=""):
    return Tile(path, path.name, words, np.array(boxes, float).reshape(-1, 4), labels, fault)


@pytest.fixture
def grey(tmp_path):
    """A grey picture, 400 wide and 200 high."""
    write_picture(tmp_path / "grey.png", np.full((200, 400, 3), 128, np.uint8))
    return tmp_path / "grey.png"


def has(pixels, colour):
    return (pixels == np.array(colour, np.uint8)).all(axis=-1)


def test_boxes_are_drawn_where_they_belong(grey):
    sheet = contact_sheet([tile(grey, boxes=[(100, 100, 300, 180)], labels=("cat",))], side=200)
    # The picture stands at half its size, 10 px from the left and the top.
    rows, columns = np.nonzero(has(sheet, class_colour("cat"))[60:110])
    assert (columns.min(), columns.max()) == (10 + 50, 10 + 150 - 1)
    assert rows.max() + 60 == 10 + 90 - 1
    assert tuple(sheet[70, 15]) == (128, 128, 128)


def test_masks_are_laid_over_their_picture(grey, tmp_path):
    mask = np.zeros((200, 400), np.uint8)
    mask[50:150, 100:300] = 1
    write_mask(tmp_path / "mask.png", mask)
    example = MaskedPicture(grey, tmp_path / "mask.png", "train")
    data = MaskDataset(("background", "cat"), (example,))
    (shown,) = choose_tiles(data, present=[{0, 1}])
    assert (shown.name, shown.words) == ("grey.png", "train, cat")
    sheet = contact_sheet([shown], side=200)
    # The picture stands at half its size, 10 px from the left and the top.
    rows, columns = np.nonzero((sheet[10:110, 10:210] != 128).any(axis=2))
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (50, 149, 25, 74)
    assert has(sheet[35, 60:160], class_colour("cat")).all()


@pytest.mark.parametrize("count", [3, 30])
def test_every_class_of_masks_is_shown_where_there_is_room(count):
    present = [{0, 1} for _ in range(40)] + [{0, 2}, {0}]
    examples = tuple(MaskedPicture(Path(f"/d/{n}.jpg"), Path(f"/m/{n}.png")) for n in range(42))
    tiles = choose_tiles(MaskDataset(("bg", "cat", "dog"), examples), count=count, present=present)
    assert len(tiles) == count and {"cat", "dog"} <= {tile.words for tile in tiles}


def test_faults_are_written_in_red_below_their_picture(grey):
    sound, faulty = tile(grey), tile(grey, fault="a box lies outside " * 9)
    plain = contact_sheet([sound] * 3, columns=2, side=200)
    sheet = contact_sheet([faulty, sound, sound], columns=2, side=200)
    assert not has(plain, FAULT_RED).any()
    rows, columns = np.nonzero(has(sheet, FAULT_RED))
    assert rows.min() > 10 + 100 and columns.min() >= 10 and columns.max() < 10 + 200
    # Three lines of red text make this row higher, and no other.
    assert sheet.shape[0] == plain.shape[0] + 3 * 17


@pytest.mark.parametrize("words", ["", "w" * 300, "two words " * 40, "名前 " * 50])
def test_long_captions_stay_below_their_picture(tmp_path, words):
    path = tmp_path / f"{'n' * 200}.png"
    write_picture(path, np.zeros((50, 100, 3), np.uint8))
    sheet = contact_sheet([tile(path, words, fault=words)], side=120)
    assert sheet.shape[1] == 10 + 120 + 10
    assert (sheet[:, 131:] == 255).all()


def test_what_cannot_be_read_is_left_out(grey, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff no picture")
    bad = [tile(tmp_path / "bad.jpg"), tile(tmp_path / "absent.jpg")]
    alone = contact_sheet([tile(grey)])
    assert np.array_equal(contact_sheet([bad[0], tile(grey), bad[1]]), alone)
    assert contact_sheet(bad) is None
    assert contact_sheet([]) is None


@pytest.mark.parametrize("shape", [(1, 900), (900, 1), (1, 1)])
def test_pictures_of_any_shape(tmp_path, shape):
    write_picture(tmp_path / "p.png", np.zeros((*shape, 3), np.uint8))
    assert contact_sheet([tile(tmp_path / "p.png")]).dtype == np.uint8
