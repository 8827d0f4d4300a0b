"""When two outputs are the same."""

import json

import numpy as np
import pytest

from cvtool.exporting.agreement import compare

EXPECTED = np.random.default_rng(0).normal(size=(8, 50)).astype(np.float32)
REACH = float(np.abs(EXPECTED).max())


def with_one_off(by):
    actual = EXPECTED.copy()
    actual[3, 7] += by * REACH
    return compare(EXPECTED, actual, pictures=8)


def test_equal_outputs_agree_in_every_precision():
    found = compare(EXPECTED, EXPECTED, pictures=8)
    assert (found.largest, found.noise, found.share) == (0, 0, 0)
    assert [found.problem(p) for p in ("float32", "float16", "int8")] == [None] * 3


@pytest.mark.parametrize(
    ("by", "wrong"),
    [(0.0005, []), (0.005, ["float32"]), (0.05, ["float32", "float16"])],
)
def test_one_number_that_is_off(by, wrong):
    found = with_one_off(by)
    assert found.share == pytest.approx(by, rel=0.01)
    refused = [p for p in ("float32", "float16", "int8") if found.problem(p)]
    assert refused == wrong


def test_int8_may_be_noisy_but_not_another_answer():
    noisy = EXPECTED + 0.1 * EXPECTED.std() * np.random.default_rng(1).normal(size=EXPECTED.shape)
    found = compare(EXPECTED, noisy, pictures=8)
    assert found.noise == pytest.approx(0.1, rel=0.15)
    assert found.problem("int8") is None and found.problem("float16")
    other = compare(EXPECTED, EXPECTED[::-1], pictures=8)
    assert "of the signal" in other.problem("int8")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_numbers_that_are_none(bad, precision):
    found = with_one_off(bad)
    assert "not finite" in found.problem(precision)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["largest_difference"] is None


def test_a_source_that_always_says_the_same():
    same, other = np.ones((2, 3)), np.full((2, 3), 1.5)
    assert compare(same, same, pictures=2).problem("int8") is None
    assert compare(same, other, pictures=2).problem("int8")
    assert compare(0 * same, other, pictures=2).problem("float32")
