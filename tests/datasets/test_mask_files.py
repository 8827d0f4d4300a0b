import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from cvtool.datasets.faults import FAULTS
from cvtool.datasets.mask_files import read_mask, write_mask
from cvtool.datasets.mask_pixels import MaskError
from cvtool.errors import DatasetError, OutputError
from cvtool.pictures.palette import voc_colours

ORIENTATION = 0x0112
COLOURS = ((0, 0, 0), (255, 0, 0), (0, 0, 255))
IDS = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)


@pytest.fixture
def save(tmp_path):
    """Save an array or a Pillow image; gives the file."""

    def save(name, content, mode=None, **options):
        image = content if isinstance(content, Image.Image) else Image.fromarray(content)
        (image if mode is None else image.convert(mode)).save(tmp_path / name, **options)
        return tmp_path / name

    return save


def in_colour(ids, colours=COLOURS):
    return np.array(colours, np.uint8)[ids]


def with_palette(ids, colours=COLOURS):
    image = Image.fromarray(ids)
    image.putpalette([channel for colour in colours for channel in colour])
    return image


def refused(path, *arguments, **options):
    """The kind and words of what is wrong with a mask; they are one line that names the file."""
    with pytest.raises(MaskError) as caught:
        read_mask(path, *arguments, **options)
    assert isinstance(caught.value, DatasetError) and caught.value.kind in FAULTS
    assert str(caught.value) == f"{path}: {caught.value.reason}"
    assert len(str(caught.value).splitlines()) == 1
    return caught.value.kind, caught.value.reason


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=40)),
    st.one_of(st.none(), st.lists(st.tuples(*[st.integers(0, 255)] * 3), max_size=256)),
)
def test_what_is_written_is_read(tmp_path_factory, mask, colours):
    path = tmp_path_factory.mktemp("mask") / "m.png"
    write_mask(path, mask, colours)
    assert np.array_equal(read_mask(path), mask)
    with Image.open(path) as image:
        assert (image.mode, image.format) == ("P", "PNG")
        assert np.array_equal(np.array(image), mask)
        palette = [*(colours or []), *voc_colours(256)[len(colours or []) :]]
        assert np.array_equal(np.array(image.convert("RGB")), np.array(palette, np.uint8)[mask])


@settings(max_examples=40, deadline=None)
@given(
    arrays.arrays(np.uint8, (6, 7), elements=st.sampled_from([*range(21), 255])),
    st.sampled_from(["P", "RGB", "RGBA"]),
)
def test_colours_stand_for_the_same_ids(tmp_path_factory, mask, mode):
    folder = tmp_path_factory.mktemp("mask")
    write_mask(folder / "m.png", mask)
    with Image.open(folder / "m.png") as image:
        image.convert(mode).save(folder / "c.png")
    assert np.array_equal(read_mask(folder / "c.png", voc_colours(21), 21), mask)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "gif"])
@pytest.mark.parametrize("kind", ["grey", "palette"])
def test_ids_in_every_format(save, suffix, kind):
    ids = np.random.default_rng(0).integers(0, 5, (9, 14), np.uint8)
    path = save(f"m.{suffix}", with_palette(ids, voc_colours(5)) if kind == "palette" else ids)
    with Image.open(path) as image:
        assert np.array_equal(read_mask(path), np.array(image))
    assert np.array_equal(read_mask(path), ids) and read_mask(path).dtype == np.uint8
    if kind == "palette":
        assert np.array_equal(read_mask(path, voc_colours(5)), ids)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_of_16_bits(save, suffix):
    ids = np.array([[0, 1, 300], [65535, 255, 7]], np.uint16)
    path = save(f"m.{suffix}", ids)
    assert "class id 300 at pixel 2,0" in refused(path)[1]
    ids[0, 2] = 3
    assert read_mask(save(f"n.{suffix}", ids)).tolist() == [[0, 1, 3], [255, 255, 7]]
    white = save(f"w.{suffix}", np.array([[0, 65535]], np.uint16))
    assert read_mask(white, ((0, 0, 0), (255, 255, 255))).tolist() == [[0, 1]]


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_one_bit_is_class_1(save, suffix):
    path = save(f"m.{suffix}", Image.fromarray(IDS > 0))
    assert np.array_equal(read_mask(path), IDS > 0)
    assert np.array_equal(read_mask(path, ((255, 255, 255), (0, 0, 0))), IDS == 0)


def grey_png(row, width, bits):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, 1, bits, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def grey_tiff(row, width, bits):
    # Width, height, bits, no compression, black is zero, place, samples, rows, bytes.
    tags = {256: width, 257: 1, 258: bits, 259: 1, 262: 1, 273: 122, 277: 1, 278: 1, 279: len(row)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0) + row


@pytest.mark.parametrize("encode", [grey_png, grey_tiff])
@pytest.mark.parametrize("bits", [2, 4])
def test_grey_of_few_bits_holds_ids(tmp_path, bits, encode):
    """Pillow spreads such values over 0 to 255, and cannot write them."""
    ids = [0, 1, 2, 3]
    row = int("".join(f"{value:0{bits}b}" for value in ids), 2).to_bytes(bits // 2, "big")
    path = tmp_path / "mask"
    path.write_bytes(encode(row, len(ids), bits))
    assert read_mask(path).tolist() == [ids]
    greys = [(value * 255 // (2**bits - 1),) * 3 for value in reversed(ids)]
    assert read_mask(path, greys).tolist() == [[3, 2, 1, 0]]


def test_grey_saved_in_rgb_holds_ids(save):
    path = save("m.png", np.repeat(IDS[..., None], 3, axis=2))
    assert np.array_equal(read_mask(path, num_classes=3), IDS)


def test_what_is_transparent_is_black(save):
    rgba = np.dstack([in_colour(IDS), np.full(IDS.shape, 255, np.uint8)])
    rgba[0, 0] = (12, 34, 56, 0)
    assert np.array_equal(read_mask(save("m.png", rgba), COLOURS), IDS)


def test_void_in_colours(save):
    colours = (*COLOURS, (224, 224, 192), (9, 9, 9))
    path = save("m.png", in_colour(np.array([[0, 1, 2, 3, 4]]), colours))
    assert read_mask(path, colours, 3).tolist() == [[0, 1, 2, 255, 255]]
    assert read_mask(path, colours).tolist() == [[0, 1, 2, 3, 4]]
    voc = save("v.png", in_colour(np.array([[1, 3]]), colours))
    assert read_mask(voc, COLOURS).tolist() == [[1, 255]]


def test_unknown_colours(save):
    pixels = in_colour(IDS)
    pixels[1, 2] = (12, 34, 56)
    kind, words = refused(save("m.png", pixels), COLOURS)
    assert kind == "unknown class" and "the colour 12,34,56 at pixel 2,1 " in words
    kind, words = refused(save("m.png", pixels))
    assert kind == "unreadable label" and "name R G B" in words


def test_ids_out_of_range(save):
    path = save("m.png", np.array([[0, 255, 2], [3, 4, 0]], np.uint8))
    kind, words = refused(path, num_classes=3)
    assert kind == "unknown class" and words.startswith("class id 3 at pixel 0,1 is none of 0 to 2")
    assert read_mask(path, num_classes=5).max() == 255
    assert "class id 2 at pixel 2,0 is none of 0 only" in refused(path, num_classes=1)[1]
    negative = save("m.tif", np.array([[0, -1]], np.int32))
    assert "class id -1 at pixel 1,0" in refused(negative)[1]


def test_another_size(save):
    path = save("m.png", IDS)
    assert np.array_equal(read_mask(path, shape=(2, 3)), IDS)
    kind, words = refused(path, shape=(20, 30))
    assert kind == "wrong size" and "3 x 2 px, but its picture is 30 x 20" in words
    assert "EXIF" not in words
    assert "EXIF" in refused(path, shape=(3, 2))[1]


def test_a_mask_is_turned_as_its_own_exif_data_say(save):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    path = save("m.png", IDS, exif=exif)
    assert np.array_equal(read_mask(path, shape=(3, 2)), np.rot90(IDS, -1))


def test_jpeg_is_refused_whatever_its_name(save):
    for name in ("m.jpg", "m.png"):
        kind, words = refused(save(name, IDS, format="JPEG"))
        assert kind == "unreadable label" and "JPEG" in words and "PNG" in words


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "gif"])
def test_files_that_are_cut_off(save, suffix):
    noise = np.random.default_rng(0).integers(0, 5, (60, 60), np.uint8)
    path = save(f"m.{suffix}", noise)
    whole = path.read_bytes()
    for length in (3, 20, len(whole) // 2):
        path.write_bytes(whole[:length])
        assert refused(path)[0] == "unreadable label"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_damaged_files_are_read_or_refused(tmp_path_factory, at, damage):
    path = tmp_path_factory.mktemp("mask") / "m.png"
    write_mask(path, np.arange(200, dtype=np.uint8).reshape(10, 20))
    data = bytearray(path.read_bytes())
    data[at : at + len(damage)] = damage
    path.write_bytes(data)
    try:
        assert read_mask(path).dtype == np.uint8
    except MaskError as error:
        assert len(str(error).splitlines()) == 1


def test_files_that_are_no_masks(save, tmp_path):
    assert refused(tmp_path / "absent.png")[0] == "missing mask"
    assert "folder" in refused(tmp_path)[1]
    (tmp_path / "empty.png").touch()
    assert "empty" in refused(tmp_path / "empty.png")[1]
    (tmp_path / "page.png").write_text("<!doctype html><html></html>")
    assert "web page" in refused(tmp_path / "page.png")[1]
    fractions = save("f.tif", np.array([[0.5, 1.0]], np.float32))
    assert "neither class ids nor RGB" in refused(fractions)[1]
    assert "write it as PNG" in refused(save("m.webp", IDS, "RGB", lossless=True))[1]


def test_masks_that_are_too_large(save, monkeypatch):
    monkeypatch.setattr("cvtool.datasets.mask_pixels.MAX_PIXELS", 5)
    assert "3 x 2 pixels are over the limit" in refused(save("m.png", IDS))[1]


def test_writing_replaces_nothing_unasked(tmp_path):
    path = tmp_path / "m.png"
    write_mask(path, IDS)
    with pytest.raises(OutputError, match="already exists"):
        write_mask(path, IDS + 1)
    assert np.array_equal(read_mask(path), IDS)
    write_mask(path, IDS + 1, overwrite=True)
    assert np.array_equal(read_mask(path), IDS + 1)
    with pytest.raises(OutputError, match="never overwritten"):
        write_mask(path, IDS, overwrite=True, source=path)
    with pytest.raises(OutputError, match=r"written as \.png only"):
        write_mask(tmp_path / "m.jpg", IDS)
    assert [at.name for at in tmp_path.iterdir()] == ["m.png"]


@pytest.mark.parametrize("mask", [IDS.astype(int), IDS[0], np.dstack([IDS] * 3)])
def test_writing_takes_ids_only(tmp_path, mask):
    with pytest.raises(ValueError, match="uint8"):
        write_mask(tmp_path / "m.png", mask)
