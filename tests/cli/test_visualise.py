"""`cvtool visualise`."""

import json

import numpy as np
import pytest
import skimage.data
from typer import BadParameter

from colour_unet import BLUE, RED, colour_model
from cvtool.cli.visualise import parse_units
from cvtool.pictures.reading import read_picture
from cvtool.pictures.writing import write_picture


@pytest.fixture
def album(tmp_path):
    """Six pictures: two red, one blue, and three of neither."""
    pictures = {
        "red": np.full((80, 100, 3), RED, np.uint8),
        "red-part": np.full((100, 80, 3), 128, np.uint8),
        "blue": np.full((64, 64, 3), BLUE, np.uint8),
        "grey": np.full((64, 64), 90, np.uint8),
        "coins": skimage.data.coins(),
        "moon": skimage.data.moon(),
    }
    pictures["red-part"][40:70, 20:50] = RED
    for name, pixels in pictures.items():
        write_picture(tmp_path / "album" / f"{name}.png", pixels)
    return tmp_path / "album"


def test_a_sheet_of_each_stage(run, album):
    result = run("visualise", "tiny200", album, "--size", "64", "--units", "2", "--out", "sheets")
    assert result.exit_code == 0, result.stderr
    sheets = sorted(path.name for path in (album.parent / "sheets").iterdir())
    assert sheets == [f"tiny200-csp-stage{n}_merge_relu.png" for n in (1, 2, 3, 4)] + [
        "tiny200-csp-stem_relu.png"
    ]
    assert all(name in result.stdout for name in sheets)
    assert "whole picture" in result.stdout and "2 of 64" in result.stdout
    pixels = read_picture(album.parent / "sheets" / sheets[0])
    assert pixels.shape[1] > 600 and len(np.unique(pixels)) > 100


def test_classes_of_a_hand_made_network(run, album):
    (album / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n, and no more")
    command = ["visualise", colour_model(), album, "--layer", "logits", "--json"]
    result = run(*command, "--units", "2,1")
    assert result.exit_code == 1
    assert "broken.png" in result.stderr and len(result.stderr.splitlines()) == 1
    found = json.loads(result.stdout)
    assert (found["network"], found["size"], found["pictures"]) == ("colours", 64, 6)
    (layer,) = found["layers"]
    assert layer["shape"] == [64, 64, 3] and layer["receptive_field"] == [3 + 2, 3 + 2]
    blue, red = layer["units"]
    assert (blue["unit"], red["unit"]) == (2, 1)
    assert [patch["picture"] for patch in blue["patches"]] == [str(album / "blue.png")]
    by_name = {patch["picture"]: patch for patch in red["patches"]}
    assert list(by_name) == [str(album / "red-part.png"), str(album / "red.png")]
    x1, y1, x2, y2 = by_name[str(album / "red-part.png")]["box"]
    assert 20 <= (x1 + x2) / 2 <= 50 and 40 <= (y1 + y2) / 2 <= 70
    assert layer["sheet"] == "colours-logits.png"
    # A second run leaves the first sheet as it is.
    first = (album.parent / "colours-logits.png").read_bytes()
    again = json.loads(run(*command, "--units", "1,").stdout)
    assert again["layers"][0]["sheet"] == "colours-logits-2.png"
    assert (album.parent / "colours-logits.png").read_bytes() == first


def test_the_list_of_layers_needs_no_pictures(run):
    result = run("visualise", "tiny200", "--list-layers", "--json")
    rows = json.loads(result.stdout)
    assert [row["layer"] for row in rows if row["default"]][0] == "csp/stem_relu"
    assert rows[-1]["layer"] == "logits" and rows[-1]["shape"] == [200]
    assert rows[0]["receptive_field"] == [3, 3] and result.stderr == ""


def test_what_is_refused_before_any_work(run, album):
    sheet = album.parent / "sheet.png"
    sheet.write_bytes(b"mine")
    model = colour_model()
    inside = album / "red.png"
    onto = ["--layer", "logits", "--overwrite", "--out", inside]
    cases = [
        (["visualise", model], 2, "name pictures"),
        (["visualise", model, album, "--list-layers"], 2, "leave them out"),
        (["visualise", model, album, "--units", "x"], 2, "--units x"),
        (["visualise", model, album, "--units", "0"], 2, "1 to 400"),
        (["visualise", model, album, "--layer", "logits", "--units", "3,"], 2, "no 3"),
        (["visualise", model, album, "--layer", "nowhere"], 2, "logits"),
        (["visualise", model, album, "--out", "sheet.gif"], 1, ".gif"),
        (["visualise", model, album, "--layer", "logits", "--out", sheet], 1, "already exists"),
        (["visualise", model, album, "--out", album], 1, "holds the input"),
        (
            ["visualise", model, inside, *onto],
            1,
            "is an input",
        ),
        (
            ["visualise", model, album, *onto],
            1,
            "is an input",
        ),
        (["visualise", "tinny200", album], 1, "did you mean tiny200"),
    ]
    before = inside.read_bytes()
    for arguments, code, words in cases:
        result = run(*arguments)
        assert (result.exit_code, result.stdout) == (code, ""), arguments
        assert words in result.stderr and len(result.stderr.splitlines()) == 1, result.stderr
    assert sheet.read_bytes() == b"mine" and inside.read_bytes() == before


def test_where_no_picture_can_be_read_there_is_no_sheet(run, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"nothing")
    result = run("visualise", colour_model(), "a.jpg", "--layer", "logits")
    assert result.exit_code == 1 and "no sheet" in result.stderr and "a.jpg" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


def test_an_earlier_sheet_in_the_output_folder_is_no_picture(run, album):
    command = ["visualise", colour_model(), album, "--layer", "logits", "--json"]
    command += ["--out", album / "sheets"]
    assert json.loads(run(*command).stdout)["pictures"] == 6
    assert json.loads(run(*command, "--overwrite").stdout)["pictures"] == 6


@pytest.mark.parametrize(
    ("text", "units"),
    [("9", 9), ("7,", [7]), ("0,5,9", [0, 5, 9]), ("3-5,4,1", [3, 4, 5, 1]), ("8-8", [8])],
)
def test_units(text, units):
    assert parse_units(text) == units


@pytest.mark.parametrize(
    "text", ["", "-1", "1.5", "a", "5-3", "401", "0-400", "0-99999999999", "1,,2"]
)
def test_units_that_make_no_sense(text):
    with pytest.raises(BadParameter, match="--units"):
        parse_units(text)
