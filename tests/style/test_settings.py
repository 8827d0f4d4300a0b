"""What can be chosen about a style transfer."""

import math

import pytest

from cvtool.errors import OptionError
from cvtool.style.settings import PRESETS, StyleSettings


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"network": "alexnet"}, 'network: "alexnet" is not one of vgg-small, vgg16, vgg19'),
        ({"optimizer": "sgd"}, 'optimizer: "sgd" is not one of lbfgs, adam'),
        ({"keep_colours": "some"}, "keep colours"),
        ({"init": "white"}, "init"),
        ({"size": 8}, "size: 8 is not between 32 and 8192"),
        ({"iterations": 0}, "iterations: 0"),
        ({"content_weight": -1}, "content weight: -1"),
        ({"content_weight": math.nan}, "content weight: nan"),
        ({"style_weight": 0}, "0 leaves no style"),
        ({"tv_weight": math.inf}, "tv weight: inf"),
        ({"style_scale": 0}, "style scale"),
        ({"style_blend": (0.5, -0.5)}, "style blend: -0.5"),
        ({"style_blend": (0.0, 0.0)}, "all weights are 0"),
    ],
)
def test_values_that_make_no_sense_are_named(wrong, said):
    with pytest.raises(OptionError, match=said):
        StyleSettings(**wrong)


def test_a_blend_is_scaled_to_one():
    assert StyleSettings(style_blend=(3, 1)).blend(2) == [0.75, 0.25]
    assert StyleSettings().blend(4) == [0.25] * 4
    with pytest.raises(OptionError, match="2 weights for 3 styles"):
        StyleSettings(style_blend=(3, 1)).blend(3)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_setting(name):
    assert StyleSettings(**PRESETS[name]).to_dict()["network"] == "vgg-small"
