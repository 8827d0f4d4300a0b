"""What the recipes share: how the stages of a training are read."""

import argparse
import sys
from unittest.mock import patch

import pytest

from recipe_runs import RECIPES


@pytest.fixture(scope="module")
def running():
    with patch.object(sys, "path", [str(RECIPES), *sys.path]):
        import running
    return running


def test_stages_are_read_and_the_last_fields_may_be_left_out(running):
    read = running.stages_argument("A:B:C[:D]", (int, int, float, float), (0.5,))
    assert read("48:4:0.4:1,64:8:0.2") == [(48, 4, 0.4, 1.0), (64, 8, 0.2, 0.5)]


@pytest.mark.parametrize(
    "text", ["", "192", "192:4", "192:4:0.5:0:1", "192:4.5:1", "a:4:1", "1:1:1,"]
)
def test_malformed_stages_are_one_line(running, text):
    read = running.stages_argument("A:B:C[:D]", (int, int, float, float), (0.5,))
    with pytest.raises(argparse.ArgumentTypeError, match="is not A:B:C"):
        read(text)
