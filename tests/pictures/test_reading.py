import struct
import subprocess
import sys
import threading
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms, features

from cvtool.errors import PictureError
from cvtool.pictures.colour import scale_to_bytes
from cvtool.pictures.reading import read_picture


@pytest.fixture
def photo():
    """A smooth RGB picture whose corners and channels all differ: (40, 60, 3)."""
    y, x = np.mgrid[0:40, 0:60]
    return np.stack([x * 4, y * 6, 255 - x * 2 - y], axis=-1).astype(np.uint8)


def encode(image, file_format, **options):
    buffer = BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def png_header(width, height):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_give_the_very_pixels(photo, tmp_path, file_format):
    path = tmp_path / "picture.any"
    Image.fromarray(photo).save(path, file_format)
    pixels = read_picture(path)
    assert pixels.dtype == np.uint8 and pixels.flags.writeable
    np.testing.assert_array_equal(pixels, photo)


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP", "AVIF", "JPEG2000"])
def test_lossy_formats_give_nearly_the_pixels(photo, file_format):
    assert file_format != "AVIF" or features.check("avif"), "this Pillow has no AVIF"
    options = {} if file_format == "JPEG2000" else {"quality": 95}
    pixels = read_picture(encode(Image.fromarray(photo), file_format, **options))
    assert pixels.shape == photo.shape
    # In RGB order: swapped channels would be off by a hundred.
    assert np.abs(pixels.astype(int) - photo).mean() < 4


@pytest.mark.parametrize("file_format", ["GIF", "WEBP"])
def test_an_animation_gives_its_first_frame(file_format):
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("#ff0000", "#00ff00")]
    data = encode(frames[0], file_format, save_all=True, append_images=frames[1:], duration=50)
    red, green, _ = read_picture(data)[3, 4]
    assert red > 240 and green < 15


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "TIFF", "PNG", "WEBP"])
def test_exif_orientation_is_applied(photo, orientation, file_format):
    # The definition in EXIF 2.3: where the stored row 0 and column 0 are to be shown.
    upright = {
        1: photo,
        2: photo[:, ::-1],
        3: photo[::-1, ::-1],
        4: photo[::-1],
        5: photo.transpose(1, 0, 2),
        6: photo.transpose(1, 0, 2)[:, ::-1],
        7: photo.transpose(1, 0, 2)[::-1, ::-1],
        8: photo.transpose(1, 0, 2)[::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if file_format == "WEBP" else {}
    options = {"quality": 98} if file_format == "JPEG" else options
    pixels = read_picture(encode(Image.fromarray(photo), file_format, exif=exif, **options))
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_agrees_with_opencv(photo, tmp_path, orientation):
    import cv2

    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.jpg"
    Image.fromarray(photo).save(path, exif=exif, quality=95)
    theirs = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    ours = read_picture(path)
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs).max() <= 4


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_broken_exif_does_not_hide_the_picture(photo):
    data = encode(Image.fromarray(photo), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    assert read_picture(data).shape == photo.shape


def test_grey_palette_and_bilevel_become_rgb(photo):
    grey = Image.fromarray(photo[..., 0])
    pixels = read_picture(encode(grey, "PNG"))
    np.testing.assert_array_equal(pixels, np.repeat(photo[..., :1], 3, axis=-1))
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 10, 200, 30])
    assert tuple(read_picture(encode(palette, "PNG"))[0, 0]) == (10, 200, 30)
    bilevel = Image.new("1", (4, 4), 1)
    assert tuple(read_picture(encode(bilevel, "PNG"))[0, 0]) == (255, 255, 255)


@pytest.mark.parametrize(
    ("mode", "colour", "shown"),
    [
        ("RGBA", (200, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (200, 0, 0, 255), (200, 0, 0)),
        ("RGBA", (200, 0, 0, 128), (227, 127, 127)),
        ("LA", (0, 0), (255, 255, 255)),
        ("LA", (100, 255), (100, 100, 100)),
    ],
)
def test_transparency_lies_over_white(mode, colour, shown):
    pixels = read_picture(encode(Image.new(mode, (3, 2), colour), "PNG"))
    np.testing.assert_allclose(pixels[0, 0], shown, atol=1)


def test_transparent_palette_entry_lies_over_white():
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 10, 200, 30])
    for file_format in ("PNG", "GIF"):
        data = encode(palette, file_format, transparency=1)
        assert tuple(read_picture(data)[0, 0]) == (255, 255, 255)
    keyed = encode(Image.new("RGB", (4, 4), (9, 8, 7)), "PNG", transparency=(9, 8, 7))
    assert tuple(read_picture(keyed)[0, 0]) == (255, 255, 255)


def test_cmyk_becomes_rgb():
    for file_format in ("JPEG", "TIFF"):
        data = encode(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), file_format)
        red, green, blue = read_picture(data)[8, 8]
        assert red < 60 and green > 120 and blue > 180  # cyan


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_clipped(file_format):
    values = np.array([[0, 257, 32768, 65535]], dtype=np.uint16)
    assert (scale_to_bytes(values.astype(">u2")) == scale_to_bytes(values)).all()
    assert scale_to_bytes(np.array([199], dtype=">u2")) == 1
    pixels = read_picture(encode(Image.fromarray(values), file_format))
    assert pixels[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("kind", [".png", ".tiff"])
def test_sixteen_bit_colour_is_scaled(tmp_path, kind):
    import cv2

    values = np.array([[[0, 32768, 65535], [65535, 1000, 20000]]], dtype=np.uint16)
    (tmp_path / f"deep{kind}").write_bytes(cv2.imencode(kind, values[..., ::-1])[1].tobytes())
    pixels = read_picture(tmp_path / f"deep{kind}")
    np.testing.assert_allclose(pixels, values / 257, atol=1)


def test_float_tiff_is_read_by_its_range():
    for values in ([0.0, 0.5, 1.0], [0.0, 32767.5, 65535.0], [-1.0, 0.0, 1.0], [0, 127.5, 255]):
        image = Image.fromarray(np.array([values], dtype=np.float32))
        assert read_picture(encode(image, "TIFF"))[0, :, 0].tolist() == [0, 128, 255]


def test_scaling_survives_nan_infinity_and_constant_values():
    odd = np.array([np.nan, np.inf, 1.0])
    assert scale_to_bytes(odd).tolist() == [0, 0, 255]
    assert scale_to_bytes(np.full(3, -5.0)).tolist() == [0, 0, 0]
    assert scale_to_bytes(np.array([0, 40000, 70000], dtype=np.int32)).tolist() == [0, 146, 255]


def display_p3():
    """A matrix profile like Apple's Display P3, made by hand: red of sRGB lies inside it."""

    def xyz(x, y, z):
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in (x, y, z)))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"Wide\0" + bytes(78)
    tags = {
        b"desc": text + bytes(-len(text) % 4),
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.5151, 0.2412, -0.0011),
        b"gXYZ": xyz(0.2920, 0.6922, 0.0419),
        b"bXYZ": xyz(0.1571, 0.0666, 0.7841),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data
    head = struct.pack(
        ">I4sI4s4s4s", start + len(body), b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ "
    )
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head + bytes(128 - len(head)) + table + body


def test_icc_profile_is_converted_to_srgb():
    profile = display_p3()
    plain = Image.new("RGB", (4, 4), (200, 100, 100))
    pixels = read_picture(encode(plain, "PNG", icc_profile=profile))
    # A colour in the wide space is more vivid than its numbers say in sRGB.
    red, green, blue = (int(v) for v in pixels[0, 0])
    assert 205 <= red <= 222 and green <= 98 and blue <= 100
    neutral = read_picture(encode(Image.new("RGB", (4, 4), (128,) * 3), "PNG", icc_profile=profile))
    assert np.ptp(neutral[0, 0].astype(int)) <= 2
    with_alpha = Image.new("RGBA", (4, 4), (200, 100, 100, 255))
    np.testing.assert_array_equal(
        read_picture(encode(with_alpha, "PNG", icc_profile=profile)), pixels
    )


def test_srgb_foreign_and_broken_profiles_change_nothing(photo):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"no profile at all", display_p3()[:150]):
        data = encode(Image.fromarray(photo), "PNG", icc_profile=profile)
        np.testing.assert_array_equal(read_picture(data), photo)


def test_one_pixel(tmp_path):
    Image.new("RGB", (1, 1), (1, 2, 3)).save(tmp_path / "dot.png")
    assert read_picture(tmp_path / "dot.png").tolist() == [[[1, 2, 3]]]


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path):
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(png_header(20_000, 20_000))
    with pytest.raises(PictureError, match=r"bomb.png: 20000 x 20000 .* 400 megapixels.* 100"):
        read_picture(bomb)


def test_the_pixel_limit_can_be_moved(tmp_path):
    wide = tmp_path / "wide.png"
    Image.new("1", (1000, 10)).save(wide)
    assert read_picture(wide, max_pixels=10_000).shape == (10, 1000, 3)
    with pytest.raises(PictureError, match="limit"):
        read_picture(wide, max_pixels=9_999)


def test_a_raised_limit_passes_pillows_own_and_leaves_it_alone(tmp_path):
    before = Image.MAX_IMAGE_PIXELS
    path = tmp_path / "large.png"
    path.write_bytes(png_header(20_000, 20_000))
    # Past the size check and into the decoder, where the few rows there are run out.
    with pytest.raises(PictureError, match="cut off|damaged"):
        read_picture(path, max_pixels=500_000_000)
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
def test_truncated_files_raise_and_name_the_file(tmp_path, file_format):
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), file_format)
    path = tmp_path / "half.jpg"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(PictureError, match="half.jpg: ") as caught:
        read_picture(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cut", [3, 10, 30, 60, 100])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_files_cut_in_the_header_raise_picture_errors_only(photo, file_format, cut):
    with pytest.raises(PictureError):
        read_picture(encode(Image.fromarray(photo), file_format)[:cut], name="cut")


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_flipped_bytes_never_raise_anything_else(photo):
    rng = np.random.default_rng(5)
    for file_format in ("JPEG", "PNG", "TIFF", "GIF", "BMP", "WEBP"):
        data = encode(Image.fromarray(photo), file_format)
        for _ in range(40):
            broken = bytearray(data)
            for place in rng.integers(0, min(len(data), 400), 4):
                broken[place] = rng.integers(0, 256)
            try:
                pixels = read_picture(bytes(broken), max_pixels=1_000_000)
            except PictureError:
                continue
            assert pixels.dtype == np.uint8 and pixels.ndim == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"just some words\n", "holds text"),
        ("Grüße aus Köln".encode(), "holds text"),
        (b"<!DOCTYPE html><html><body>hi</body></html>", "web page"),
        (b'<?xml version="1.0"?><svg xmlns="x"></svg>', "SVG"),
        (b"%PDF-1.7 ...", "PDF"),
        (b'{"a": 1}', "JSON"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1", "HEIC"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isom", "video"),
        (b"PK\x03\x04....", "ZIP"),
        (bytes(range(128, 256)), "not a picture"),
        (b"\xff\xd8\xff\xe0 nonsense", "damaged"),
    ],
)
def test_what_is_no_picture_is_named(tmp_path, content, said):
    path = tmp_path / "holiday.jpg"
    path.write_bytes(content)
    with pytest.raises(PictureError, match=f"holiday.jpg: .*{said}") as caught:
        read_picture(path)
    assert "\n" not in str(caught.value)


def test_missing_folder_and_device(tmp_path):
    with pytest.raises(PictureError, match="absent.jpg: no such file"):
        read_picture(tmp_path / "absent.jpg")
    with pytest.raises(PictureError, match="a folder"):
        read_picture(tmp_path)
    with pytest.raises(PictureError, match="no such file|cannot be opened"):
        read_picture("a\0b.jpg")


def test_no_permission(tmp_path, monkeypatch):
    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(PictureError, match="no permission"):
        read_picture(tmp_path / "secret.jpg")


def test_names_with_blanks_and_letters_of_all_kinds(photo, tmp_path):
    path = tmp_path / "Müllers Café 写真 #1 100%.png"
    Image.fromarray(photo).save(path)
    np.testing.assert_array_equal(read_picture(str(path)), photo)


def test_reading_in_many_threads_gives_the_same(photo):
    data = encode(Image.fromarray(photo), "PNG", icc_profile=display_p3())
    expected, results = read_picture(data), []
    threads = [
        threading.Thread(target=lambda: results.extend(read_picture(data) for _ in range(10)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 60
    assert all(np.array_equal(pixels, expected) for pixels in results)


def test_reading_needs_neither_opencv_nor_tensorflow():
    program = (
        "import sys, cvtool.pictures.sources, cvtool.pictures.drawing, cvtool.pictures.writing\n"
        "print([m for m in ('cv2', 'tensorflow', 'keras', 'requests') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
