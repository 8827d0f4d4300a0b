"""What the recipes share: how the stages of a training are read."""

import argparse

import pytest

from recipe_runs import recipe_module


@pytest.fixture(scope="module")
def running():
    return recipe_module("running")


@pytest.fixture(scope="module")
def read(running):
    number = running.number
    fields = (number(int, 32, multiple_of=32), number(int, 1), number(float, 0, 1))
    return running.stages_argument("SIZE:EPOCHS[:SHARE]", fields, ("0.5",))


def test_stages_are_read_and_the_last_fields_may_be_left_out(read):
    assert read("64:4:0,320:8") == [(64, 4, 0.0), (320, 8, 0.5)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "'' has 1 of 2 to 3 values"),
        ("192", "'192' has 1 of 2 to 3 values"),
        ("192:4:0.5:0", "has 4 of 2 to 3 values"),
        ("192:4,", "'' has 1 of 2 to 3 values"),
        ("192:4.5", "'4.5'"),
        ("a:4", "'a'"),
        ("100:4", "100 is no multiple of 32"),
        ("0:4", "0 is not from 32 to inf"),
        ("192:0", "0 is not from 1 to inf"),
        ("192:4:35", "35 is not from 0 to 1"),
        ("192:4:nan", "nan is not from 0 to 1"),
    ],
)
def test_malformed_stages_are_one_line(read, text, why):
    with pytest.raises(argparse.ArgumentTypeError) as raised:
        read(text)
    message = str(raised.value)
    assert message.startswith(f"{text!r} is not SIZE:EPOCHS[:SHARE],... (")
    assert why in message and "\n" not in message


def test_values_without_an_upper_end_are_finite(running):
    with pytest.raises(ValueError, match="inf is not from 0 to inf"):
        running.number(float, 0)("inf")
