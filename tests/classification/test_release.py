"""Which layers train: checked on the variables that an optimiser would be given."""

import keras
import pytest

from cvtool.classification import networks
from cvtool.classification.release import backbone_of, coarsest_from, flat_layers, release
from cvtool.errors import CvtoolError

SMALL = {"network": "csp", "widths": [8, 8, 8, 16, 16], "depths": [1, 1, 1, 1]}


@pytest.fixture(scope="module")
def network():
    return networks.classifier(SMALL, 3)


def trained(network):
    """Names of the backbone's layers whose variables are trained, and that of the head's."""
    ids = {id(v) for v in network.trainable_variables}
    layers = flat_layers(backbone_of(network)) + [network.get_layer(networks.LOGITS)]
    return [layer.name for layer in layers if any(id(v) in ids for v in layer.variables)]


def test_head_leaves_the_last_layer_alone_to_train(network):
    assert release(network, "head", 32) == []
    assert trained(network) == ["logits"]
    assert len(network.trainable_variables) == 2


def test_last_is_the_coarsest_stage(network):
    released = release(network, "last", 32)
    assert released[0] == "stage4_down_conv"
    assert all(name.startswith("stage4") for name in released)
    assert len(released) == 6  # down, bypass, main, two of the unit, merge
    assert trained(network) == [*released, "logits"]


@pytest.mark.parametrize("side", [16, 96, 100])
def test_last_is_the_same_at_any_size(network, side):
    # At 16 pixels the last two stages' maps are both of 1 x 1.
    expected = "stage3_down_conv" if side == 16 else "stage4_down_conv"
    assert release(network, "last", side)[0] == expected


@pytest.mark.parametrize("norms", [False, True])
def test_all_is_every_convolution_and_if_wanted_batch_norm(network, norms):
    released = release(network, "all", 32, norms=norms)
    kinds = (keras.layers.Conv2D, keras.layers.BatchNormalization)[: 1 + norms]
    expected = [
        layer.name for layer in flat_layers(backbone_of(network)) if isinstance(layer, kinds)
    ]
    assert released == expected and released[0] == "stem_conv"
    assert ("stem_bn" in released) == norms
    assert trained(network) == [*expected, "logits"]


@pytest.mark.parametrize("unfreeze", ["head", "last", "all", "stage2_down_bn"])
def test_batch_norm_is_frozen_whatever_else_is_released(network, unfreeze):
    release(network, unfreeze, 32)
    norms = [
        layer
        for layer in flat_layers(backbone_of(network))
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert len(norms) > 10
    assert not any(layer.trainable or layer.trainable_variables for layer in norms)


def test_a_named_layer_is_the_first_to_be_released(network):
    released = release(network, "stage3_merge_conv", 32)
    assert released[0] == "stage3_merge_conv"
    assert all(name.startswith("stage4") for name in released[1:]) and len(released) == 7


def test_more_can_be_released_later_and_less_again(network):
    assert len(release(network, "all", 32)) > len(release(network, "last", 32)) > 0
    assert release(network, "head", 32) == []
    assert release(network, "all", 32)[0] == "stem_conv"


def test_an_unknown_layer_is_one_line_that_says_what_to_write(network):
    with pytest.raises(CvtoolError) as error:
        release(network, "stage9", 32)
    assert str(error.value).startswith('--unfreeze: unknown layer "stage9"')
    assert "head, last, all" in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(CvtoolError, match="did you mean last"):
        release(network, "lst", 32)


def test_a_network_from_scratch_trains_whole():
    network = networks.classifier({"network": "lenet5", "scratch": True, "size": 32}, 3)
    assert backbone_of(network) is None
    assert release(network, "head", 32) == ["c1", "c3", "c5", "f6", "logits"]


@pytest.mark.parametrize(
    ("name", "first", "first_trained"),
    [
        ("resnet50", "conv5_block1_1_conv", "conv5_block1_1_conv"),
        ("vgg16", "block4_pool", "block5_conv1"),
        ("efficientnetv2b0", "block6a_dwconv2", "block6a_dwconv2"),
    ],
)
def test_the_last_stage_of_public_networks(name, first, first_trained):
    network = networks.classifier({"network": name}, 2)
    backbone = backbone_of(network)
    layers = flat_layers(backbone)
    assert layers[coarsest_from(layers, backbone, 224)].name == first
    assert release(network, "last", 224)[0] == first_trained
    # What turns RGB into what the network was trained on is no weight to learn.
    assert "caffe" not in release(network, "all", 224)
    assert "caffe" not in trained(network)
    assert not any("_bn" in layer for layer in trained(network))
