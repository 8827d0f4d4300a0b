import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtool.datasets.picture_checks import (
    PictureChecks,
    check_pictures,
    describe_checks,
    picture_remarks,
)

ORIENTATION = 0x0112


def draw(seed, width=120, height=90):
    """A smooth random picture."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.BICUBIC)


@pytest.fixture
def ten(tmp_path):
    """Ten different pictures, 120 x 90."""
    paths = [tmp_path / f"{number}.jpg" for number in range(10)]
    for number, path in enumerate(paths):
        draw(number).save(path, quality=95)
    return paths


def save(path, image, **options):
    image.save(path, **options)
    return path


def test_good_pictures(ten):
    done = []
    checks = check_pictures(ten, lambda: done.append(threading.current_thread()), threads=3)
    assert checks.corrupt == checks.duplicates == checks.odd == []
    assert checks.sizes.tolist() == [[120, 90]] * 10
    assert done == [threading.main_thread()] * 10
    assert describe_checks(checks, ten) == []


def test_no_pictures():
    checks = check_pictures([])
    assert checks.sizes.shape == (0, 2)
    assert describe_checks(checks, []) == []


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [(64, 48), (400, 300)])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.9, -2])
def test_cut_off_jpegs_are_corrupt(tmp_path, progressive, size, kept):
    path = save(tmp_path / "a.jpg", draw(0, *size), quality=90, progressive=progressive)
    assert check_pictures([path]).corrupt == []
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data)) if kept > 0 else kept])
    checks = check_pictures([path])
    ((index, reason),) = checks.corrupt
    assert index == 0 and reason.startswith(("the file is cut off", "damaged, or", "the file is"))
    assert str(path) not in reason and "\n" not in reason
    assert checks.sizes.tolist() == [[0, 0]]


def test_corrupt_files_of_other_kinds(ten, tmp_path):
    png = save(tmp_path / "half.png", draw(50))
    png.write_bytes(png.read_bytes()[:2000])
    page = tmp_path / "page.jpg"
    page.write_bytes(b"<html></html>")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "empty.jpg").touch()
    bad = [png, page, tmp_path / "folder.jpg", tmp_path / "empty.jpg", tmp_path / "absent.jpg"]
    checks = check_pictures([str(path) for path in [*bad, *ten]])
    assert [index for index, _ in checks.corrupt] == [0, 1, 2, 3, 4]
    said = ["cut off|damaged", "web page", "a folder", "empty", "no such file"]
    for (_, reason), words in zip(checks.corrupt, said, strict=True):
        assert any(word in reason for word in words.split("|")), reason
    assert (checks.sizes[:5] == 0).all() and (checks.sizes[5:] == (120, 90)).all()
    assert checks.odd == checks.duplicates == []


def test_duplicates_in_other_forms(ten, tmp_path):
    source = draw(4)
    copies = [
        save(tmp_path / "same.png", source),
        save(tmp_path / "small.jpg", source.resize((80, 60), Image.LANCZOS)),
        save(tmp_path / "large.webp", source.resize((400, 300), Image.BICUBIC)),
        save(tmp_path / "rough.jpg", source, quality=40),
        save(tmp_path / "grey.jpg", source.convert("L")),
        save(tmp_path / "cmyk.jpg", source.convert("CMYK"), quality=95),
    ]
    turned = Image.Exif()
    turned[ORIENTATION] = 6  # to be shown turned by 90 degrees clockwise
    lying = source.transpose(Image.Transpose.ROTATE_90)
    copies.append(save(tmp_path / "lying.jpg", lying, exif=turned, quality=95))
    mirrored = save(tmp_path / "mirrored.jpg", source.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    checks = check_pictures([*ten, *copies, mirrored])
    assert checks.duplicates == [[4, *range(10, 17)]]
    assert checks.sizes[16].tolist() == [120, 90]
    assert checks.odd == []


def test_flat_pictures_are_no_duplicates(tmp_path):
    paths = [
        save(tmp_path / f"{n}.png", Image.new("RGB", (50, 50), (n * 9,) * 3)) for n in range(20)
    ]
    assert check_pictures(paths).duplicates == []


def test_odd_sizes(ten, tmp_path):
    odd = [
        save(tmp_path / "long.png", draw(20, 310, 100)),
        save(tmp_path / "ok.png", draw(21, 300, 100)),
        save(tmp_path / "thin.png", draw(22, 40, 15)),
        save(tmp_path / "large.png", draw(23, 500, 450)),
        save(tmp_path / "small.png", draw(24, 23, 23)),
    ]
    checks = check_pictures([*ten, *odd])
    assert checks.odd == [
        (10, "310 x 100 px: sides 3.1 to 1"),
        (12, "40 x 15 px: a side under 16 px"),
        (13, "500 x 450 px: 21 times the usual area"),
        (14, "23 x 23 px: 1/20 of the usual area"),
    ]


def test_what_is_usual_is_not_odd(tmp_path):
    paths = [save(tmp_path / f"{n}.png", draw(n, 60, 12)) for n in range(5)]
    paths.append(save(tmp_path / "square.png", draw(9, 20, 20)))
    assert check_pictures(paths).odd == []


def test_description():
    paths = [f"/data/train/cat/{n}.jpg" for n in range(6)]
    paths += [f"/data/test/dog/{n}.jpg" for n in range(6)]
    splits = ["train"] * 6 + ["test"] * 6
    checks = PictureChecks(
        corrupt=[(n, "the file is empty; make it again") for n in range(4)],
        duplicates=[[1, 2], [5, 7, 8]],
        odd=[(9, "3 x 3 px: a side under 16 px")],
        sizes=np.zeros((12, 2), np.int64),
    )
    reason = "(the file is empty; make it again)"
    cannot = (
        f"4 pictures cannot be read: train/cat/0.jpg {reason}; train/cat/1.jpg {reason}; "
        f"train/cat/2.jpg {reason}; 1 more"
    )
    odd = "1 picture has an odd size or shape: test/dog/3.jpg (3 x 3 px: a side under 16 px)"
    assert describe_checks(checks, paths, splits) == [
        cannot,
        "1 picture is there more than once, the same or nearly so: "
        "train/cat/1.jpg = train/cat/2.jpg",
        "1 picture is in more than one split, the same or nearly so: "
        "train/cat/5.jpg (train), also in test: test/dog/1.jpg = test/dog/2.jpg",
        odd,
    ]
    assert describe_checks(checks, paths) == [
        cannot,
        "2 pictures are there more than once, the same or nearly so: "
        "train/cat/1.jpg = train/cat/2.jpg; "
        "train/cat/5.jpg = test/dog/1.jpg = test/dog/2.jpg",
        odd,
    ]
    # Pictures that the data set gives no split are in no other one.
    assert len(describe_checks(checks, paths, [""] * 12)) == 3


def test_description_of_three_splits():
    checks = PictureChecks([], [[0, 1, 2, 3]], [], np.zeros((4, 2), np.int64))
    (line,) = describe_checks(checks, ["a", "b", "c", "d"], ["test", "", "dev", "train"])
    assert line.endswith(": d (train), also in dev: c, also in test: a")


def test_remarks_hold_every_picture_of_a_finding():
    paths = [Path(f"/data/{n}.jpg") for n in range(8)]
    checks = PictureChecks(
        corrupt=[(0, "empty")],
        duplicates=[[1, 2], [3, 4, 5, 6, 7]],
        odd=[(2, "3 x 3 px: a side under 16 px")],
        sizes=np.zeros((8, 2), np.int64),
    )
    remarks = picture_remarks(checks, paths, ["train", "dev", *["train"] * 6])
    assert [str(r) for r in remarks] == [
        "2.jpg (train), also in dev: 1.jpg",
        "3.jpg = 4.jpg = 5.jpg = 2 more",
        "/data/2.jpg: 3 x 3 px: a side under 16 px",
    ]
    assert [(r.kind, r.pictures) for r in remarks] == [
        ("across splits", (paths[1], paths[2])),
        ("duplicate", tuple(paths[3:])),
        ("odd", (paths[2],)),
    ]
