"""The models are found in each way to have cvtool: checkout, editable install, wheel."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cvtool.errors import ModelError
from cvtool.models import presets

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# Runs the model, so that a file that is missing from the layout is noticed.
FIRST_USE = """
import numpy as np
from cvtool import Detector
from cvtool.models.presets import load_presets, pretrained_folder, verify
Detector.load("everyday", device="cpu")(np.zeros((40, 40, 3), np.uint8))
print(pretrained_folder(), sum((verify(preset) for preset in load_presets().values()), []))
"""


def first_use(path):
    return subprocess.run(
        [sys.executable, "-c", FIRST_USE],
        capture_output=True,
        text=True,
        cwd=path,
        env=os.environ | {"PYTHONPATH": str(path)},
    )


def test_a_wheel_carries_the_models_inside_the_package(tmp_path):
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    ignored = shutil.ignore_patterns("__pycache__")
    for package in wheel["packages"]:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    for source, target in wheel["force-include"].items():
        shutil.copytree(ROOT / source, tmp_path / target, ignore=ignored)
    result = first_use(tmp_path)
    assert result.stdout == f"{tmp_path / 'cvtool' / '_pretrained'} []\n", result.stderr
    assert result.stderr == ""


def test_a_checkout_reads_them_in_place():
    result = first_use(ROOT)
    assert result.stdout == f"{ROOT / 'pretrained'} []\n", result.stderr


def test_a_package_without_models_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(presets, "__file__", str(tmp_path / "cvtool" / "models" / "presets.py"))
    assert presets.pretrained_folder() == tmp_path / "pretrained"
    with pytest.raises(ModelError, match="presets.json: missing.*install cvtool again"):
        presets.load_presets()


def test_the_version_is_the_same_everywhere():
    from cvtool import __version__

    assert PROJECT["project"]["version"] == __version__


def test_the_typing_marker_and_the_command_are_there():
    assert (ROOT / "cvtool" / "py.typed").is_file()
    assert PROJECT["project"]["scripts"] == {"cvtool": "cvtool.cli.main:main"}
