"""`cvtool segment`: what it prints, what it writes where, what it refuses."""

import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from colour_unet import CLASSES, colour_model, scene
from cvtool.datasets.mask_files import read_mask
from cvtool.pictures.reading import read_picture
from cvtool.pictures.sources import read_pictures
from cvtool.pictures.video import VideoWriter
from cvtool.pictures.writing import write_picture

ROOT = Path(__file__).resolve().parents[2]
PIXELS, MASK = scene()


@pytest.fixture
def segment(run):
    """Run `cvtool segment` with a model that finds red and blue, at the scene's own size."""

    def segment(*arguments, stdin=None, size=128):
        model = ("--model", colour_model(), "--size", size, "--device", "cpu")
        return run("segment", *arguments, *model, stdin=stdin)

    return segment


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "scene.png"
    write_picture(path, PIXELS)
    return path


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 10) as writer:
        for step in range(4):
            writer.write(np.roll(PIXELS, 5 * step, axis=1))
    return path


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def errors(result):
    return [line for line in result.stderr.splitlines() if line.startswith("cvtool: error: ")]


def test_one_picture_gives_a_table_an_overlay_and_a_mask(segment, picture, tmp_path):
    result = segment(picture.name)
    assert result.exit_code == 0 and result.stderr == ""
    assert "scene.png: 128 x 96 pixels" in result.stdout
    red = next(line for line in result.stdout.splitlines() if line.strip().startswith("red"))
    area = int((MASK == 1).sum())
    assert f"{area:,}" in red and f"{100 * area / MASK.size:.1f} %" in red
    assert red.split()[-4:] == ["16", "12", "64", "48"]
    assert "overlay: segmented/scene.png" in result.stdout
    assert "mask: segmented/scene-mask.png" in result.stdout
    assert names(tmp_path / "segmented") == ["scene-mask.png", "scene.png"]
    assert np.array_equal(read_mask(tmp_path / "segmented" / "scene-mask.png"), MASK)
    with Image.open(tmp_path / "segmented" / "scene-mask.png") as image:
        assert image.mode == "P"
    drawn = read_picture(tmp_path / "segmented" / "scene.png")
    assert (drawn[MASK == 1] != PIXELS[MASK == 1]).any()
    # Far from both, and from their names, the picture is as it was.
    assert np.array_equal(drawn[-8:, :40], PIXELS[-8:, :40])


def test_json_is_one_array_with_the_documented_keys(segment, picture):
    (record,) = json.loads(segment(picture.name, "--json").stdout)
    assert list(record) == [
        *["picture", "width", "height", "model", "engine", "seconds", "classes", "output", "mask"]
    ]
    assert (record["model"], record["engine"]) == ("colours", "litert")
    assert [c["label"] for c in record["classes"]] == sorted(
        CLASSES[1:], key=lambda name: -(CLASSES.index(name) == MASK).sum()
    )
    for found in record["classes"]:
        assert found["label"] == CLASSES[found["id"]]
        where = found["id"] == MASK
        ys, xs = np.nonzero(where)
        assert found["area"] == where.sum()
        assert found["share"] == pytest.approx(where.mean(), abs=1e-6)
        assert found["box"] == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]


def test_masks_in_folders_of_their_own(segment, picture, tmp_path):
    more = ("--masks", "m", "--class-masks", "c", "--no-pictures", "--jsonl")
    (record,) = lines(segment(picture.name, *more).stdout)
    assert not (tmp_path / "segmented").exists()
    assert record["output"] is None and record["mask"] == "m/scene.png"
    assert record["class_masks"] == {n: f"c/scene-{n}.png" for n in ("blue", "red")}
    assert np.array_equal(read_mask(tmp_path / "m" / "scene.png"), MASK)
    assert (tmp_path / "m" / "classes.txt").read_text().split() == list(CLASSES)
    for number, name in enumerate(CLASSES[1:], 1):
        with Image.open(tmp_path / "c" / f"scene-{name}.png") as image:
            assert image.mode == "L"
            assert np.array_equal(np.asarray(image), np.where(number == MASK, 255, 0))


def test_classes_are_filtered_by_name(segment, picture, tmp_path):
    result = segment(picture.name, "--classes", "Blue", "--jsonl", "--class-masks", "c")
    (record,) = lines(result.stdout)
    assert [c["label"] for c in record["classes"]] == ["blue"]
    found = read_mask(tmp_path / "segmented" / "scene-mask.png")
    assert np.array_equal(found, np.where(MASK == 2, 2, 0))
    assert names(tmp_path / "c") == ["scene-blue.png"]


def test_a_cut_out_is_transparent_and_on_a_ground_it_is_not(segment, picture, tmp_path):
    (record,) = lines(segment(picture.name, "--cutout", "--no-pictures", "--jsonl").stdout)
    assert record["cutout"] == "segmented/scene-cutout.png" and record["output"] is None
    assert names(tmp_path / "segmented") == ["scene-cutout.png"]
    with Image.open(tmp_path / record["cutout"]) as image:
        assert image.mode == "RGBA" and image.size == (128, 96)
        alpha = np.asarray(image)[..., 3]
    assert alpha[30, 40] == 255 and alpha[60, 96] == 255 and alpha[90, 10] == 0
    assert np.abs((alpha > 127).astype(int) - (MASK > 0)).mean() < 0.02
    write_picture(tmp_path / "sky.png", np.full((20, 20, 3), (9, 99, 199), np.uint8))
    for ground, colour in (
        ("white", (255, 255, 255)),
        ("#336699", (0x33, 0x66, 0x99)),
        ("sky.png", (9, 99, 199)),
    ):
        more = ("--background", ground, "--out", "on", "--overwrite")
        assert segment(picture.name, "--cutout", *more).exit_code == 0
        pixels = read_picture(tmp_path / "on" / "scene-cutout.png")
        assert (pixels[90, 10] == colour).all() and (pixels[30, 40] == (255, 0, 0)).all()


def test_only_the_classes_asked_for_are_cut_out(segment, picture, tmp_path):
    segment(picture.name, "--cutout", "--classes", "red")
    with Image.open(tmp_path / "segmented" / "scene-cutout.png") as image:
        alpha = np.asarray(image)[..., 3]
    assert alpha[30, 40] == 255 and alpha[60, 96] == 0


def test_coco_gives_back_the_masks(segment, picture, tmp_path, capsys):
    write_picture(tmp_path / "other.png", PIXELS[::-1].copy())
    result = segment("scene.png", "other.png", "--save-coco", "all.json", "--masks", "m")
    assert result.exit_code == 0
    coco = COCO(tmp_path / "all.json")
    assert {c["id"]: c["name"] for c in coco.loadCats(coco.getCatIds())} == {1: "red", 2: "blue"}
    assert [i["file_name"] for i in coco.loadImgs([1, 2])] == ["scene.png", "other.png"]
    for number, name in ((1, "scene.png"), (2, "other.png")):
        found = np.zeros((96, 128), np.uint8)
        for annotation in coco.loadAnns(coco.getAnnIds(imgIds=[number])):
            found[coco.annToMask(annotation) > 0] = annotation["category_id"]
        assert np.array_equal(found, read_mask(tmp_path / "m" / name))


def test_a_picture_through_a_pipe(segment, picture, tmp_path):
    result = segment("-", "--cutout", stdin=picture.read_bytes())
    assert result.exit_code == 0 and result.stderr == ""
    with Image.open(BytesIO(result.stdout_bytes)) as image:
        assert image.format == "PNG" and image.mode == "RGBA" and image.size == (128, 96)
    assert names(tmp_path) == ["scene.png"]
    # What is asked for beside it is written; what --json or --out ask for comes before the pipe.
    more = ("--cutout", "--background", "blur", "--masks", "m")
    result = segment("-", *more, stdin=picture.read_bytes())
    assert Image.open(BytesIO(result.stdout_bytes)).mode == "RGB"
    assert names(tmp_path / "m") == ["classes.txt", "stdin.png"]
    result = segment("-", "--cutout", "--jsonl", stdin=picture.read_bytes())
    assert lines(result.stdout)[0]["cutout"] == "segmented/stdin-cutout.png"
    result = segment("-", "--cutout", "--out", "o", stdin=picture.read_bytes())
    assert "cut-out: o/stdin-cutout.png" in result.stdout


def test_what_is_no_picture_leaves_the_pipe_empty(segment):
    for data, words in ((b"no picture", "stdin: it holds text"), (b"", "stdin")):
        result = segment("-", "--cutout", stdin=data)
        assert result.exit_code == 1 and result.stdout_bytes == b""
        assert len(errors(result)) == 1 and words in result.stderr


def test_a_real_pipe(picture, tmp_path):
    command = f"cat scene.png | {sys.executable} -m cvtool segment - --cutout --device cpu"
    result = subprocess.run(
        f"{command} --model {colour_model()} > cut.png",
        shell=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert (result.returncode, result.stderr) == (0, "")
    with Image.open(tmp_path / "cut.png") as image:
        image.load()
        assert image.mode == "RGBA"


def test_a_batch_does_the_good_pictures_and_lists_the_bad_ones_at_the_end(
    segment, picture, tmp_path
):
    folder = tmp_path / "some photos"
    write_picture(folder / "sub" / "ä b.jpg", PIXELS)
    (folder / "empty.jpg").touch()
    (folder / "cut off.png").write_bytes(picture.read_bytes()[:200])
    result = segment(folder, picture.name, "gone.jpg", "--out", "out", "--cutout")
    assert result.exit_code == 1
    found = errors(result)
    assert len(found) == 3
    for name, line in zip(("cut off.png", "empty.jpg", "gone.jpg"), found, strict=True):
        assert name in line
    assert names(tmp_path / "out") == sorted(
        f"{stem}{tail}"
        for stem, suffix in (("scene", ".png"), ("sub/ä b", ".jpg"))
        for tail in (suffix, "-mask.png", "-cutout.png")
    )
    table = result.stdout.splitlines()
    assert len(table) == 3 and table[0].endswith("classes")
    assert (
        "blue 14.6 %, red 14.0 %" in table[2]
        and "-> out/scene.png, out/scene-mask.png, out/" in table[2]
    )


def test_a_video_gives_an_overlay_video_and_what_is_asked_for_of_each_frame(
    segment, video, tmp_path
):
    result = segment(video.name, "--every", 2, "--jsonl")
    records = lines(result.stdout)
    assert [r["frame"] for r in records] == [0, 2]
    assert all(r["output"] == "segmented/clip.mp4" and r["mask"] is None for r in records)
    assert names(tmp_path / "segmented") == ["clip.mp4"]
    assert len(list(read_pictures([tmp_path / "segmented" / "clip.mp4"]))) == 2
    more = ("--masks", "m", "--save-coco", "x.json", "--cutout", "--out", "out")
    result = segment(video.name, "--every", 3, *more)
    assert result.exit_code == 0, result.stderr
    assert names(tmp_path / "m") == ["classes.txt", "clip-000000.png", "clip-000003.png"]
    assert names(tmp_path / "out") == [
        "clip-000000-cutout.png",
        "clip-000003-cutout.png",
        "clip.mp4",
    ]
    assert "2 frames: " in result.stdout and "-> out/clip.mp4" in result.stdout
    coco = json.loads((tmp_path / "x.json").read_text())
    assert [i["frame"] for i in coco["images"]] == [0, 3]


def test_the_same_command_twice_writes_beside_the_first_results(segment, picture, tmp_path):
    for _ in range(2):
        assert segment(picture.name).exit_code == 0
    # All results of a run have the same number, also where only one name is taken.
    assert segment(picture.name, "--cutout").exit_code == 0
    (tmp_path / "segmented" / "scene.png").unlink()
    assert segment(picture.name).exit_code == 0
    stems = ["scene-2", "scene-3", "scene-4"]
    expected = {f"{stem}{tail}" for stem in stems for tail in (".png", "-mask.png")}
    expected |= {"scene-mask.png", "scene-3-cutout.png"}
    assert set(names(tmp_path / "segmented")) == expected


def test_a_mask_among_the_inputs_gets_results_of_its_own(segment, tmp_path):
    for name in ("a.png", "a-mask.png"):
        write_picture(tmp_path / "in" / name, PIXELS)
    assert segment("in").exit_code == 0
    # The mask of a.png would have the name of the overlay of a-mask.png.
    found = ["a-2-mask.png", "a-2.png", "a-mask-mask.png", "a-mask.png"]
    assert names(tmp_path / "segmented") == found
    result = segment("in", "--out", "out", "--overwrite")
    assert result.exit_code == 1 and "rename the input" in errors(result)[0]


@pytest.mark.parametrize(
    ("options", "path"),
    [
        (("--out", "out"), "out/scene.png"),
        (("--out", "out"), "out/scene-mask.png"),
        (("--out", "out", "--cutout"), "out/scene-cutout.png"),
        (("--masks", "out", "--no-pictures"), "out/scene.png"),
        (("--masks", "out", "--no-pictures"), "out/classes.txt"),
        (("--class-masks", "out", "--no-pictures"), "out/scene-red.png"),
        (("--save-coco", "out/x.json", "--no-pictures"), "out/x.json"),
    ],
)
def test_what_is_there_is_replaced_with_overwrite_only(segment, picture, tmp_path, options, path):
    path = tmp_path / path
    path.parent.mkdir()
    path.write_text("precious")
    refused = segment(picture.name, *options)
    assert refused.exit_code == 1 and path.read_text() == "precious"
    (error,) = errors(refused)
    assert path.name in error and "--overwrite" in error
    assert segment(picture.name, *options, "--overwrite").exit_code == 0
    assert path.read_bytes() != b"precious"


def test_inputs_are_never_written(segment, picture, tmp_path):
    before = picture.read_bytes()
    for option in ("--out", "--masks", "--class-masks"):
        result = segment(tmp_path, option, tmp_path, "--overwrite")
        assert result.exit_code == 1 and "holds the input pictures" in result.stderr
    for options in (("--out", "."), ("--masks", ".", "--no-pictures")):
        result = segment(picture.name, *options, "--overwrite")
        assert result.exit_code == 1 and "is an input, never overwritten" in result.stderr
    result = segment(picture.name, "--save-coco", picture.name, "--overwrite")
    assert result.exit_code == 1
    # The picture of the background is an input as well.
    write_picture(tmp_path / "o" / "scene-cutout.png", PIXELS)
    ground = (tmp_path / "o" / "scene-cutout.png").read_bytes()
    more = ("--background", "o/scene-cutout.png", "--out", "o", "--overwrite")
    assert segment(picture.name, "--cutout", *more).exit_code == 1
    assert (tmp_path / "o" / "scene-cutout.png").read_bytes() == ground
    assert picture.read_bytes() == before


def test_earlier_results_below_the_source_are_not_looked_at_again(segment, picture):
    for _ in range(2):
        (record,) = lines(segment(".", "--jsonl", "--masks", "m", "--overwrite").stdout)
        assert record["picture"] == "./scene.png"


def test_tiles_and_sizes_run(segment, picture):
    for more, size in ((("--tile", 64), 64), (("--tile", 40), 32), ((), 33)):
        (record,) = lines(segment(picture.name, "--jsonl", *more, size=size).stdout)
        assert {c["label"] for c in record["classes"]} == {"red", "blue"}


def test_a_picture_of_nothing_but_background(segment, tmp_path):
    write_picture(tmp_path / "grey.png", np.full((40, 60, 3), 128, np.uint8))
    result = segment("grey.png", "--cutout", "--save-coco", "x.json", "--class-masks", "c")
    assert result.exit_code == 0 and "nothing but background" in result.stderr
    assert not (read_mask(tmp_path / "segmented" / "grey-mask.png")).any()
    with Image.open(tmp_path / "segmented" / "grey-cutout.png") as image:
        assert not np.asarray(image).any()
    assert json.loads((tmp_path / "x.json").read_text())["annotations"] == []
    assert not (tmp_path / "c").exists()


def test_a_one_pixel_picture_is_no_error(segment, tmp_path):
    write_picture(tmp_path / "dot.png", np.zeros((1, 1, 3), np.uint8))
    result = segment("dot.png", "--cutout", "--background", "blur", "--tile", 32)
    assert result.exit_code == 0, result.stderr
    assert read_picture(tmp_path / "segmented" / "dot.png").shape == (1, 1, 3)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--classes", "rde"], 2, 'unknown class "rde"; did you mean red'),
        (["--classes", "background"], 2, "unknown class"),
        (["--background", "white"], 2, "add --cutout"),
        (["--cutout", "--background", "whit"], 1, "neither white"),
        (["--cutout", "--background", "gone.jpg"], 1, "gone.jpg"),
        (["--cutout", "--background", "text.jpg"], 1, "text.jpg: it holds text"),
        (["--tile", "8"], 2, "--tile"),
        (["--json", "--jsonl"], 2, "choose one"),
        (["--device", "gpu"], 1, "no GPU"),
        (["--max-pixels", "100"], 1, "--max-pixels"),
        (["--out", "scene.png/out"], 1, "cannot be written"),
        (["--masks", "scene.png/out"], 1, "cannot be written"),
        (["--class-masks", "scene.png/out"], 1, "cannot be written"),
        (["--model", "everyday"], 1, "is for detect, not for segment"),
        (["--model", "."], 1, "no model.json"),
    ],
)
def test_bad_input_is_one_line_that_says_what_and_what_to_do(
    run, picture, tmp_path, monkeypatch, arguments, code, words
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    (tmp_path / "text.jpg").write_text("no picture")
    model = () if "--model" in arguments else ("--model", colour_model())
    result = run("segment", picture.name, *model, *arguments)
    assert result.exit_code == code
    assert len(errors(result)) == 1 and words in errors(result)[0]
    assert names(tmp_path) == ["scene.png", "text.jpg"]
