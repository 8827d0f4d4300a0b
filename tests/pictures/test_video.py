"""Videos in and out."""

from pathlib import Path

import numpy as np
import pytest

from cvtool.errors import OutputError, PictureError
from cvtool.pictures.sources import count_pictures, read_pictures
from cvtool.pictures.video import VideoWriter
from cvtool.pictures.writing import write_picture


def frames(count=10, height=48, width=64):
    """Frames that grow brighter by ten."""
    return [np.full((height, width, 3), min(20 + 10 * n, 255), np.uint8) for n in range(count)]


def write(path, pictures, fps=8):
    with VideoWriter(path, fps) as writer:
        for pixels in pictures:
            writer.write(pixels)
    return path


@pytest.mark.parametrize("every", [1, 3])
def test_frames_come_back_with_their_numbers_and_times(tmp_path, every):
    path = write(tmp_path / "a b.mp4", frames())
    found = list(read_pictures([path], every=every))
    assert [p.frame for p in found] == list(range(0, 10, every))
    assert [p.time for p in found] == pytest.approx([p.frame / 8 for p in found], abs=0.01)
    for picture in found:
        assert picture.pixels.mean() == pytest.approx(20 + 10 * picture.frame, abs=4)
        assert picture.fps == pytest.approx(8) and picture.frames == 10
        assert picture.relative.name == "a b.mp4"
    assert count_pictures([path], every=every) == len(found)


@pytest.mark.parametrize("named", [".", "*"])
def test_a_folder_gives_its_videos_too(tmp_path, monkeypatch, named):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    write("sub/b.mp4", frames(2))
    write_picture("sub/a.png", frames(1)[0])
    found = [(Path(p.name).name, p.relative.as_posix(), p.frame) for p in read_pictures([named])]
    assert found == [("a.png", "sub/a.png", None), *(("b.mp4", "sub/b.mp4", n) for n in (0, 1))]
    assert count_pictures([named]) == 3


def test_colours_keep_their_order(tmp_path):
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 220
    (first, *_) = read_pictures([write(tmp_path / "red.mp4", [red] * 3)])
    assert first.pixels[..., 0].mean() > 190 and first.pixels[..., 2].mean() < 30


def test_odd_sizes_are_extended_by_a_pixel(tmp_path):
    path = write(tmp_path / "odd.mp4", frames(3, 33, 47))
    assert next(read_pictures([path])).pixels.shape == (34, 48, 3)


def test_frames_of_another_size_are_refused(tmp_path):
    with (
        pytest.raises(ValueError, match="began with another"),
        VideoWriter(tmp_path / "a.mp4", 5) as writer,
    ):
        writer.write(frames(1)[0])
        writer.write(frames(1, 20, 20)[0])
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_nothing_behind_and_an_old_file_alone(tmp_path):
    path = tmp_path / "a.mp4"
    with pytest.raises(RuntimeError), VideoWriter(path, 5) as writer:
        writer.write(frames(1)[0])
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    path.write_text("precious")
    with pytest.raises(OutputError, match="already exists"):
        write(path, frames(2))
    assert path.read_text() == "precious"


def test_a_video_without_frames_is_an_error_and_no_file(tmp_path):
    with pytest.raises(OutputError, match="no frame"):
        write(tmp_path / "a.mp4", [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"hello, this is text"])
def test_a_corrupt_video_is_named(tmp_path, content, capfd):
    path = tmp_path / "bad.mp4"
    path.write_bytes(content)
    with pytest.raises(PictureError, match="bad.mp4"):
        list(read_pictures([path]))
    assert capfd.readouterr().err == ""


def test_a_video_cut_off_gives_an_error_not_a_hang(tmp_path):
    path = write(tmp_path / "a.mp4", frames(40))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(PictureError, match="a.mp4"):
        list(read_pictures([path]))
