"""`cvtool check`: what it prints, what it writes, how it ends."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from cvtool.pictures.reading import read_picture


def draw(path, seed, size=(96, 64)):
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise).resize(size, Image.BICUBIC).save(path)


@pytest.fixture
def pets(tmp_path):
    for number in range(24):
        draw(tmp_path / "pets" / ("cat", "dog")[number % 2] / f"{number}.jpg", number)
    return tmp_path / "pets"


@pytest.fixture
def boxes(tmp_path):
    """A YOLO set of 25 pictures, each with a line that names an unknown class."""
    folder = tmp_path / "boxes"
    (folder / "labels").mkdir(parents=True)
    for number in range(25):
        draw(folder / "images" / f"{number}.png", number)
        lines = "0 0.5 0.5 0.4 0.4\n4 0.5 0.5 0.2 0.2\n"
        (folder / "labels" / f"{number}.txt").write_text(lines)
    (folder / "data.yaml").write_text("path: .\ntrain: images\nnames: [cat]\n")
    return folder


def files_in(folder):
    return {
        path.relative_to(folder): (path.stat().st_mtime_ns, hashlib.md5(path.read_bytes()).digest())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_sound_set(run, pets, tmp_path):
    before = files_in(tmp_path)
    result = run("check", "pets")
    assert result.exit_code == 0 and result.stderr == ""
    assert result.stdout.startswith("pets: class folders, 24 pictures, 2 classes\n")
    assert "faults: 0\n" in result.stdout and "remarks" not in result.stdout
    assert result.stdout.endswith("written: check/pets.jpg\n")
    after = files_in(tmp_path)
    assert {path: after[path] for path in before} == before
    assert [str(path) for path in after.keys() - before.keys()] == ["check/pets.jpg"]
    assert read_picture(tmp_path / "check/pets.jpg").shape[1] > 1000


def test_faults_are_lines_with_their_place_and_exit_with_1(run, boxes):
    result = run("check", "boxes", "--no-sheet")
    assert result.exit_code == 1
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert "faults: 25" in lines
    assert "boxes or pixels of unknown classes: 25" in lines
    places = [line for line in lines if ".txt:2: " in line]
    assert len(places) == 20 and "and 5 more; --all lists them" in lines
    assert any(
        line.startswith("boxes or pixels of unknown classes: add the class") for line in lines
    )
    everything = run("check", "boxes", "--no-sheet", "--all").stdout
    assert everything.count(".txt:2: ") == 25 and "more; --all" not in everything


def test_json_holds_everything_and_nothing_else_is_on_stdout(run, boxes):
    result = run("check", "boxes", "--json")
    assert result.exit_code == 1
    content = json.loads(result.stdout)
    assert len(content["faults"]) == 25
    assert content["sheet"] == "check/boxes.jpg"
    assert result.stderr == "written: check/boxes.jpg\n"
    assert json.loads(run("check", "boxes", "--json", "--no-sheet").stdout)["sheet"] is None


def test_the_next_sheet_takes_the_next_name(run, pets, tmp_path):
    for name in ("pets.jpg", "pets-2.jpg"):
        assert run("check", "pets").stdout.endswith(f"written: check/{name}\n")
    assert run("check", "pets", "--overwrite").stdout.endswith("written: check/pets.jpg\n")
    assert len(list((tmp_path / "check").iterdir())) == 2


def test_a_sheet_that_is_there_stays(run, pets, tmp_path):
    (tmp_path / "mine.png").write_bytes(b"mine")
    result = run("check", "pets", "--sheet", "mine.png")
    assert result.exit_code == 1 and result.stdout == ""
    assert "mine.png: already exists; use --overwrite" in result.stderr
    assert (tmp_path / "mine.png").read_bytes() == b"mine"
    assert run("check", "pets", "--sheet", "mine.png", "--overwrite").exit_code == 0
    assert read_picture(tmp_path / "mine.png").ndim == 3


@pytest.mark.parametrize("sheet", ["pets/sheet.jpg", "pets/cat/0.jpg", "sheet.doc"])
def test_sheets_that_are_refused_before_the_work(run, pets, tmp_path, sheet):
    before = files_in(tmp_path)
    result = run("check", "pets", "--sheet", sheet, "--overwrite")
    assert result.exit_code == 1 and result.stdout == ""
    assert result.stderr.startswith(f"cvtool: error: {sheet}: ")
    assert len(result.stderr.splitlines()) == 1
    assert files_in(tmp_path) == before


def test_the_sheet_goes_into_no_data_set_by_default(run, pets, monkeypatch):
    monkeypatch.chdir(pets)
    result = run("check", ".")
    assert result.exit_code == 1 and "lies in ., which is checked" in result.stderr
    assert run("check", ".", "--no-sheet").exit_code == 0
    assert sorted(path.name for path in pets.iterdir()) == ["cat", "dog"]


@pytest.mark.parametrize("damaged", [False, True])
def test_a_picture_of_a_table_is_not_replaced(run, pets, tmp_path, damaged):
    if damaged:
        (pets / "cat/0.jpg").write_bytes(b"no picture")
    rows = [f"pets/{name}/{n}.jpg,{name}" for n in range(24) for name in [("cat", "dog")[n % 2]]]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows]))
    before = files_in(tmp_path)
    result = run("check", "labels.csv", "--sheet", "pets/cat/0.jpg", "--overwrite")
    assert result.exit_code == 1 and "never overwritten" in result.stderr
    assert files_in(tmp_path) == before


def test_pictures_in_two_splits_are_said_aloud(run, tmp_path):
    for number in range(24):
        draw(tmp_path / "set/train" / ("cat", "dog")[number % 2] / f"{number}.jpg", number)
    for number in (0, 1, 30):
        draw(tmp_path / "set/val" / ("cat", "dog")[number % 2] / f"{number}.jpg", number)
    result = run("check", "set", "--json", "--no-sheet")
    assert result.exit_code == 0
    assert result.stderr == (
        "cvtool: 2 pictures are in more than one split, the same or nearly so: "
        "scores will come out too high\n"
    )
    assert [r["kind"] for r in json.loads(result.stdout)["remarks"]] == ["across splits"] * 2


def test_a_set_without_a_readable_picture(run, pets, tmp_path):
    for path in pets.rglob("*.jpg"):
        path.write_bytes(b"no picture")
    result = run("check", "pets")
    assert result.exit_code == 1
    assert "pictures that cannot be read: 24" in result.stdout
    assert "no picture can be read, so there is no sheet" in result.stderr
    assert not (tmp_path / "check").exists()


def test_wrong_usage(run, pets):
    result = run("check", "pets", "--sheet", "a.jpg", "--no-sheet")
    assert result.exit_code == 2 and "choose one of" in result.stderr
    result = run("check", "absent")
    assert result.exit_code == 1
    assert result.stderr == "cvtool: error: absent: no such file or folder; check the path\n"


@pytest.fixture
def masked(tmp_path):
    """Twelve pictures with masks of two classes, in black and white."""
    for number in range(12):
        draw(tmp_path / "scans/images" / f"{number}.jpg", number)
        mask = np.zeros((64, 96), np.uint8)
        mask[:16, :24] = 255
        (tmp_path / "scans/masks").mkdir(exist_ok=True)
        Image.fromarray(mask).save(tmp_path / "scans/masks" / f"{number}.png")
    (tmp_path / "scans/classes.txt").write_text("tissue\nlesion\n")
    return tmp_path / "scans"


def test_masks(run, masked, tmp_path):
    before = files_in(tmp_path)
    result = run("check", "scans")
    assert result.exit_code == 0 and result.stderr == ""
    assert result.stdout.startswith("scans: pictures and masks, 12 pictures, 2 classes\n")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["tissue", "93.75", "%", "12"] in rows and ["lesion", "6.25", "%", "12"] in rows
    assert ["void,", "of", "all", "pixels", "0.00", "%"] in rows
    assert "faults: 0\n" in result.stdout
    assert result.stdout.endswith("written: check/scans.jpg\n")
    after = files_in(tmp_path)
    assert {path: after[path] for path in before} == before
    assert read_picture(tmp_path / "check/scans.jpg").shape[1] > 1000


def test_masks_in_splits(run, masked, tmp_path):
    for split, numbers in (("train", range(10)), ("val", range(10, 12))):
        for kind, suffix in (("images", "jpg"), ("masks", "png")):
            (masked / kind / split).mkdir()
            for number in numbers:
                path = masked / kind / f"{number}.{suffix}"
                path.rename(masked / kind / split / path.name)
    result = run("check", "scans", "--no-sheet")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert ["lesion", "6.25", "%", "6.25", "%", "6.25", "%", "12"] in rows
    assert ["all", "pictures", "10", "2", "12"] in rows


def test_faults_of_masks(run, masked):
    Image.new("L", (30, 20)).save(masked / "masks/0.png")
    Image.new("L", (96, 64), 7).save(masked / "masks/1.png")
    (masked / "masks/2.png").unlink()
    result = run("check", "scans", "--no-sheet")
    assert result.exit_code == 1
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert "faults: 3" in lines
    assert any(line.startswith("scans/masks/0.png: 30 x 20 px, but") for line in lines)
    assert any(line.startswith("scans/masks/1.png: the colour 7,7,7 at") for line in lines)
    assert any(line.startswith("scans/images/2.jpg: has no mask") for line in lines)
    assert any(line.startswith("pictures without a mask: add the masks") for line in lines)


def test_options_for_masks(run, masked, tmp_path):
    (masked / "masks").rename(tmp_path / "drawn")
    (masked / "classes.txt").rename(tmp_path / "names.txt")
    result = run("check", "scans", "--masks", "drawn", "--classes", "names.txt", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["classes"]["lesion"]["pixels"] == {"unsplit": 12 * 384}
    result = run("check", "drawn", "--pictures", "scans/images", "--json", "--no-sheet")
    assert json.loads(result.stdout)["task"] == "segment"
    result = run("check", "scans", "--masks", "drawn", "--sheet", "drawn/sheet.jpg")
    assert result.exit_code == 1 and "lies in drawn, which is checked" in result.stderr
    result = run("check", "scans", "--masks", "absent", "--no-sheet")
    assert result.exit_code == 1
    assert result.stderr == "cvtool: error: absent: no such folder of masks\n"
