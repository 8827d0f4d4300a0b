"""Which layers can be looked into, and which are by default."""

import keras
import pytest
from keras import layers

from cvtool.backbones import csp_backbone
from cvtool.detection.yolo import yolo
from cvtool.errors import ModelError, OptionError
from cvtool.segmentation.unet import unet
from cvtool.style.vgg_small import vgg_small
from cvtool.visualising.layers import choose_layers, find_layers, listed, spread


def names(chosen):
    return [layer.name for layer in chosen]


def backbone_in_a_network():
    pixels = keras.Input((None, None, 3))
    x = csp_backbone(widths=(4, 4, 4, 4, 4), depths=(1, 1, 1, 1))(pixels)[-1]
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(3, name="logits")(x)
    return keras.Model(pixels, layers.Activation("softmax", name="probabilities")(x))


def test_the_default_is_the_last_activation_of_each_stage():
    stages = ["csp/stem_relu"] + [f"csp/stage{n}_merge_relu" for n in (1, 2, 3, 4)]
    assert names(spread(find_layers(backbone_in_a_network(), 64))) == stages
    vgg = find_layers(vgg_small(widths=(4,) * 5), 64)
    assert names(spread(vgg)) == [f"block{n}_conv{c}" for n, c in enumerate((2, 2, 3, 3, 2), 1)]


def test_what_goes_up_again_is_left_out_by_default():
    found = find_layers(unet(2, base=2, depth=2), 32)
    assert names(spread(found)) == ["down0_2_relu", "down1_2_relu", "bottom_2_relu"]
    detector = spread(find_layers(yolo(2, widths=(4,) * 5, depths=(1,) * 4, neck=4), 64))
    assert [layer.shape[0] for layer in detector] == [32, 16, 8, 4, 2]


def test_a_layer_is_looked_at_after_its_normalisation_and_relu():
    found = find_layers(backbone_in_a_network(), 64)
    chosen = choose_layers(found, ["csp/stage1_down_conv", "stage1_down_bn", "stage1_down_relu"])
    assert names(chosen) == ["csp/stage1_down_relu"]
    # A softmax compares units, so the logits stay as they are.
    assert names(choose_layers(found, ["logits"])) == ["logits"]
    assert found["logits"].last and found["probabilities"].last and not found["pool"].last
    assert found["logits"].units == 3 and found["logits"].field.size == (64, 64)
    assert "csp/stem_conv" not in names(listed(found))


def test_an_unknown_layer_is_told_with_the_names():
    found = find_layers(vgg_small(widths=(4,) * 5), 32)
    with pytest.raises(OptionError, match=r'"x"; choose from block1_conv1, .*, block5_conv2$'):
        choose_layers(found, ["x"])
    with pytest.raises(OptionError, match="did you mean block3_conv2 or .*--list-layers"):
        choose_layers(found, ["block3_cnv2"])


def test_sizes_that_do_not_fit():
    x = pixels = keras.Input((None, None, 3))
    x = layers.Conv2DTranspose(3, 2, 2)(layers.MaxPooling2D(2)(x))
    network = keras.Model(pixels, layers.Concatenate(name="join")([x, pixels]))
    find_layers(network, 16)
    with pytest.raises(ModelError, match="fit pictures of 17 pixels .join: .*multiple of 32"):
        find_layers(network, 17)
    with pytest.raises(ModelError, match="64 x 64 pixels only, not of 32"):
        find_layers(unet(2, base=2, depth=1, size=64), 32)
    with pytest.raises(ModelError, match="does not look at pictures"):
        find_layers(keras.Sequential([keras.Input((8,)), layers.Dense(2)]), 32)
