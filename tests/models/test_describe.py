"""Parameters and multiply-adds: by hand for single layers, as published for whole networks."""

import json

import keras
import pytest
import typer
from keras import layers
from typer.testing import CliRunner

from cvtool.classification.scratch import SCRATCH, build_scratch
from cvtool.cli.models import models_app
from cvtool.errors import ModelError
from cvtool.models.describe import describe_network, total


def network_of(*stack, shape=(None, None, 6)):
    x = pixels = keras.Input(shape)
    for layer in stack:
        x = layer(x)
    return keras.Model(pixels, x)


@pytest.mark.parametrize(
    ("layer", "size", "shape", "parameters", "multiply_adds"),
    [
        (layers.Conv2D(8, 3), 10, (8, 8, 8), 8 * (9 * 6 + 1), 64 * 8 * 9 * 6),
        (layers.Conv2D(8, (1, 5), padding="same"), 10, (10, 10, 8), 8 * 31, 100 * 8 * 5 * 6),
        (
            layers.Conv2D(8, 3, 2, padding="same", groups=2, use_bias=False),
            9,
            (5, 5, 8),
            8 * 9 * 3,
            25 * 8 * 9 * 3,
        ),
        (
            layers.DepthwiseConv2D(3, depth_multiplier=2),
            10,
            (8, 8, 12),
            12 * (9 + 1),
            64 * 12 * 9,
        ),
        (
            layers.SeparableConv2D(8, 3, 2, depth_multiplier=2, padding="same"),
            10,
            (5, 5, 8),
            9 * 12 + 12 * 8 + 8,
            25 * (9 * 12 + 12 * 8),
        ),
        # Each of the 5 x 5 pixels spreads its 6 channels over 2 x 2 x 8 numbers.
        (layers.Conv2DTranspose(8, 2, 2), 5, (10, 10, 8), 8 * (4 * 6 + 1), 25 * 6 * 4 * 8),
        (layers.Dense(4), 5, (5, 5, 4), 4 * 7, 25 * 6 * 4),
        (layers.BatchNormalization(), 5, (5, 5, 6), 4 * 6, 0),
    ],
    ids=lambda value: value.__class__.__name__ if isinstance(value, layers.Layer) else "",
)
def test_a_layer(layer, size, shape, parameters, multiply_adds):
    (row,) = describe_network(network_of(layer), size)
    assert row.type == type(layer).__name__ and row.name == layer.name
    assert (row.output_shape, row.parameters, row.multiply_adds) == (
        shape,
        parameters,
        multiply_adds,
    )


def test_nested_and_repeated_layers_count_as_often_as_they_are_used():
    inner = network_of(layers.Conv2D(6, 1, use_bias=False, name="mix"))
    inner.name = "inner"
    shared = layers.Dense(6, use_bias=False, name="shared")
    top = keras.Sequential([layers.MaxPooling2D(2, name="half"), layers.Dense(2)], name="top")
    network = network_of(inner, shared, shared, inner, keras.ops.relu, top)
    rows = {row.name: row for row in describe_network(network, 4)}
    assert list(rows) == ["inner/mix", "shared", "relu", "top/half", f"top/{top.layers[1].name}"]
    assert (rows["shared"].parameters, rows["shared"].multiply_adds) == (36, 2 * 16 * 36)
    assert (rows["inner/mix"].parameters, rows["inner/mix"].multiply_adds) == (36, 2 * 16 * 36)
    assert rows["top/half"].output_shape == (2, 2, 6)
    assert total(rows.values()).parameters == network.count_params()
    # Describing a network leaves it as it was.
    assert network.output_shape == (None, None, None, 2)


def test_the_detector_with_its_nested_backbone():
    from cvtool.detection.yolo import yolo

    network = yolo(20)
    rows = describe_network(network, 64)
    assert total(rows).parameters == network.count_params()
    assert total(rows).float32_bytes == 4 * network.count_params()
    shapes = {row.name: row.output_shape for row in rows}
    assert shapes["csp/stem_conv"] == (32, 32, 32) and shapes["head5_conv"] == (2, 2, 75)
    assert shapes["raw"] == (3 * (64 + 16 + 4), 25)
    # A fully convolutional network has four times the work in twice the size.
    assert total(describe_network(network, 128)).multiply_adds == 4 * total(rows).multiply_adds


def test_lenet5_by_hand():
    totals = total(describe_network(build_scratch("lenet5", 10, 32), 32))
    assert totals.parameters == 6 * 76 + 16 * 151 + 120 * 401 + 84 * 121 + 10 * 85
    assert totals.multiply_adds == (
        28 * 28 * 6 * 75 + 10 * 10 * 16 * 150 + 400 * 120 + 120 * 84 + 84 * 10
    )


@pytest.mark.parametrize(
    ("name", "millions", "giga"),
    [
        # AlexNet in one tower; the paper's two have 61 million and 0.72.
        ("alexnet", 62.4, 1.14),
        ("vgg16", 138, 15.5),
        # With the stride in the first 1 x 1 convolution of a block, as in the paper: 3.8.
        ("resnet50", 25.6, 3.86),
        ("resnet20", 0.27, 0.0406),
        ("inceptionv3", 23.8, 5.7),
        ("mobilenetv1", 4.2, 0.569),
        # The papers' 3.4 million leaves out what batch normalisation does not train.
        ("mobilenetv2", 3.5, 0.300),
        ("efficientnetb0", 5.3, 0.39),
    ],
)
def test_published_numbers(name, millions, giga, monkeypatch):
    # Counting needs no random numbers, and VGG-16 would draw 138 million.
    for kind in (keras.initializers.HeNormal, keras.initializers.HeUniform):
        monkeypatch.setattr(kind, "__call__", keras.initializers.Zeros())
    entry = SCRATCH[name]
    network = build_scratch(name, entry.classes)
    totals = total(describe_network(network, entry.size))
    assert totals.parameters == network.count_params()
    assert totals.parameters / 1e6 == pytest.approx(millions, rel=0.015)
    assert totals.multiply_adds / 1e9 == pytest.approx(giga, rel=0.015)


def test_sizes_that_do_not_fit():
    with pytest.raises(ModelError, match="lenet5.*32 x 32 pixels only"):
        describe_network(build_scratch("lenet5", 10, 32), 64)
    with pytest.raises(ModelError, match="does not fit pictures of 2 pixels"):
        describe_network(network_of(layers.Conv2D(8, 3)), 2)


@pytest.fixture
def run():
    from cvtool.cli.main import ErrorBoundary

    app = typer.Typer(cls=ErrorBoundary)
    app.add_typer(models_app)

    def run(*arguments):
        return CliRunner().invoke(app, ["models", "describe", *map(str, arguments)])

    return run


def test_describe_prints_a_table(run):
    result = run("lenet5")
    assert result.exit_code == 0 and result.stderr == ""
    assert "28 x 28 x 6" in result.stdout
    assert "62,006 parameters, 0.2 MB as float32" in result.stdout
    assert "651,720 multiply-adds" in result.stdout


def test_describe_as_json(run):
    result = run("resnet20", "--size", 64, "--classes", 7, "--json")
    summary = json.loads(result.stdout)
    assert (summary["size"], summary["classes"]) == (64, 7)
    assert summary["layers"][-1] == {
        "name": "logits",
        "type": "Dense",
        "output_shape": [7],
        "parameters": 7 * 65,
        "multiply_adds": 7 * 64,
    }
    for key in ("parameters", "multiply_adds"):
        assert summary[key] == sum(row[key] for row in summary["layers"])
    assert summary["float32_bytes"] == 4 * summary["parameters"]


def test_describe_the_folder_of_a_model(run, tmp_path):
    from cvtool.models.presets import pretrained_folder

    entry = json.loads((pretrained_folder() / "presets.json").read_text())["everyday"]
    (tmp_path / "model.json").write_text(json.dumps(entry | {"name": "mine"}))
    summary = json.loads(run(tmp_path, "--json").stdout)
    assert (summary["size"], summary["classes"]) == (entry["size"], len(entry["classes"]))
    assert summary["layers"][1]["name"].startswith("csp/")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["resnet5O"], 1, "did you mean resnet50"),
        (["everyday", "--size", 100], 1, "multiples of 32, not 100; try 96"),
        (["lenet5", "--size", 20], 1, "the smallest size is 32"),
        (["everyday", "--classes", 3], 2, "train from scratch"),
        (["lenet5", "--classes", 0], 2, "--classes"),
    ],
)
def test_describe_says_what_is_wrong(run, arguments, code, words):
    result = run(*arguments)
    assert result.exit_code == code and words in result.stderr
    assert result.stdout == "" and result.stderr.count("\n") == 1
