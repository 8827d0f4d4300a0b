"""Configurations: read as Darknet reads them, and what is wrong is named with its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvtool.errors import ModelError
from cvtool.models.darknet.configuration import parse_configuration
from cvtool.models.darknet.plan import plan_network
from tiny_darknet import conv, net, region, section, yolo


def plan(text):
    return plan_network(parse_configuration(text, "some.cfg"))


def test_spaces_comments_short_names_and_repeated_options_are_read_as_darknet_does():
    text = (
        "# a net\n\n[ net ]\r\nwidth = 3 2  # px\n;x\n[conv]\nfilters=5\nfilters=6\nanchors=1, 2,\n"
    )
    first, second = parse_configuration(text)
    assert (first.kind, first.line) == ("net", 3) and first.integer("width", 0) == 32
    assert (second.kind, second.line) == ("convolutional", 6)
    assert second.integer("filters", 1) == 5 and second.integer("size", 1) == 1
    assert second.numbers("anchors") == (1, 2)


def test_a_plan_says_where_heads_lie_and_what_their_numbers_mean():
    text = net() + conv(8, stride=8) + yolo("8,9, 16,18", "1", more="scale_x_y=1.2")
    text += section("route", layers=0) + conv(8, stride=2) + yolo("8,9, 16,18", "0,1")
    # The finest first, whatever their order in the file.
    text += section("route", layers=0) + section("upsample") + region()
    fine, middle, coarse = plan(text).heads
    assert [head.stride for head in (fine, middle, coarse)] == [4, 8, 16]
    assert fine.anchors == ((2.4, 3.6), (10, 7)) and fine.decoding["classes"] == "softmax"
    assert middle.anchors == ((16, 18),) and middle.decoding["centre_scale"] == 1.2
    assert coarse.anchors == ((8, 9), (16, 18)) and coarse.decoding["size"] == "exp"


def test_letter_box_keeps_the_shape_of_pictures():
    body = conv(8, stride=8) + yolo()
    assert plan(net() + body).fit == "stretch"
    assert plan(net(more="letter_box=1\n") + body).fit == "letterbox"


BODY = conv(8, stride=8)
# What stands after a [net] of five lines, BODY having eight -> the line and a part of the message.
WRONG = [
    ("[lstm]\n", 6, r"\[lstm\] is not supported; cvtool knows net, convolutional"),
    ("width\n", 6, "no section and no option"),
    ("[convolutional]\nactivation=selu\n", 7, "activation=selu is not supported; .*mish"),
    ("[convolutional]\nfilters=many\n", 7, "filters=many .* should be a number"),
    ("[convolutional]\nfilters=2.5\n", 7, "should be a whole number"),
    ("[convolutional]\nfilters=0\n", 7, "at least 1"),
    ("[convolutional]\nfilters=nan\n", 7, "should be a number"),
    ("[convolutional]\ndilation=2\n", 7, "dilation=2 .* is not supported"),
    ("[convolutional]\nfilters=4\ngroups=2\n", 8, "groups=2 does not divide 3 channels"),
    ("[convolutional]\nsize=99\n", 6, "leaves nothing"),
    ("[maxpool]\nmaxpool_depth=1\n", 7, "maxpool_depth=1 .* is not supported"),
    ("[upsample]\nscale=2\n", 7, "scale= .* not supported"),
    ("[route]\nlayers=-1\n", 7, "no such layer"),
    ("[route]\n", 6, r"\[route\] needs layers="),
    ("[route]\nlayers=0.5\n", 7, "whole number"),
    ("[shortcut]\nfrom=-1\n", 7, "no such layer"),
    ("[yolo]\n", 6, "no map before"),
    ("[reorg]\nstride=2\n", 6, "does not fit"),
    (BODY + "[route]\nlayers=0\ngroups=2\ngroup_id=2\n", 17, "not below groups=2"),
    (BODY + conv(8, stride=2) + "[route]\nlayers=0,1\n", 23, r"different sides \(8, 4\)"),
    (BODY + conv(4, 3, 2) + "[shortcut]\nfrom=-2\n", 23, r"different sides \(4, 8\)"),
    (BODY + "[shortcut]\nfrom=0\nweights_type=per_channel\n", 16, "weights_type"),
    (BODY + "[yolo]\nclasses=3\n", 14, "needs anchors="),
    (BODY + "[yolo]\nanchors=1,2,3\n", 15, "pairs of a width and a height"),
    (BODY + "[yolo]\nanchors=1,2\nmask=1\n", 16, "beyond the 1"),
    (BODY + "[yolo]\nanchors=1,2\nclasses=4\n", 14, "need 9 channels, .* gives 8"),
    (BODY + "[yolo]\nanchors=1,2\nclasses=3\nnew_coords=1\n", 17, "needs activation=logistic"),
    (BODY + "[region]\nanchors=1,2\nclasses=3\ncoords=5\n", 17, "only coords=4"),
    (BODY + "[region]\nanchors=1,2\nclasses=3\ntree=a.tree\n", 17, "hierarchy"),
    (BODY + yolo() + conv(8), 29, "output of a head"),
    (BODY + yolo() + "[route]\nlayers=-1\n", 30, "names a head"),
]


@pytest.mark.parametrize(("text", "line", "message"), WRONG, ids=[message for *_, message in WRONG])
def test_what_cvtool_does_not_know_is_named_with_its_line(text, line, message):
    with pytest.raises(ModelError, match=f"some.cfg, line {line}: .*{message}"):
        plan(net() + text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty; give the .cfg"),
        ("[convolutional]\n", r"line 1: the first section is \[convolutional\]"),
        ("width=3\n", "line 1: width=3 is an option before"),
        ("\0\x02PK", "line 1: these bytes"),
        ("[net]\nwidth=64\n", "needs width and height"),
        ("[net]\nwidth=64\nheight=32\n", "line 3: .*64 x 32; only square"),
        ("[net]\nwidth=64\nheight=64\nchannels=1\n", "line 4: .*colour"),
        (net() + conv(4), "no .yolo. and no .region., so it is not a detector"),
        (net(100) + conv(8, stride=8) + yolo(), "13 x 13 cells, which do not divide"),
        (
            net()
            + BODY
            + yolo()
            + section("route", layers=0)
            + yolo()
            .replace("=3", "=3\nx=1")
            .replace("filters=24", "filters=27")
            .replace("classes=3", "classes=4"),
            "different numbers of classes",
        ),
    ],
)
def test_a_whole_configuration_that_cannot_be_used_is_refused(text, message):
    with pytest.raises(ModelError, match=message):
        plan(text)


TOKENS = ["[net]", "[convolutional]", "[route]", "[yolo]", "[region]", "[shortcut]", "[maxpool]"]
OPTIONS = ["width", "height", "filters", "layers", "from", "anchors", "mask", "size", "stride"]
LINES = st.one_of(
    st.sampled_from(TOKENS),
    st.builds("{}={}".format, st.sampled_from(OPTIONS), st.sampled_from(["32", "-1", "1,2", "x"])),
    st.text(max_size=9),
)


@given(st.lists(LINES, max_size=12))
def test_whatever_is_in_a_file_the_error_is_one_for_users(lines):
    try:
        plan(net(32) + "\n".join(lines))
    except ModelError as error:
        assert str(error).startswith("some.cfg") and "\n" not in str(error)
