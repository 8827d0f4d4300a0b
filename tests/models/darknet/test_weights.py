"""Weights files: both versions, every byte used, and others refused."""

import numpy as np
import pytest

from cvtool.errors import ModelError
from cvtool.models.darknet.configuration import parse_configuration
from cvtool.models.darknet.plan import plan_network
from cvtool.models.darknet.weights import read_weights
from tiny_darknet import conv, net, random_numbers, weights_bytes, yolo

PLAN = plan_network(
    parse_configuration(net() + conv(4, stride=8) + conv(4, more="groups=2") + yolo(), "some.cfg")
)
NUMBERS = random_numbers(PLAN)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.weights"


@pytest.mark.parametrize("version", [(0, 1, 0), (0, 2, 0), (0, 2, 5)])
def test_both_versions_give_every_number_once(path, version):
    path.write_bytes(weights_bytes(NUMBERS, version))
    arrays = [array for values in read_weights(path, PLAN).values() for array in values]
    found = np.sort(np.concatenate([array.ravel() for array in arrays]))
    assert (found == np.sort(NUMBERS)).all() and arrays[0].dtype == np.float32
    assert arrays[0].shape == (3, 3, 3, 4)


@pytest.mark.parametrize("more", [-4, -1, 1, 4, 4000])
def test_a_file_that_is_shorter_or_longer_is_refused_with_both_sizes(path, more):
    content = weights_bytes(NUMBERS)
    path.write_bytes(content[:more] if more < 0 else content + bytes(more))
    expected = rf"some.weights: {len(content) + more} bytes, but some.cfg needs {len(content)};"
    with pytest.raises(ModelError, match=expected):
        read_weights(path, PLAN)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes are too few"),
        (b"[net]\nwidth=64\n", "not Darknet weights of version"),
        (weights_bytes(NUMBERS, (0, 3, 0)), r"\(its first numbers are 0 and 3\)"),
        (weights_bytes(NUMBERS, (1001, 2, 0)), "not Darknet weights of version"),
        (weights_bytes(NUMBERS * np.nan), "numbers that cannot be weights"),
        (weights_bytes(-np.abs(NUMBERS)), "cannot be weights .in convolutional_0_bn."),
    ],
)
def test_other_files_are_refused(path, content, message):
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        read_weights(path, PLAN)


def test_a_missing_file_is_named(path):
    with pytest.raises(ModelError, match="some.weights: cannot be read"):
        read_weights(path, PLAN)
