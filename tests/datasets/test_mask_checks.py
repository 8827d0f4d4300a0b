"""Masks looked through, alone and within the whole check of a data set."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cvtool.datasets.dataset_check import check_dataset
from cvtool.datasets.mask_checks import check_masks
from cvtool.datasets.mask_files import write_mask
from cvtool.datasets.masked import MaskDataset, MaskedPicture
from cvtool.errors import DatasetError

ORIENTATION = 0x0112
CLASSES = ("background", "cat", "dog")


def draw(path, seed, size=(60, 40), **options):
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise).resize(size, Image.BICUBIC).save(path, **options)


def blocks(*ids, size=(60, 40)):
    """Columns of these ids, equally wide."""
    return np.repeat(np.array(ids, np.uint8), size[0] // len(ids))[None].repeat(size[1], axis=0)


@pytest.fixture
def folder(tmp_path):
    """Twelve pictures to train on and two to measure on, all with cat and dog; names in a list."""
    home = tmp_path / "set"
    for number in range(14):
        split = "train" if number < 12 else "val"
        draw(home / "images" / split / f"{number}.jpg", number)
        path = home / "masks" / split / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_mask(path, blocks(0, 1, 2, 255))
    (home / "classes.txt").write_text("\n".join(CLASSES))
    return home


def rewrite(path, mask):
    write_mask(path, mask, overwrite=True)


def kinds(findings):
    return [finding.kind for finding in findings]


def test_a_sound_set(folder):
    result = check_dataset(folder)
    assert (result.task, result.layout) == ("segment", "pictures and masks")
    assert result.faults == result.remarks == () and result.classes == CLASSES
    assert result.splits == {"train": 12, "dev": 2}
    assert result.class_pictures["cat"] == {"train": 12, "dev": 2}
    assert result.masks.pixels["cat"] == {"train": 12 * 600, "dev": 2 * 600}
    assert result.masks.void == {"train": 12 * 600, "dev": 2 * 600}
    assert result.masks.present == [{0, 1, 2}] * 14
    assert len(result.paths) == 14 and result.paths[0] == folder / "images/train/0.jpg"


def test_json_form_of_masks(folder):
    rewrite(folder / "masks/train/3.png", blocks(0, 9))
    content = json.loads(json.dumps(check_dataset(folder).to_dict()))
    assert content["task"] == "segment" and content["pictures"] == {"train": 11, "dev": 2}
    assert content["classes"]["dog"] == {
        "pictures": {"train": 11, "dev": 2},
        "pixels": {"train": 6600, "dev": 1200},
    }
    assert content["void"] == {"train": 6600, "dev": 1200} and "sizes" not in content
    (fault,) = content["faults"]
    assert fault["file"] == str(folder / "masks/train/3.png")
    assert fault["picture"] == str(folder / "images/train/3.jpg")
    assert set(content["remedies"]) == {"unknown class"}


def test_what_is_wrong_in_masks(folder):
    masks, images = folder / "masks/train", folder / "images/train"
    rewrite(masks / "0.png", blocks(0, 1, 7))
    rewrite(masks / "1.png", blocks(255, 255))
    rewrite(masks / "2.png", blocks(0, 1, size=(30, 20)))
    (masks / "3.png").write_bytes(b"\x89PNG no picture")
    Image.fromarray(blocks(0, 1)).save(masks / "4.png", format="JPEG")
    (masks / "5.png").unlink()
    (images / "6.jpg").unlink()
    (images / "7.jpg").write_bytes(b"no picture")
    rgb = np.zeros((40, 60, 3), np.uint8)
    rgb[..., 0] = 200
    Image.fromarray(rgb).save(masks / "8.png")
    result = check_dataset(folder)
    found = {(fault.kind, fault.file.relative_to(folder).as_posix()) for fault in result.faults}
    assert found == {
        ("unknown class", "masks/train/0.png"),
        ("all void", "masks/train/1.png"),
        ("wrong size", "masks/train/2.png"),
        ("unreadable label", "masks/train/3.png"),
        ("unreadable label", "masks/train/4.png"),
        ("missing mask", "images/train/5.jpg"),
        ("missing picture", "masks/train/6.png"),
        ("unreadable picture", "images/train/7.jpg"),
        ("unreadable label", "masks/train/8.png"),
    }
    assert len(result.faults) == 9
    assert {fault.split for fault in result.faults if fault.file.parent == masks} == {"train"}
    assert {e.path.stem for e in result.data.examples} == {"9", "10", "11", "12", "13"}
    assert len(result.masks.present) == 5 and result.splits == {"train": 3, "dev": 2}
    assert all(len(str(fault).splitlines()) == 1 for fault in result.faults)


def test_a_mask_of_a_picture_that_its_exif_data_turn(folder):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    draw(folder / "images/train/0.jpg", 0, exif=exif)
    (fault,) = check_dataset(folder).faults
    assert fault.kind == "wrong size" and "60 x 40 px, but its picture is 40 x 60" in fault.message
    assert "EXIF" in fault.message
    rewrite(folder / "masks/train/0.png", np.rot90(blocks(0, 1), -1))
    assert check_dataset(folder).faults == ()


def test_remarks_on_masks(folder):
    for number in range(12):
        rewrite(folder / f"masks/train/{number}.png", blocks(0, 1))
    rewrite(folder / "masks/train/0.png", blocks(0, 255))
    for number in (1, 2):
        rewrite(folder / f"masks/train/{number}.png", blocks(0, 0))
    draw(folder / "images/val/13.jpg", 5)  # is also train/5.jpg
    for number in range(20):
        draw(folder / f"images/train/bare{number}.jpg", 100 + number)
    result = check_dataset(folder)
    assert result.faults == ()
    assert kinds(result.remarks) == [
        "across splits",
        "untrained",
        "rare",
        *["empty"] * 3,
        "unmasked",
    ]
    assert result.remarks[1].message == "dog: no picture in train, 2 in dev"
    assert result.remarks[2].message == "cat: 9 pictures"
    assert [r.file.stem for r in result.remarks if r.kind == "empty"] == ["0", "1", "2"]
    assert "20 of 34 pictures have no mask" in str(result.remarks[-1])


def test_black_and_white_masks_are_counted_as_two_classes(tmp_path):
    for number in range(10):
        draw(tmp_path / f"images/{number}.jpg", number)
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray(blocks(0, 0, 255)).save(tmp_path / f"masks/{number}.png")
    result = check_dataset(tmp_path)
    assert result.faults == result.remarks == ()
    assert result.masks.pixels == {
        "background": {"unsplit": 16000},
        "class1": {"unsplit": 8000},
    }
    assert result.masks.void == {"unsplit": 0}


def test_folders_and_classes_that_the_user_names(folder, tmp_path):
    (folder / "masks").rename(tmp_path / "drawn")
    other = tmp_path / "other.txt"
    other.write_text("sky\nroad\ntree\n")
    result = check_dataset(folder, masks=tmp_path / "drawn", classes=other)
    assert result.faults == () and result.classes == ("sky", "road", "tree")
    result = check_dataset(tmp_path / "drawn", folder / "images", classes=other)
    assert result.faults == () and result.splits == {"train": 12, "dev": 2}
    with pytest.raises(DatasetError, match="no folders images and masks"):
        check_dataset(tmp_path, classes=other)


def test_boxes_beside_the_masks_are_checked_unless_the_masks_are_named(folder):
    content = {
        "images": [{"id": 1, "file_name": "train/0.jpg", "width": 60, "height": 40}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [5, 5, 20, 20]}],
        "categories": [{"id": 1, "name": "cat"}],
    }
    (folder / "boxes.json").write_text(json.dumps(content))
    assert check_dataset(folder).task == "detect"
    assert check_dataset(folder, masks=folder / "masks").task == "segment"
    assert check_dataset(folder / "masks").task == "segment"


def test_progress_has_a_step_for_each_picture_and_each_mask(folder):
    from contextlib import contextmanager

    steps = []

    @contextmanager
    def progress(description, total):
        yield lambda: steps.append((description, total))

    check_dataset(folder, progress=progress)
    assert steps == [("checking pictures", 14)] * 14 + [("checking masks", 14)] * 14


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from([0, 1, 2, 255]), min_size=6, max_size=6),
            st.sampled_from(["train", "dev", ""]),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_counts_are_those_of_the_pixels(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("masks")
    examples = []
    for number, (ids, split) in enumerate(rows):
        write_mask(folder / f"{number}.png", np.array(ids, np.uint8).reshape(2, 3))
        examples.append(MaskedPicture(folder / "x.jpg", folder / f"{number}.png", split))
    found = check_masks(MaskDataset(CLASSES, tuple(examples)), [(2, 3)] * len(rows))
    void = [number for number, (ids, _) in enumerate(rows) if set(ids) == {255}]
    assert [int(fault.file.stem) for fault in found.faults] == void
    assert found.sound == [number for number in range(len(rows)) if number not in void]
    for class_id, name in enumerate(CLASSES):
        for split, named in (("train", "train"), ("dev", "dev"), ("", "unsplit")):
            own = [ids for ids, home in rows if home == split and set(ids) != {255}]
            assert found.pixels[name].get(named, 0) == sum(ids.count(class_id) for ids in own)
            assert found.pictures[name].get(named, 0) == sum(class_id in ids for ids in own)
    assert sum(found.void.values()) == sum(ids.count(255) for ids, _ in rows if set(ids) != {255})
    assert found.present == [set(rows[number][0]) - {255} for number in found.sound]
