"""Every kind of layer gives what OpenCV makes of the same files."""

import numpy as np
import pytest

from cvtool.models.darknet.network import build_network
from cvtool.models.darknet.weights import read_weights, set_weights
from tiny_darknet import OpenCV, conv, net, noise, region, section, write_darknet, yolo

STEM = conv(8, stride=2)
BLOCKS = {
    "stride 2": conv(8, stride=2),
    "no padding": conv(8).replace("pad=1", "pad=0") + conv(8).replace("pad=1", "padding=2"),
    "padding=": conv(8, 5, 2).replace("pad=1", "padding=1") + conv(8, 2),
    "pad of an even kernel": conv(8, 4) + conv(8, 2).replace("pad=1", "padding=0"),
    "1 x 1 with pad": conv(12, 1),
    "maxpool of an odd side": conv(8, 2).replace("pad=1", "padding=0")
    + section("maxpool", size=2, stride=2),
    "no batch normalisation": conv(8, normalise=0),
    "depthwise": conv(8, more="groups=8") + conv(8, 5, 2, more="groups=8"),
    "depthwise, twice the channels": conv(16, more="groups=8"),
    "groups": conv(12, more="groups=4") + conv(12, 3, 2, more="groups=2"),
    "maxpool": section("maxpool", size=2, stride=2),
    "maxpool of stride 1": section("maxpool", size=2, stride=1),
    "maxpool of 3": section("maxpool", size=3, stride=2),
    "maxpool of 5, stride 1": section("maxpool", size=5, stride=1),
    "maxpool without padding": section("maxpool", size=3, stride=1, padding=0)
    + conv(8).replace("pad=1", "padding=2"),
    "avgpool": section("avgpool")
    + section("upsample", stride=32)
    + section("route", layers="0,-1"),
    "upsample": conv(8, stride=2) + section("upsample", stride=2) + section("route", layers="-1,0"),
    "upsample by 4": conv(8, stride=4) + section("upsample", stride=4),
    "route back": conv(8, stride=2) + section("route", layers=0),
    "groups of a route": section("route", layers="-1", groups=2, group_id=1),
    "dropout": section("dropout", probability=0.5) + conv(8),
    "shortcut": conv(8) + conv(8) + section("shortcut", **{"from": -3, "activation": "linear"}),
    "activated shortcut": conv(8) + section("shortcut", **{"from": -2, "activation": "leaky"}),
    "shortcut from more channels": conv(4) + section("shortcut", **{"from": 0}),
    "shortcut from fewer channels": conv(12) + section("shortcut", **{"from": 0}),
    "reorg": section("reorg", stride=2),
} | {
    f"activation {name}": conv(8, activation=name)
    for name in ("linear", "leaky", "relu", "logistic", "swish", "mish")
}

SPP = "".join(
    section("maxpool", stride=1, size=size) + section("route", layers=back)
    for size, back in ((5, -2), (9, -4))
)
WHOLE = {
    "YOLOv2": STEM
    + conv(8)
    + section("maxpool", size=2, stride=2)
    + conv(8)
    + section("maxpool", size=2, stride=2)
    + conv(16)
    + section("route", layers=3)
    + conv(4, 1)
    + section("reorg", stride=2)
    + section("route", layers="-1,-4")
    + conv(16)
    + region(),
    "YOLOv3-tiny": STEM
    + section("maxpool", size=2, stride=2)
    + conv(8)
    + section("maxpool", size=2, stride=2)
    + conv(16)
    + section("maxpool", size=2, stride=1)
    + yolo("4,5, 8,9, 20,16, 30,40, 60,50", "2,3,4")
    + section("route", layers="-4")
    + conv(8, 1)
    + section("upsample", stride=2)
    + section("route", layers="-1, 2")
    + yolo("4,5, 8,9, 20,16, 30,40, 60,50", "0,1"),
    "YOLOv4": STEM
    + conv(8, stride=2, activation="mish")
    + section("route", layers="-1", groups=2, group_id=1)
    + conv(8, activation="mish")
    + section("route", layers="-1,1")
    + SPP
    + section("maxpool", stride=1, size=13)
    + section("route", layers="-1,-3,-5,-6")
    + conv(16, 1)
    + yolo(more="scale_x_y=1.1")
    + section("route", layers="-3")
    + conv(16, stride=2)
    + yolo("30,30", "0", more="scale_x_y=1.05"),
    "Scaled-YOLOv4": STEM
    + conv(8, stride=2, activation="swish")
    + yolo(activation="logistic", more="new_coords=1\nscale_x_y=2.0"),
}


def network_of(darknet):
    network = build_network(darknet.plan)
    set_weights(network, read_weights(darknet.weights, darknet.plan))
    return network


@pytest.mark.parametrize("block", BLOCKS)
def test_each_block_gives_what_opencv_gives(block, tmp_path):
    darknet = write_darknet(tmp_path, net() + STEM + BLOCKS[block] + conv(8) + yolo())
    pixels = noise()
    ours = np.asarray(network_of(darknet)(pixels[None], training=False))[0]
    theirs = OpenCV(darknet).raw(pixels)
    assert ours.shape == theirs.shape and np.ptp(ours) > 0.1
    assert np.abs(ours - theirs).max() < 1e-4


@pytest.mark.parametrize("name", WHOLE)
def test_whole_networks_give_what_opencv_gives(name, tmp_path):
    darknet = write_darknet(tmp_path, net() + WHOLE[name])
    pixels = noise()
    ours = np.asarray(network_of(darknet)(pixels[None], training=False))[0]
    theirs = OpenCV(darknet).raw(pixels)
    assert ours.shape == theirs.shape and np.ptp(ours) > 0.1
    assert np.abs(ours - theirs).max() < 1e-4


def test_a_network_takes_several_pictures_of_any_size(tmp_path):
    darknet = write_darknet(tmp_path, net() + WHOLE["YOLOv4"])
    network = network_of(darknet)
    pixels = np.stack([noise(96, seed) for seed in range(2)])
    together = np.asarray(network(pixels, training=False))
    cells = sum(len(head.anchors) * (96 // head.stride) ** 2 for head in darknet.plan.heads)
    assert together.shape == (2, cells, 8)
    alone = np.asarray(network(pixels[1:], training=False))
    assert together[1] == pytest.approx(alone[0], abs=1e-5)
