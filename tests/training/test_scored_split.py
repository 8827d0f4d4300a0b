"""Which split's figures a finished training is known by."""

from pathlib import Path

import pytest

from cvtool.errors import DatasetError
from cvtool.training.scored_split import scored_split


def test_test_comes_before_dev():
    assert scored_split({"train": 1, "dev": 2, "test": 3}, Path("run")) == "test"
    assert scored_split({"train": 1, "dev": 2}, Path("run")) == "dev"


def test_a_run_whose_pictures_have_gone_can_be_finished_once_they_are_back():
    with pytest.raises(DatasetError, match="put them back, and go on with: .* --resume run$"):
        scored_split({"train": 1}, Path("run"))
