"""`cvtool stylize`: what it prints, what it writes where, what it refuses."""

import json
import re
from dataclasses import fields, replace
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image

from colour_unet import colour_model, scene
from cvtool.cli import stylize_picture
from cvtool.errors import OutputError
from cvtool.pictures import writing
from cvtool.pictures.reading import read_picture
from cvtool.pictures.sources import read_pictures
from cvtool.pictures.video import VideoWriter
from cvtool.pictures.writing import write_picture
from cvtool.segmentation.segmenter import Segmenter
from cvtool.style.fast import FastStylizer
from cvtool.style.scales import resized
from cvtool.style.settings import PRESETS, StyleSettings
from tiny_style import save_style, small_networks

ROOT = Path(__file__).resolve().parents[2]
PHOTO = resized(skimage.data.astronaut()[:256], (48, 96))
PAINTING = resized(skimage.data.retina(), (60, 60))


@cache
def tiny_network():
    import keras

    from cvtool.style.vgg_small import normalise_responses, vgg_small

    keras.utils.set_random_seed(0)
    network = vgg_small(widths=(4, 4, 8, 8, 8), depths=(1, 1, 1, 2, 1))
    normalise_responses(network, np.stack([resized(PHOTO, (48, 48)), resized(PAINTING, (48, 48))]))
    return network


@pytest.fixture
def stylize(run, tmp_path, monkeypatch):
    """Run `cvtool stylize` with a network of a few untrained filters; four iterations at 64 px."""
    from cvtool.tensorflow_import import import_tensorflow

    # Compiling takes longer than a few iterations.
    functions = import_tensorflow().config
    functions.run_functions_eagerly(True)
    monkeypatch.setattr(
        "cvtool.style.features.load_features", lambda name="vgg-small", pictures=(): tiny_network()
    )
    write_picture(tmp_path / "photo.png", PHOTO)
    write_picture(tmp_path / "painting.png", PAINTING)

    def stylize(*arguments, size=64, iterations=4, stdin=None):
        more = [] if size is None else ["--size", size]
        more += [] if iterations is None else ["--iterations", iterations]
        return run("stylize", *arguments, *more, stdin=stdin)

    yield stylize
    functions.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory):
    return save_style(tmp_path_factory.mktemp("style") / "tiny", *small_networks())


@pytest.fixture
def fast(stylize, tiny_model, monkeypatch):
    """Run `cvtool stylize --fast` with networks of a few random filters."""
    load = FastStylizer.load
    monkeypatch.setattr(FastStylizer, "load", lambda device="auto": load(tiny_model, device))
    return partial(stylize, "--fast", size=None, iterations=None)


@pytest.fixture
def colours(monkeypatch):
    """A default segmenter that knows red and blue."""
    load = Segmenter.load
    monkeypatch.setattr(
        Segmenter, "load", lambda device="auto": load(colour_model(), device=device, size=128)
    )


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def errors(result):
    return [line for line in result.stderr.splitlines() if line.startswith("cvtool: error: ")]


def description_of(path):
    with Image.open(path) as image:
        return json.loads(image.info.get("Description") or image.getexif()[0x010E])


def test_one_photograph_gives_a_table_and_a_picture_with_its_settings(stylize, tmp_path):
    result = stylize("photo.png", "painting.png", "--seed", 5)
    assert result.exit_code == 0 and result.stderr == ""
    assert "photo.png: 96 x 48 -> 64 x 32 pixels" in result.stdout
    total = next(line for line in result.stdout.splitlines() if line.split()[:1] == ["total"][:1])
    assert "stylized: stylized/photo.png" in result.stdout and total
    assert re.search(r"style loss [\d.]+ % of the photograph's after 4 iterations", result.stdout)
    assert names(tmp_path / "stylized") == ["photo.png"]
    made = read_picture(tmp_path / "stylized" / "photo.png")
    assert made.shape == (32, 64, 3)
    assert np.abs(made.astype(int) - resized(PHOTO, (32, 64))).mean() > 5
    said = description_of(tmp_path / "stylized" / "photo.png")
    assert (said["content"], said["styles"]) == ("photo.png", ["painting.png"])
    assert said["cvtool"] and said["network"] == "vgg-small" and said["seed"] == 5
    assert said["iterations"] == 4 and said["layers"][0] == "block1_conv1"
    assert set(said) >= {f.name for f in fields(StyleSettings)} and "iteration" not in said


@pytest.mark.parametrize("name", ["a.jpg", "b/a.TIFF", "a.webp", "a.png", "a.bmp"])
def test_the_ending_of_out_is_the_format(stylize, tmp_path, name):
    result = stylize("photo.png", "painting.png", "--out", name, iterations=1)
    assert result.exit_code == 0 and f"stylized: {name}" in result.stdout
    with Image.open(tmp_path / name) as image:
        assert image.size == (64, 32)
        known = {"jpg": "JPEG", "tiff": "TIFF", "webp": "WEBP", "png": "PNG", "bmp": "BMP"}
        assert image.format == known[name.rpartition(".")[2].lower()]
    if image.format != "BMP":
        assert description_of(tmp_path / name)["size"] == 64


def test_tiles_give_the_same_picture(stylize, tmp_path):
    for name, more in (("whole", ()), ("tiles", ("--tile", 256))):
        options = ("--out", f"{name}.png", "--optimizer", "adam", *more)
        result = stylize("photo.png", "painting.png", *options, size=300, iterations=2)
        assert result.exit_code == 0, result.stderr
    whole, tiles = (read_picture(tmp_path / f"{n}.png").astype(int) for n in ("whole", "tiles"))
    assert np.abs(whole - tiles).mean() < 0.5
    assert np.abs(whole - resized(PHOTO, whole.shape[:2])).mean() > 1
    assert description_of(tmp_path / "tiles.png")["tile"] == 256


def test_json_has_the_documented_keys(stylize):
    (record,) = json.loads(stylize("photo.png", "painting.png", "--json", "--every", 3).stdout)
    assert list(record) == [
        *["picture", "width", "height", "model", "engine", "seconds", "size"],
        *["iterations", "stopped", "losses", "style_loss", "settings", "output", "intermediate"],
    ]
    assert record["size"] == [64, 32] and (record["width"], record["height"]) == (96, 48)
    assert (record["iterations"], record["stopped"]) == (4, "")
    first, last = record["losses"]["first"], record["losses"]["last"]
    assert list(first) == list(last) == ["content", "style", "total_variation", "total"]
    assert last["total"] < first["total"]
    assert first["total"] == pytest.approx(sum(first[t] for t in list(first)[:3]), rel=1e-5)
    assert 0 < record["style_loss"]["result"] < record["style_loss"]["content"]
    assert record["output"] == "stylized/photo.png"
    assert record["intermediate"] == ["stylized/photo-iteration-3.png"]


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(stylize, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        stylize(
            *("photo.png", "painting.png", "--init", "noise"),
            *("--seed", seed, "--out", f"{name}.png"),
        )
    a, b = ((tmp_path / f"{name}.png").read_bytes() for name in "ab")
    assert a == b
    pixels = [read_picture(tmp_path / f"{name}.png").astype(int) for name in "ac"]
    assert np.abs(pixels[0] - pixels[1]).mean() > 1


def test_single_options_win_over_the_preset(stylize):
    more = ("--preset", "from-noise", "--json", "--tv-weight", 0.5)
    (record,) = json.loads(stylize("photo.png", "painting.png", *more).stdout)
    said = record["settings"]
    assert PRESETS["from-noise"]["init"] == said["init"] == "noise"
    assert (said["preset"], said["iterations"], said["tv_weight"]) == ("from-noise", 4, 0.5)


def test_the_help_names_the_defaults_and_presets_of_the_library(run, monkeypatch):
    # Typer reads the variable TERMINAL_WIDTH once, when it is imported.
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 300)
    text = " ".join(run("stylize", "--help").stdout.split())
    for field in fields(StyleSettings):
        if field.default not in ("", (), "content") and field.name not in ("keep_colours", "tile"):
            default = f"{field.default:g}" if isinstance(field.default, float) else field.default
            option = f"--{field.name.replace('_', '-')}"
            assert re.search(rf"{option} (?:(?! --).)*\[default: \(?{default}\)?\]", text), option
    assert ", ".join(PRESETS) in text


def test_the_reference_has_the_presets_of_the_library():
    text = (ROOT / "docs" / "stylize.md").read_text(encoding="utf-8")
    for name, settings in PRESETS.items():
        (line,) = re.findall(rf"^\| `{name}` \| (.*) \|$", text, re.MULTILINE)
        said = {
            f"--{key.replace('_', '-')} {value:g}"
            if isinstance(value, float)
            else f"--{key.replace('_', '-')} {value}"
            for key, value in settings.items()
        }
        found = set(re.findall(r"--[a-z-]+ [^ `]+", line))
        assert found == said, name


def test_pictures_of_all_kinds_come_out_upright_and_in_colour(stylize, tmp_path):
    upright = np.rot90(PHOTO).copy()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(upright).save(tmp_path / "turned.jpg", exif=exif)
    Image.fromarray(PHOTO[..., 0]).save(tmp_path / "grey.png")
    alpha = np.dstack([PHOTO, np.full(PHOTO.shape[:2], 90, np.uint8)])
    Image.fromarray(alpha).save(tmp_path / "glass.png")
    for content, style in (
        *(("turned.jpg", "painting.png"), ("grey.png", "painting.png")),
        *(("glass.png", "painting.png"), ("photo.png", "glass.png")),
    ):
        more = ("--out", f"out/{content}", "--overwrite")
        result = stylize(content, style, *more, iterations=1)
        assert result.exit_code == 0, result.stderr
        with Image.open(tmp_path / "out" / content) as image:
            assert image.size == (64, 32) and image.mode == "RGB"
            assert 0x0112 not in image.getexif()


def test_outside_the_mask_the_photograph_stays(stylize, tmp_path):
    mask = np.zeros((24, 48), np.uint8)
    mask[:, 24:] = 255
    write_picture(tmp_path / "mask.png", mask)
    photo = resized(PHOTO, (32, 64)).astype(int)
    changes = {}
    for more in ((), ("--invert",)):
        result = stylize(
            *("photo.png", "painting.png", "--mask", "mask.png", "--init", "noise"),
            *("--out", "x.png", "--overwrite", *more),
            iterations=1,
        )
        assert result.exit_code == 0, result.stderr
        change = np.abs(read_picture(tmp_path / "x.png") - photo).mean((0, 2))
        changes[more] = change[:30].mean(), change[34:].mean()
    assert changes[()][0] == 0 and changes[()][1] > 5
    assert changes[("--invert",)][0] > 5 and changes[("--invert",)][1] == 0
    assert description_of(tmp_path / "x.png")["mask"] == "mask.png"


def test_where_paints_the_classes_of_the_segmenter(stylize, colours, tmp_path):
    pixels, _ = scene()
    write_picture(tmp_path / "scene.png", pixels)
    more = ("--out", "x.png", "--overwrite", "--init", "noise")
    for chosen, invert in (("red", False), ("Red, blue", True)):
        result = stylize(
            *("scene.png", "painting.png", "--where", chosen, *more),
            *(["--invert"] if invert else []),
            size=128,
            iterations=1,
        )
        assert result.exit_code == 0, result.stderr
        change = np.abs(read_picture(tmp_path / "x.png").astype(int) - pixels).mean(-1)
        red, ground = change[26:34, 36:44].mean(), change[88:, :20].mean()
        assert (red < ground) == invert and min(red, ground) == 0 and max(red, ground) > 5
    result = stylize("photo.png", "painting.png", "--where", "blue", "--out", "y.png")
    assert result.exit_code == 1 and not (tmp_path / "y.png").exists()
    (error,) = errors(result)
    assert "photo.png" in error and "finds no blue in it" in error
    result = stylize("photo.png", "painting.png", "--where", "green")
    assert result.exit_code == 2
    assert '--where: unknown class "green"' in errors(result)[0] and "red" in errors(result)[0]


def test_several_styles_are_blended(stylize, tmp_path):
    write_picture(tmp_path / "other.png", np.roll(255 - PAINTING, 20, axis=0))
    two = ("painting.png", "other.png")
    made = []
    for given in (
        *((*two, "--style-blend", blend) for blend in ("1,0", "0.5,0.5", "0,1")),
        *(two, two[:1]),
    ):
        result = stylize("photo.png", *given, "--out", f"{len(made)}.png", iterations=2)
        assert result.exit_code == 0, result.stderr
        made.append(read_picture(tmp_path / f"{len(made)}.png"))
    first, half, second, equal, alone = made
    assert np.array_equal(first, alone) and np.array_equal(half, equal)
    assert not np.array_equal(half, first) and not np.array_equal(half, second)


def test_colours_are_kept(stylize, tmp_path):
    grey = np.repeat(PHOTO.mean(-1, keepdims=True), 3, -1).astype(np.uint8)
    write_picture(tmp_path / "grey.png", grey)
    for choice, most in (("luminance", 3), ("no", 255)):
        stylize("grey.png", "painting.png", "--keep-colours", choice, "--out", f"{choice}.png")
        made = read_picture(tmp_path / f"{choice}.png").astype(int)
        colour = (made.max(-1) - made.min(-1)).max()
        assert colour <= most and (choice == "luminance" or colour > 20)


def test_it_begins_with_the_picture_given(stylize, tmp_path):
    write_picture(tmp_path / "start.png", np.full((10, 20, 3), 255, np.uint8))
    made = []
    for init in ("content", "start.png"):
        more = ("--init", init, "--out", f"{len(made)}.png", "--preset", "from-noise")
        assert stylize("photo.png", "painting.png", *more, iterations=1).exit_code == 0
        made.append(read_picture(tmp_path / f"{len(made)}.png").astype(int))
    assert np.abs(made[1] - 255).mean() < np.abs(made[0] - 255).mean() - 20
    assert description_of(tmp_path / "1.png")["start"] == "start.png"


def test_intermediate_pictures_and_the_film(stylize, tmp_path):
    result = stylize(
        *("photo.png", "painting.png", "--every", 4, "--video", "film/x.mp4", "--json"),
        size=256,
        iterations=10,
    )
    assert result.exit_code == 0, result.stderr
    (record,) = json.loads(result.stdout)
    stem = "stylized/photo-iteration-"
    assert record["intermediate"] == [f"{stem}04.png", f"{stem}08.png"]
    assert record["video"] == "film/x.mp4"
    for path in record["intermediate"]:
        assert read_picture(tmp_path / path).shape == (128, 256, 3)
        assert description_of(tmp_path / path)["iteration"] == int(path[-6:-4])
    frames = list(read_pictures([tmp_path / "film" / "x.mp4"]))
    # One an iteration, and at five a second the result for a second and a half.
    assert len(frames) == record["iterations"] + 8
    assert all(frame.pixels.shape == (128, 256, 3) for frame in frames)
    made = read_picture(tmp_path / "stylized" / "photo.png").astype(int)
    assert np.abs(frames[-1].pixels - made).mean() < 12
    assert np.abs(frames[0].pixels - made).mean() > np.abs(frames[-1].pixels - made).mean()
    # Again: all of them are numbered alike.
    assert stylize("photo.png", "painting.png", "--every", 4, iterations=10).exit_code == 0
    assert {"photo-2.png", "photo-2-iteration-08.png"} <= set(names(tmp_path / "stylized"))


def interrupt_at(monkeypatch, iteration):
    plain = stylize_picture.Watcher.__call__

    def call(self, step):
        plain(self, step)
        if step.iteration == iteration:
            raise KeyboardInterrupt

    monkeypatch.setattr(stylize_picture.Watcher, "__call__", call)


def test_ctrl_c_keeps_the_picture_so_far(stylize, tmp_path, monkeypatch):
    write_picture(tmp_path / "set" / "a.png", PHOTO)
    write_picture(tmp_path / "set" / "b.png", PHOTO)
    interrupt_at(monkeypatch, 3)
    result = stylize("set", "painting.png", "--jsonl", iterations=20)
    assert result.exit_code == 130
    (record,) = map(json.loads, result.stdout.splitlines())
    assert (record["stopped"], record["iterations"]) == ("interrupted", 3)
    assert names(tmp_path / "stylized") == ["a.png"]
    assert result.stderr == (
        "cvtool: stopped with Ctrl-C after 3 of 20 iterations; the picture so far: stylized/a.png\n"
    )
    assert description_of(tmp_path / "stylized" / "a.png")["iteration"] == 3
    result = stylize("photo.png", "painting.png", "--video", "x.mp4", iterations=20)
    assert result.exit_code == 130 and len(list(read_pictures([tmp_path / "x.mp4"]))) == 3 + 8


def test_ctrl_c_before_the_first_iteration_leaves_nothing(stylize, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("cvtool.style.objective.Objective.aim", stop)
    before = names(tmp_path)
    result = stylize("photo.png", "painting.png", "--video", "x.mp4", "--json")
    assert result.exit_code == 130 and names(tmp_path) == before
    assert json.loads(result.stdout) == []


def test_a_second_ctrl_c_ends_at_once(stylize, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    interrupt_at(monkeypatch, 2)
    monkeypatch.setattr(writing, "write_picture", stop)
    before = names(tmp_path)
    assert stylize("photo.png", "painting.png").exit_code == 130
    assert names(tmp_path) == before


def test_a_loss_that_is_no_number_is_an_error_with_a_picture(stylize, tmp_path, monkeypatch):
    from cvtool.style import transfer

    plain = transfer.transfer
    monkeypatch.setattr(
        transfer, "transfer", lambda *a, **k: replace(plain(*a, **k), stopped="nan")
    )
    result = stylize("photo.png", "painting.png")
    assert result.exit_code == 1 and "--style-weight" in errors(result)[0]
    assert names(tmp_path / "stylized") == ["photo.png"]


def test_of_a_folder_the_good_ones_are_made_and_the_bad_ones_listed(stylize, tmp_path):
    folder = tmp_path / "some photos"
    write_picture(folder / "sub" / "ä b.jpg", PHOTO)
    write_picture(folder / "z.png", PHOTO)
    write_picture(folder / "line.png", PHOTO[:1])
    write_picture(folder / "painting.png", PAINTING)
    (folder / "empty.jpg").touch()
    for _ in range(2):
        result = stylize(folder, folder / "painting.png", "--out", folder / "out", "--overwrite")
        assert result.exit_code == 1
        found = errors(result)
        assert len(found) == 2 and "empty.jpg" in found[0] + found[1]
        assert any("96 x 1" in line and "--size" in line for line in found)
        assert names(folder / "out") == ["sub/ä b.jpg", "z.png"]
        table = result.stdout.splitlines()
        assert len(table) == 3 and table[0].endswith("result")
        assert "64 x 32" in table[1] and table[1].endswith("out/z.png")


def test_what_is_there_is_replaced_with_overwrite_only(stylize, tmp_path):
    for number in ("", "-2", "-3"):
        result = stylize("photo.png", "painting.png", iterations=1)
        assert f"stylized: stylized/photo{number}.png" in result.stdout
    (tmp_path / "film.mp4").write_text("precious")
    (tmp_path / "o" / "photo-iteration-1.png").parent.mkdir()
    (tmp_path / "o" / "photo-iteration-1.png").write_text("precious")
    for more in (
        ("--out", "stylized/photo.png"),
        ("--out", "stylized"),
        ("--video", "film.mp4"),
        ("--out", "o", "--every", "1"),
    ):
        before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
        result = stylize("photo.png", "painting.png", *more)
        assert result.exit_code == 1 and "--overwrite" in errors(result)[0]
        assert len(errors(result)) == 1
        assert before == {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    more = ("--overwrite", "--every", "1", "--video", "film.mp4")
    assert stylize("photo.png", "painting.png", "--out", "o", *more).exit_code == 0
    assert description_of(tmp_path / "o" / "photo-iteration-1.png")["iteration"] == 1


def test_inputs_are_never_written(stylize, tmp_path):
    write_picture(tmp_path / "film.mp4.png", PHOTO)
    (tmp_path / "film.mp4.png").rename(tmp_path / "film.mp4")
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    for more in (
        ("--out", "photo.png"),
        ("--out", "painting.png"),
        ("--out", "."),
        ("--out", "mask.png", "--mask", "mask.png"),
        ("--video", "film.mp4", "--init", "film.mp4"),
    ):
        write_picture(tmp_path / "mask.png", PHOTO, overwrite=True)
        before["mask.png"] = (tmp_path / "mask.png").read_bytes()
        result = stylize("photo.png", "painting.png", *more, "--overwrite", iterations=1)
        assert result.exit_code == 1 and "is an input, never overwritten" in errors(result)[0]
        assert len(errors(result)) == 1
        assert before == {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    result = stylize(tmp_path, "painting.png", "--out", tmp_path)
    assert result.exit_code == 2 and "film.mp4: a video takes --fast" in errors(result)[0]
    (tmp_path / "film.mp4").unlink()
    result = stylize(tmp_path, "painting.png", "--out", tmp_path)
    assert result.exit_code == 1 and "holds the input pictures" in errors(result)[0]


def test_a_photograph_through_a_pipe(stylize, tmp_path):
    data = (tmp_path / "photo.png").read_bytes()
    before = names(tmp_path)
    result = stylize("-", "painting.png", stdin=data)
    assert result.exit_code == 0 and result.stderr == "" and names(tmp_path) == before
    with Image.open(BytesIO(result.stdout_bytes)) as image:
        assert image.format == "PNG" and image.size == (64, 32)
    assert description_of(BytesIO(result.stdout_bytes))["content"] == "stdin"
    result = stylize("-", "painting.png", "--out", "x.jpg", stdin=data)
    assert "stylized: x.jpg" in result.stdout
    # The painting may come through it instead.
    assert stylize("photo.png", "-", stdin=data).exit_code == 0
    assert stylize("-", "painting.png", stdin=b"no picture").stdout_bytes == b""


def test_a_full_disk_is_one_line_for_all_intermediate_pictures(stylize, tmp_path, monkeypatch):
    plain = writing.write_picture

    def full(path, *arguments, **options):
        if "iteration" in str(path):
            raise OutputError(f"{path}: cannot be written (No space left on device); make room")
        plain(path, *arguments, **options)

    monkeypatch.setattr(writing, "write_picture", full)
    result = stylize("photo.png", "painting.png", "--every", 1)
    assert result.exit_code == 1 and len(errors(result)) == 1
    assert "photo-iteration-1.png: cannot be written" in errors(result)[0]
    assert names(tmp_path / "stylized") == ["photo.png"]


def test_a_film_that_cannot_be_written_leaves_the_result(stylize, tmp_path, monkeypatch):
    # What is left of it on a full disk is no video.
    monkeypatch.setattr("cvtool.pictures.video.count_frames", lambda path: None)
    result = stylize("photo.png", "painting.png", "--video", "x.mp4", "--jsonl")
    assert result.exit_code == 1
    assert errors(result) == [
        "cvtool: error: x.mp4: could not be written whole; make room on the disk"
    ]
    record = json.loads(result.stdout)
    assert (record["output"], record["video"]) == ("stylized/photo.png", None)
    assert names(tmp_path) == ["painting.png", "photo.png", "stylized/photo.png"]


def test_fast_takes_one_pass(fast, tmp_path):
    result = fast("photo.png", "painting.png", "--json", "--strength", 0.5, "--size", 64)
    assert result.exit_code == 0, result.stderr
    (record,) = json.loads(result.stdout)
    assert list(record) == [
        *["picture", "width", "height", "model", "engine", "seconds", "size"],
        *["settings", "output"],
    ]
    assert record["size"] == [64, 32] and record["model"] == "tiny-adain"
    said = description_of(tmp_path / record["output"])
    assert said["fast"] and said["strength"] == 0.5 and said["styles"] == ["painting.png"]
    result = fast("photo.png", "painting.png", "--out", "large.jpg")
    assert "photo.png: 96 x 48 -> 512 x 256 pixels" in result.stdout
    stylizer = FastStylizer.load("cpu")
    expected = stylizer(PHOTO, [PAINTING], strength=0.5, size=64)
    assert np.array_equal(read_picture(tmp_path / "stylized" / "photo.png"), expected)
    assert not np.array_equal(stylizer(PHOTO, [PAINTING], size=64), expected)
    # Outside of a mask the photograph stays.
    mask = np.zeros((48, 96), np.uint8)
    mask[:, 48:] = 255
    write_picture(tmp_path / "mask.png", mask)
    more = ("--out", "x.png", "--size", 96, "--keep-colours", "luminance")
    assert fast("photo.png", "painting.png", "--mask", "mask.png", *more).exit_code == 0
    made = read_picture(tmp_path / "x.png")
    expected = stylizer(PHOTO, [PAINTING], size=96, keep_colours="luminance")
    assert np.array_equal(made[:, :47], PHOTO[:, :47])
    assert np.array_equal(made[:, 49:], expected[:, 49:])


def test_a_video_is_stylized_frame_by_frame(fast, stylize, tmp_path, monkeypatch):
    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        for step in range(4):
            writer.write(np.roll(PHOTO, 5 * step, axis=1))
    scenes = []
    plain = FastStylizer.__call__

    def call(self, *arguments, scene, **options):
        scenes.append(scene)
        return plain(self, *arguments, scene=scene, **options)

    monkeypatch.setattr(FastStylizer, "__call__", call)
    result = fast("clip.mp4", "painting.png", "--size", 64)
    assert result.exit_code == 0, result.stderr
    # All frames know of each other, and pictures of none.
    assert len(scenes) == 4 and scenes[0] is not None and len(set(map(id, scenes))) == 1
    fast("photo.png", "painting.png")
    assert scenes[4] is None
    assert "4 frames: stylized  -> stylized/clip.mp4" in result.stdout
    frames = list(read_pictures([tmp_path / "stylized" / "clip.mp4"]))
    assert len(frames) == 4 and frames[0].fps == pytest.approx(10)
    assert all(frame.pixels.shape == (32, 64, 3) for frame in frames)
    # A mask of another shape is one error, not one a frame; the video stays out.
    write_picture(tmp_path / "mask.png", np.full((20, 20), 255, np.uint8))
    for name in ("named.mp4", "folder"):
        result = fast("clip.mp4", "painting.png", "--mask", "mask.png", "--out", name)
        assert result.exit_code == 1 and len(errors(result)) == 1
        assert "mask.png: 20 x 20 pixels do not fit clip.mp4" in errors(result)[0]
        assert not (tmp_path / "named.mp4").exists()
    assert fast("clip.mp4", "painting.png", "--out", "named.mp4").exit_code == 0
    assert len(list(read_pictures([tmp_path / "named.mp4"]))) == 4
    result = fast("clip.mp4", "painting.png", "--out", "x.png")
    assert result.exit_code == 1 and ".mp4" in errors(result)[0]
    result = stylize("clip.mp4", "painting.png")
    assert result.exit_code == 2 and "a video takes --fast" in errors(result)[0]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--fast", "--iterations", "5"], 2, "--iterations is for the optimisation"),
        (["--fast", "--preset", "strong"], 2, "--preset is for the optimisation"),
        (["--fast", "--video", "x.mp4"], 2, "--video is for the optimisation"),
        (["--strength", "0.5"], 2, "--strength is for --fast"),
        (["--fast", "--strength", "1.5"], 2, "--strength"),
        (["--mask", "m.png", "--where", "person"], 2, "choose one of --mask and --where"),
        (["--invert"], 2, "add --mask or --where"),
        (["--json", "--jsonl"], 2, "choose one of --json and --jsonl"),
        (["--where", ","], 2, "--where names no class"),
        (["--mask", "gone.png"], 1, "gone.png: no such file"),
        (["--mask", "text.png"], 1, "text.png: it holds text"),
        (["--mask", "black.png"], 1, "black.png: black all over"),
        (["--mask", "square.png"], 1, "square.png: 20 x 20 pixels do not fit photo.png"),
        (["--init", "nosie"], 1, "nosie: no such file; --init takes content, noise or a picture"),
        (["--init", "text.png"], 1, "text.png: it holds text"),
        (["--style-blend", "0.5,0.5"], 2, "2 weights for 1 styles"),
        (["--style-blend", "a"], 2, "--style-blend"),
        (["--style-blend", "-1"], 2, "style blend"),
        (["--style-weight", "0"], 2, "style weight"),
        (["--content-weight", "-1"], 2, "content weight"),
        (["--tv-weight", "nan"], 2, "tv weight"),
        (["--style-scale", "9"], 2, "style scale"),
        (["--size", "8"], 2, "size"),
        (["--iterations", "0"], 2, "iterations"),
        (["--layers", "block1_conv1,blok"], 2, 'unknown layer "blok"'),
        (["--layers", ","], 2, "--layers"),
        (["--content-layer", "conv4_2"], 2, "block4_conv2"),
        (["--preset", "stronk"], 2, 'unknown preset "stronk"; did you mean strong'),
        (["--network", "resnet"], 2, "vgg-small"),
        (["--every", "0"], 2, "--every"),
        (["--tile", "8"], 2, "tile: 8 is not between"),
        (["--video", "film.avi"], 1, "film.avi: the film is written as .mp4"),
        (["--out", "x.gif"], 1, "ending .gif"),
        (["--out", "x.mp4"], 1, "ending .mp4"),
        (["--out", "photo.png/out"], 1, "cannot be written"),
        (["--device", "gpu"], 1, "no GPU"),
        (["--max-pixels", "100"], 1, "--max-pixels"),
        (["text.png"], 1, "text.png: it holds text"),
        (["gone.png"], 1, "gone.png: no such file"),
        (["set"], 1, "set: holds more than one picture; STYLE takes one"),
    ],
)
def test_bad_input_is_one_line_that_says_what_and_what_to_do(
    stylize, tmp_path, monkeypatch, arguments, code, words
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    (tmp_path / "text.png").write_text("no picture")
    write_picture(tmp_path / "black.png", np.zeros((48, 96), np.uint8))
    write_picture(tmp_path / "square.png", np.full((20, 20), 255, np.uint8))
    for name in ("a.png", "b.png"):
        write_picture(tmp_path / "set" / name, PAINTING)
    before = names(tmp_path)
    given = {a for a in arguments if a.startswith("--")}
    result = stylize(
        *("photo.png", "painting.png", *arguments),
        size=None if given & {"--size", "--fast"} else 64,
        iterations=None if given & {"--iterations", "--fast"} else 4,
    )
    assert result.exit_code == code, result.output
    assert len(errors(result)) == 1 and words in errors(result)[0]
    assert names(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["gone.png", "painting.png"], 1, "gone.png: no such file"),
        (["photo.png"], 2, "STYLE"),
        (["set", "painting.png", "--out", "x.png"], 2, "--out x.png is one file"),
        (["set", "painting.png", "--video", "x.mp4"], 2, "--video x.mp4 is one file"),
        (["-", "-"], 2, "stdin holds one picture"),
        (["-", "painting.png", "--init", "-"], 2, "stdin holds one picture"),
        (["-", "painting.png", "--every", "2"], 2, "name it with --out"),
        (["line.png", "painting.png"], 2, "short side"),
    ],
)
def test_contents_that_cannot_be(stylize, tmp_path, arguments, code, words):
    for name in ("a.png", "b.png"):
        write_picture(tmp_path / "set" / name, PHOTO)
    write_picture(tmp_path / "line.png", PHOTO[:1])
    before = names(tmp_path)
    result = stylize(*arguments, stdin=b"")
    assert result.exit_code == code, result.output
    assert len(errors(result)) == 1 and words in errors(result)[0]
    assert names(tmp_path) == before


def test_masks_need_not_have_the_same_size_but_the_same_shape(stylize, tmp_path):
    # A copy scaled to an odd size is as close as whole pixels allow.
    mask = cv2.resize(np.full((48, 96), 255, np.uint8), (33, 17))
    write_picture(tmp_path / "mask.png", mask)
    more = ("--mask", "mask.png", "--out", "x.png")
    assert stylize("photo.png", "painting.png", *more, iterations=1).exit_code == 0


def test_with_its_margin_a_picture_may_have_a_scale_more(stylize, tmp_path, monkeypatch):
    """Of which the bar of a terminal has to know."""
    terminal = SimpleNamespace(stderr=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("cvtool.cli.stylize_report.sys", terminal)
    write_picture(tmp_path / "square.png", resized(PHOTO, (50, 50)))
    result = stylize("square.png", "painting.png", "--out", "a.png", size=250, iterations=2)
    assert result.exit_code == 0, result.stderr
    assert read_picture(tmp_path / "a.png").shape == (250, 250, 3)
