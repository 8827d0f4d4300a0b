from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtool.datasets.mask_classes import (
    choose_classes,
    class_list,
    find_class_list,
    read_class_list,
)
from cvtool.datasets.mask_files import read_mask, write_mask
from cvtool.errors import DatasetError

BLACK_AND_WHITE = ((0, 0, 0), (255, 255, 255))
RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture
def write_list(tmp_path):
    def write(text, name="classes.txt"):
        (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return tmp_path / name

    return write


@pytest.fixture
def masks(tmp_path):
    """Write grey masks of these values, one pixel each, or RGB masks; gives the files."""

    def write(*rows):
        paths = []
        for row in rows:
            pixels = np.array([row], np.uint8)
            paths.append(tmp_path / f"{len(paths)}.png")
            Image.fromarray(pixels).save(paths[-1])
        return paths

    return write


def test_names(write_list):
    listed = read_class_list(write_list("\ufeffbackground\r\ncat\n\n# pets\ntraffic light\n"))
    assert listed.names == ("background", "cat", "traffic light") and listed.colours is None
    assert read_class_list(write_list("polyp\n")).names == ("background", "polyp")
    assert class_list(["polyp"]).names == ("background", "polyp")
    assert class_list(["sky", "road"]).names == ("sky", "road")


@pytest.mark.parametrize(
    "text",
    [
        "sky 0 0 255\ntraffic light 255 0 0\n",
        "sky\t0\t0\t255\ntraffic light: 255, 0, 0\n",
        "sky,0,0,255\ntraffic light,255,0,0\n",
        "# label:color_rgb:parts:actions\nsky:0,0,255::\ntraffic light:255,0,0::\n",
    ],
)
def test_names_with_colours(write_list, text):
    listed = read_class_list(write_list(text))
    assert listed.names == ("sky", "traffic light") and listed.colours == (BLUE, RED)


def test_void_and_background_in_a_list_with_colours(write_list):
    listed = read_class_list(write_list("Void 0 0 0\nsky 0 0 255\nroad 255 0 0\n"))
    assert listed.names == ("sky", "road") and listed.colours == (BLUE, RED, (0, 0, 0))
    listed = read_class_list(write_list("road 255 0 0\n"))
    assert listed.names == ("background", "road") and listed.colours == ((0, 0, 0), RED)
    assert read_class_list(write_list("sky\nvoid\n")).names == ("sky", "void")


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "lists no class"),
        ("# none\n", "lists no class"),
        ("void 0 0 0\n", "lists no class"),
        ("cat\ndog\ncat\n", ":3: the class cat is listed twice"),
        ("cat 0 0 0\ndog\n", ":2: give every class a colour"),
        ("cat\ndog 0 0 0\n", ":2: give every class a colour"),
        ("cat 0 0 0\ndog 0 0 0\n", ":2: another class has this colour"),
        ("cat 0 0 256\ndog 0 0 0\n", ":1: 'cat 0 0 256' is not name R G B"),
        (": 1 2 3\ndog 0 0 0\n", ":1: ': 1 2 3' is not name R G B"),
        (b"\xff\xfe\x00", "not text in UTF-8"),
        ("\n".join(f"class{n}" for n in range(256)), "lists 256 classes; masks hold up to 255"),
    ],
)
def test_lists_with_a_mistake(write_list, text, words):
    path = write_list(text)
    with pytest.raises(DatasetError) as caught:
        read_class_list(path)
    assert str(caught.value).startswith(f"{path}:") and words in str(caught.value)


def test_a_list_that_is_not_there(tmp_path, write_list):
    with pytest.raises(DatasetError, match="cannot be read as a list of classes"):
        read_class_list(tmp_path / "absent.txt")
    assert find_class_list([tmp_path / "x", tmp_path]) is None
    (tmp_path / "inner").mkdir()
    later = write_list("a\nb", "labelmap.txt")
    assert find_class_list([tmp_path / "inner", tmp_path]) == later
    assert find_class_list([tmp_path]) == later
    assert find_class_list([tmp_path]) != write_list("a\nb", "labels.txt")
    assert find_class_list([tmp_path]).name == "labels.txt"


def choose(paths, listed=None):
    return choose_classes(Path("set"), paths, listed)


def test_classes_without_a_list_are_counted(masks):
    assert choose(masks([0, 1], [0, 3], [255, 0])) == (
        ("background", "class1", "class2", "class3"),
        None,
    )
    assert choose(masks([0, 0], [1, 255])) == (("background", "class1"), None)


def test_black_and_white_masks(masks):
    paths = masks([0, 0], [0, 255], [255, 255])
    names, colours = choose(paths)
    assert (names, colours) == (("background", "class1"), BLACK_AND_WHITE)
    assert [read_mask(path, colours, 2).tolist() for path in paths] == [
        [[0, 0]],
        [[0, 1]],
        [[1, 1]],
    ]
    assert choose(paths, class_list(["cat"])) == (("background", "cat"), BLACK_AND_WHITE)
    # With three classes, or where masks hold 1, 255 is void.
    assert choose(paths, class_list(["a", "b", "c"]))[1] is None
    assert choose(masks([0, 1], [255, 1], [0, 255]), class_list(["a", "b"]))[1] is None


def test_a_few_masks_of_another_kind_change_nothing(masks, write_list):
    mixed = masks([0, 255], [0, 255], [0, 1], [0, 255], [0, 7])
    assert choose(mixed) == (("background", "class1"), BLACK_AND_WHITE)
    assert choose(mixed, class_list(["a", "b"]))[1] == BLACK_AND_WHITE
    mixed = masks([0, 1], [RED, BLUE], [0, 2])
    assert choose(mixed) == (("background", "class1", "class2"), None)
    assert choose(mixed, class_list(["a", "b", "c"])) == (("a", "b", "c"), None)
    listed = read_class_list(write_list("sky 0 0 255\nroad 255 0 0\n"))
    assert choose(masks([RED, BLUE], [BLUE, RED], [0, 1]), listed)[1] == listed.colours
    assert choose(masks([0, 1], [1, 0], [0, 9]), listed)[1] is None


def test_white_is_found_among_many_black_masks(masks):
    paths = masks(*[[0, 0]] * 60, [0, 255])
    assert choose(paths, class_list(["a", "b"]))[1] == BLACK_AND_WHITE


def test_void_of_a_palette_is_not_white(tmp_path):
    write_mask(tmp_path / "m.png", np.array([[0, 255]], np.uint8))
    assert choose([tmp_path / "m.png"], class_list(["a", "b"]))[1] is None


def test_black_and_white_in_rgb(masks):
    paths = masks([(0, 0, 0), (255, 255, 255)])
    assert choose(paths) == (("background", "class1"), BLACK_AND_WHITE)


def test_colours_of_the_list_count_where_masks_have_them(masks, write_list):
    listed = read_class_list(write_list("void 9 9 9\nsky 0 0 255\nroad 255 0 0\n"))
    assert choose(masks([RED, BLUE]), listed) == (("sky", "road"), listed.colours)
    assert choose(masks([RED, (9, 9, 9)]), listed)[1] == listed.colours
    assert choose(masks([0, 1], [1, 255]), listed) == (("sky", "road"), None)
    # Greys that are neither: it is for the reader to say which.
    assert choose(masks([0, 7]), listed)[1] == listed.colours
    greys = read_class_list(write_list("ground 0 0 0\nmid 128 128 128\nhigh 255 255 255\n"))
    assert choose(masks([0, 128], [255, 0]), greys)[1] == greys.colours


def test_coloured_masks_need_a_list_with_colours(masks, write_list):
    paths = masks([RED, BLUE])
    words = r"0.png: its pixels are colours, .* name R G B \(it holds 0 0 255; 255 0 0\)"
    for listed in (None, class_list(["a", "b"]), read_class_list(write_list("a\nb\n"))):
        with pytest.raises(DatasetError, match=words):
            choose(paths, listed)


@pytest.mark.parametrize(
    "rows, words",
    [
        ([[0, 0], [0, 0]], r"set: its masks show background \(0\) only"),
        ([[0, 0], [255, 0], [254, 254]], "hold 2 values up to 254"),
        ([[0, 128], [255, 0]], "hold 2 values up to 128"),
    ],
)
def test_values_that_tell_no_classes(masks, rows, words):
    with pytest.raises(DatasetError, match=words):
        choose(masks(*rows))


def test_masks_that_cannot_be_read(masks, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG no picture")
    assert choose([bad, *masks([0, 2])])[0] == ("background", "class1", "class2")
    assert choose([bad], class_list(["a", "b"])) == (("a", "b"), None)
    with pytest.raises(DatasetError, match=r"bad\.png: "):
        choose([bad])
