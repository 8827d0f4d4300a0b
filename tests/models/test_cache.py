from pathlib import Path

import pytest

from cvtool.models.cache import cache_folder, cache_problem


def test_the_environment_names_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("CVTOOL_CACHE", str(tmp_path / "kept"))
    assert cache_folder() == tmp_path / "kept"
    assert cache_problem() is None
    assert not (tmp_path / "kept").exists()


def test_without_it_the_users_own_folder_serves(monkeypatch):
    monkeypatch.delenv("CVTOOL_CACHE", raising=False)
    assert cache_folder().is_absolute()
    assert "cvtool" in cache_folder().parts


def test_a_home_is_spelled_out(monkeypatch):
    monkeypatch.setenv("CVTOOL_CACHE", "~/kept")
    assert cache_folder() == Path.home() / "kept"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that takes no file")
def test_a_place_that_takes_no_file_is_a_problem(monkeypatch):
    monkeypatch.setenv("CVTOOL_CACHE", "/proc/below")
    problem = cache_problem()
    assert problem.startswith("/proc/below: cannot be written") and "CVTOOL_CACHE" in problem


def test_a_file_in_the_way_is_a_problem(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CVTOOL_CACHE", str(tmp_path / "file" / "below"))
    assert "below: cannot be written (Not a directory)" in cache_problem()
