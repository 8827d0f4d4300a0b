import pytest
import skimage.data
from typer.testing import CliRunner

from cvtool.cli.main import app
from cvtool.pictures.writing import write_picture


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command in an empty folder; gives the result with exit_code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, stdin=None):
        return CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)

    return run


@pytest.fixture
def photo(tmp_path):
    return write_photo(tmp_path / "photo.jpg")


def write_photo(path):
    write_picture(path, skimage.data.astronaut()[:256])
    return path
