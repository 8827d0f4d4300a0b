"""From data sets with masks as people have them to splits: sound, whole, and as they say."""

import json
import shlex
import shutil

import numpy as np
import pytest

from cvtool.datasets.mask_files import write_mask
from cvtool.datasets.masked import VOID
from cvtool.errors import CvtoolError, DatasetError
from cvtool.pictures.reading import read_picture
from cvtool.pictures.writing import write_picture
from cvtool.segmentation.contents import count_pixels
from cvtool.segmentation.preparation import dataset_from, prepare, split_lists
from cvtool.segmentation.scoring import read_scaled

SIDE = 24


def quiet(_):
    pass


def draw(folder, name, mask, seed, side=SIDE):
    """A picture unlike that of any other seed, and its mask."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    scale = side // 6
    write_picture(folder / "images" / f"{name}.png", coarse.repeat(scale, 0).repeat(scale, 1))
    write_mask(folder / "masks" / f"{name}.png", mask)


def mask_of(*class_ids, side=SIDE):
    """A mask of background and a block of each class."""
    mask = np.zeros((side, side), np.uint8)
    for number, class_id in enumerate(class_ids):
        mask[2:10, 2 + 8 * number : 8 + 8 * number] = class_id
    return mask


def fill(folder, masks, *, seed=0, classes=("background", "ant", "bee")):
    """Write a set: the mask of each picture, by its name, such as "train/3"."""
    for number, (name, mask) in enumerate(masks.items()):
        draw(folder, name, mask, seed + number)
    if classes is not None:
        (folder / "classes.txt").write_text("\n".join(classes) + "\n")
    return folder


def insects(ants, bees, below=""):
    """The masks of so many pictures with an ant each, and of so many with a bee each."""
    names = [f"{below}{number:02}" for number in range(ants + bees)]
    return {name: mask_of(1 if at < ants else 2) for at, name in enumerate(names)}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("plain") / "set", insects(25, 15))


@pytest.fixture
def own(plain, tmp_path):
    """A set of forty pictures for a test to spoil."""
    return shutil.copytree(plain, tmp_path / "own")


def names(prepared, split):
    return {example.path.stem for example in prepared.splits[split].examples}


def sizes(prepared):
    return {name: len(part.examples) for name, part in prepared.splits.items()}


def test_a_pool_is_split_by_class(plain):
    told, said = [], []
    before = {path: path.stat().st_mtime_ns for path in sorted(plain.rglob("*"))}
    found = prepare(plain, say=said.append, on_picture=lambda: told.append(1))
    assert sizes(found) == {"train": 24, "dev": 8, "test": 8}
    shown = {name: (rows > 0).sum(axis=0).tolist() for name, rows in found.pixels.items()}
    assert shown == {"train": [24, 15, 9], "dev": [8, 5, 3], "test": [8, 5, 3]}
    assert found.remarks == [] and said == [] and len(told) == 40
    assert found.how.startswith("24 train, 8 dev, 8 test (random by seed 0, stratified, 60/20/20")
    assert found.classes == ("background", "ant", "bee") and found.colours is None
    # Blocks of 6 x 8 pixels in pictures of 24.
    assert found.longest == SIDE and found.detail == pytest.approx(4 * 48 / 28 / SIDE)
    assert {path: path.stat().st_mtime_ns for path in sorted(plain.rglob("*"))} == before


def test_pixels_stay_with_their_pictures(plain):
    found = prepare(plain, seed=3, say=quiet)
    for name, data in found.splits.items():
        for example, row in zip(data.examples, found.pixels[name], strict=True):
            ant = int(example.path.stem) < 25
            assert row.tolist() == [SIDE**2 - 48, 48 if ant else 0, 0 if ant else 48]
            assert example.mask.stem == example.path.stem


def test_its_own_splits_are_kept(tmp_path):
    masks = {}
    for split in ("train", "val", "test"):
        for number, mask in enumerate(insects(3, 2).values()):
            masks[f"{split}/{split}{number}"] = mask
    found = prepare(fill(tmp_path, masks), say=quiet)
    assert sizes(found) == {"train": 5, "dev": 5, "test": 5}
    assert all(name.startswith("val") for name in names(found, "dev"))
    with pytest.raises(CvtoolError, match="--split 70/30: "):
        prepare(tmp_path, split="70/30", say=quiet)


def test_folders_and_classes_can_be_named(plain, tmp_path):
    scans = shutil.copytree(plain / "images", tmp_path / "scans")
    drawn = shutil.copytree(plain / "masks", tmp_path / "drawn")
    names = tmp_path / "names.txt"
    names.write_text("nothing\nwasp\nfly\n")
    found = prepare(tmp_path, pictures=scans, masks=drawn, classes=names, say=quiet)
    assert sizes(found) == {"train": 24, "dev": 8, "test": 8}
    assert found.classes == ("nothing", "wasp", "fly")


def test_masks_in_colours(tmp_path):
    colours = np.array([[0, 0, 0], [200, 0, 0], [0, 200, 0], [255, 255, 255]], np.uint8)
    folder = fill(tmp_path / "set", insects(6, 6), classes=None)
    for path in (folder / "masks").iterdir():
        mask = mask_of(1 if int(path.stem) < 6 else 2)
        mask[0] = 3
        write_picture(path, colours[mask], overwrite=True)
    lines = ["background 0 0 0", "ant 200 0 0", "bee 0 200 0", "void 255 255 255"]
    (folder / "classes.txt").write_text("\n".join(lines))
    found = prepare(folder, say=quiet)
    assert found.colours[:3] == ((0, 0, 0), (200, 0, 0), (0, 200, 0))
    again = dataset_from(split_lists(found)["train"], found.classes, found.colours, "train")
    for example, row in zip(again.examples, found.pixels["train"], strict=True):
        _, mask = read_scaled(again, example, SIDE)
        assert (mask[0] == VOID).all() and count_pixels(mask, 3).tolist() == row.tolist()
        assert row.sum() == SIDE * (SIDE - 1)


def test_another_set_for_testing_is_all_test(plain, tmp_path):
    """Whatever splits it has itself; without a list of its own the first set's holds."""
    masks = {"train/80": mask_of(2), "val/90": mask_of(1), "val/91": mask_of()}
    other = fill(tmp_path / "other", masks, seed=500, classes=None)
    found = prepare(plain, test=other, say=quiet)
    assert sizes(found) == {"train": 32, "dev": 8, "test": 3}
    assert names(found, "test") == {"80", "90", "91"}
    for stem in ("images/train/80", "masks/train/80", "images/val/91", "masks/val/91"):
        (other / f"{stem}.png").unlink()
    assert sizes(prepare(plain, test=other, say=quiet))["test"] == 1
    (other / "classes.txt").write_text("background\nbee\nant\n")
    with pytest.raises(DatasetError, match="other: its classes are background, bee, ant; .*order"):
        prepare(plain, test=other, say=quiet)


def test_shares_that_make_no_sense_are_refused(plain):
    with pytest.raises(CvtoolError, match="--split: .*must sum to 100") as error:
        prepare(plain, split="70/20", say=quiet)
    assert "\n" not in str(error.value)


def spoil_size(path):
    write_mask(path, np.ones((SIDE, SIDE + 1), np.uint8), overwrite=True)


def spoil_class(path):
    write_mask(path, mask_of(7), overwrite=True)


def spoil_void(path):
    write_mask(path, np.full((SIDE, SIDE), VOID, np.uint8), overwrite=True)


def spoil_file(path):
    path.write_bytes(path.read_bytes()[:40])


def spoil_missing(path):
    path.unlink()


SPOILS = {
    spoil_size: "25 x 24",
    spoil_class: "class id 7",
    spoil_void: "void everywhere",
    spoil_file: "",
    spoil_missing: "has no mask",
}


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_picture_with_a_fault_is_named_and_left_out(own, spoil):
    spoil(own / "masks" / "03.png")
    said = []
    found = prepare(own, say=said.append)
    (line,) = said
    assert "03.png: " in line and SPOILS[spoil] in line
    assert sum(sizes(found).values()) == 39
    assert not any("03" in names(found, split) for split in found.splits)
    assert found.remarks == [f"1 picture with faults (2.5 %) left out: {line}"]


def test_more_are_refused_with_the_command_that_shows_them_all(own):
    for number, spoil in enumerate((*SPOILS, spoil_class)):
        spoil(own / "masks" / f"{number:02}.png")
    (own / "images" / "20.png").write_bytes(b"no picture")
    said = []
    with pytest.raises(DatasetError) as error:
        prepare(own, masks=own / "masks", say=said.append)
    message = str(error.value)
    assert message.startswith(f"{own}: 7 pictures with faults (17.5 %); ")
    command = shlex.join(["cvtool", "check", str(own), "--masks", str(own / "masks"), "--all"])
    assert command in message and "--force" in message
    assert "\n" not in message and len(said) == 7
    forced = prepare(own, force=True, say=quiet)
    assert sum(sizes(forced).values()) == 33


def test_faults_of_the_test_set_count_too(plain, tmp_path):
    other = fill(tmp_path / "other", insects(4, 4), seed=500)
    spoil_class(other / "masks" / "00.png")
    said = []
    found = prepare(plain, test=other, say=said.append)
    assert sizes(found)["test"] == 7 and "other" in said[0]


def test_near_duplicates_stay_together(tmp_path):
    folder = fill(tmp_path / "set", insects(12, 12))
    spoil_class(folder / "masks" / "00.png")
    for number in range(24):
        # Four pictures, each of them six times.
        draw(folder, f"same{number:02}", mask_of(1), 1000 + number // 6)
    for seed in range(3):
        found = prepare(folder, seed=seed, say=quiet)
        for group in range(4):
            alike = {f"same{n:02}" for n in range(6 * group, 6 * group + 6)}
            assert len([split for split in found.splits if alike & names(found, split)]) == 1
    assert any("4 pictures are there more than once" in remark for remark in found.remarks)


def test_classes_without_a_pixel_and_bare_masks_are_told(tmp_path):
    masks = insects(9, 9) | {f"empty{n}": mask_of() for n in range(6)}
    classes = ("background", "ant", "bee", "wasp", "fly")
    found = prepare(fill(tmp_path / "set", masks, classes=classes), say=quiet)
    empty = sum(not row[1:].any() for row in found.pixels["train"])
    assert found.remarks == [
        "2 classes have no pixel to train on, and will not be found: wasp, fly",
        f"{empty} training masks show nothing but background",
    ]
    assert 2 <= empty <= 5


@pytest.mark.parametrize(
    ("masks", "words"),
    [
        ({"0": mask_of(), "1": mask_of()}, "not one pixel of a class to learn, .*cvtool check"),
        ({"0": mask_of(1)}, "no pictures are left for dev; add more"),
        (
            {f"train/1{n}": mask_of() for n in range(3)} | {"val/2": mask_of(1)},
            "the training masks show nothing but background",
        ),
        (
            {f"train/1{n}": mask_of(1) for n in range(3)} | {"val/2": mask_of()},
            "the 1 dev masks show nothing but background; .*--split",
        ),
        (
            {f"val/1{n}": mask_of(1) for n in range(3)} | {"test/2": mask_of(1)},
            "no pictures to train on",
        ),
    ],
)
def test_nothing_to_learn_is_refused(tmp_path, masks, words):
    with pytest.raises(DatasetError, match=f"set: {words}") as error:
        prepare(fill(tmp_path / "set", masks), say=quiet)
    assert "\n" not in str(error.value)


def test_what_is_no_data_set_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="gone: no such folder"):
        prepare(tmp_path / "gone", say=quiet)


def test_the_lists_of_a_run_give_the_same_back(plain, monkeypatch):
    monkeypatch.chdir(plain.parent)
    found = prepare(plain.name, say=quiet)
    lists = json.loads(json.dumps(split_lists(found), allow_nan=False))
    assert list(lists) == ["train", "dev", "test"]
    for split, part in found.splits.items():
        again = dataset_from(lists[split], found.classes, None, split)
        assert again.classes == found.classes and again.colours is None
        # Whole paths, so that a run can be gone on with from any folder.
        for one, other in zip(again.examples, part.examples, strict=True):
            assert one.path == plain.parent / other.path and one.path.is_absolute()
            assert one.mask == plain.parent / other.mask and one.split == split
            assert read_picture(one.path).shape == (SIDE, SIDE, 3)
        assert lists[split]["pixels"] == found.pixels[split].tolist()
