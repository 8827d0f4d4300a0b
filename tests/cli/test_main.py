"""The application as a whole: start-up, help, quiet."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from colour_unet import colour_model, scene
from cvtool import __version__
from cvtool.cli.main import app
from cvtool.pictures.writing import write_picture

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [command.callback.__name__ for command in app.registered_commands]

# Prints the heavy modules that a command has loaded, after it has run.
LISTED = """
import sys
from cvtool.cli.main import main
sys.argv = ["cvtool", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    heavy = {"tensorflow", "keras", "numpy", "cv2", "PIL"}
    print("LOADED", end.code, sorted(heavy & set(sys.modules)))
"""


def loaded_after(*arguments, folder):
    result = subprocess.run(
        [sys.executable, "-c", LISTED, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    code, modules = re.search(r"LOADED (\S+) (.*)", result.stdout).groups()
    return code, modules, result


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["detect", "--help"],
        ["segment", "--help"],
        ["stylize", "--help"],
        ["finetune", "--help"],
        ["visualise", "--help"],
        ["export", "--help"],
        ["benchmark", "--help"],
        ["models", "list"],
    ],
)
def test_help_and_version_load_no_heavy_module(arguments, tmp_path):
    code, modules, _ = loaded_after(*arguments, folder=tmp_path)
    assert (code, modules) == ("0", "[]")


@pytest.mark.parametrize("command", ["detect", "classify"])
def test_on_a_cpu_no_tensorflow_is_loaded_and_nothing_said_on_stderr(photo, command):
    arguments = [command, photo, "--device", "cpu", "--score", "0"]
    code, modules, result = loaded_after(*arguments, folder=photo.parent)
    assert (code, modules) == ("0", "['PIL', 'cv2', 'numpy']")
    assert result.stderr == ""


def test_segmenting_on_a_cpu_loads_no_tensorflow_either(tmp_path):
    write_picture(tmp_path / "scene.png", scene()[0])
    arguments = ["segment", "scene.png", "--device", "cpu", "--model", colour_model()]
    more = ["--cutout", "--background", "blur", "--save-coco", "x.json", "--class-masks", "c"]
    code, modules, result = loaded_after(*arguments, *more, folder=tmp_path)
    assert (code, modules) == ("0", "['PIL', 'cv2', 'numpy']")
    assert result.stderr == ""


def test_tensorflow_is_imported_without_a_word():
    code = "from cvtool.tensorflow_import import import_tensorflow as i; print(i().__name__)"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert (result.stdout, result.stderr) == ("tensorflow\n", "")


def test_version(run):
    assert run("--version").stdout == f"cvtool {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_is_in_the_readme(run, command):
    result = run(command, "--help")
    assert result.exit_code == 0 and len(result.stdout.splitlines()) > 8
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| `cvtool {command}\b", readme, re.MULTILINE)


@pytest.mark.parametrize(
    "command",
    [
        *("detect", "classify", "segment", "stylize", "verify", "check", "convert", "finetune"),
        *("evaluate", "export", "benchmark", "visualise"),
    ],
)
def test_the_reference_names_every_option(run, command):
    text = (ROOT / "docs" / f"{command}.md").read_text(encoding="utf-8")
    options = set(re.findall(r"--[a-z][a-z-]+", run(command, "--help").stdout)) - {"--help"}
    assert len(options) > 5
    assert {option for option in options if option not in text} == set()


def test_no_arguments_give_the_help(run):
    result = run()
    assert all(command in result.output for command in COMMANDS)


def test_an_unknown_command_offers_the_nearest(run):
    result = run("detct")
    assert result.exit_code == 2 and "detect" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_kill_ends_a_command_as_ctrl_c_does(photo):
    Path(photo.parent, "many.txt").write_text("photo.jpg\n" * 2000)
    command = "cvtool detect many.txt --no-pictures --json --save-coco coco/boxes.json"
    process = subprocess.Popen(
        [sys.executable, "-m", *command.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=photo.parent,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    while not list(photo.parent.glob("coco/.*.part.json")):
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(2)
    process.terminate()
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 143 and "Traceback" not in stderr
    assert len(json.loads(stdout)) < 2000 and list(Path(photo.parent, "coco").iterdir()) == []


def test_a_reader_that_stops_early_is_no_error(photo):
    command = (
        f"{sys.executable} -m cvtool detect photo.jpg photo.jpg --jsonl --no-pictures | head -c 5"
    )
    result = subprocess.run(
        command,
        shell=True,
        capture_output=True,
        text=True,
        cwd=photo.parent,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert result.stdout == '{"pic' and "Traceback" not in result.stderr
