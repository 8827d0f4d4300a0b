"""The networks: the paper's shapes and numbers, any input size, and what they are saved as."""

import keras
import numpy as np
import pytest

from cvtool.engines import LiteRTEngine
from cvtool.models.saving import export_litert
from cvtool.segmentation.losses import cross_entropy
from cvtool.segmentation.segmenter import alignment
from cvtool.segmentation.unet import CutTo, aligned_copy, build, csp_unet, unet
from cvtool.training.precision import set_precision

CSP = {
    "network": "csp",
    "widths": (8, 8, 16, 16, 16),
    "depths": (0, 0, 0, 0),
    "decoder": (16, 8, 8, 8),
}
PLAIN = {"network": "plain", "base": 4, "depth": 2}
# One pixel, odd sides, less than any stride, and what fits all strides.
SIZES = [(1, 1), (1, 70), (5, 31), (33, 47), (64, 96)]


@pytest.fixture(scope="module", params=[CSP, PLAIN], ids=["csp", "plain"])
def network(request):
    keras.utils.set_random_seed(0)
    return build(3, request.param)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (*shape, 3)).astype(np.float32)


def paper_parameters(channels, classes, base=64, depth=4):
    """What figure 1 of the paper adds up to, layer by layer."""

    def convolution(kernel, inside, outside):
        return kernel**2 * inside * outside + outside

    total, inside = 0, channels
    for level in range(depth + 1):
        width = base * 2**level
        total += convolution(3, inside, width) + convolution(3, width, width)
        inside = width
    for level in reversed(range(depth)):
        width = base * 2**level
        total += convolution(2, 2 * width, width)
        total += convolution(3, 2 * width, width) + convolution(3, width, width)
    return total + convolution(1, base, classes)


def test_the_papers_network_has_its_shapes_and_parameters():
    network = unet(2, padding="valid", batch_norm=False, size=572)
    assert paper_parameters(1, 2) == 31_030_658
    assert network.count_params() == paper_parameters(3, 2) == 31_031_810
    assert network.output_shape == (None, 388, 388, 2)
    # Figure 1, from left to right.
    sides = {"down0": 568, "down1": 280, "down2": 136, "down3": 64, "bottom": 28}
    sides |= {"merge3": 52, "merge2": 100, "merge1": 196, "merge0": 388}
    for level, (name, side) in enumerate(sides.items()):
        channels = 64 * 2 ** (level if level < 5 else 8 - level)
        output = network.get_layer(f"{name}_2_relu").output
        assert output.shape == (None, side, side, channels), name


def test_the_papers_network_gives_what_its_shapes_say():
    small = unet(2, base=1, padding="valid", batch_norm=False)
    assert small(noise(1, 572, 572)).shape == (1, 388, 388, 2)
    assert small(noise(1, 188, 204)).shape == (1, 4, 20, 2)


def test_without_padding_a_shifted_picture_gives_a_shifted_answer():
    """Shifts by the coarsest stride; skips cut in the wrong place would not move along."""
    keras.utils.set_random_seed(1)
    small = unet(2, base=2, depth=2, padding="valid", batch_norm=False)
    picture = noise(1, 96, 96)
    whole = np.asarray(small(picture))
    part = np.asarray(small(picture[:, 8:88, 4:92]))
    assert part.shape == (1, 40, 48, 2) and whole.std() > 0.01
    np.testing.assert_allclose(part, whole[:, 8:48, 4:52], atol=1e-5)


def test_skips_are_cut_evenly_and_what_was_rounded_up_at_the_end():
    x = np.arange(7 * 6, dtype=np.float32).reshape(1, 7, 6, 1)
    cut = CutTo()
    np.testing.assert_array_equal(cut([x, np.zeros((1, 3, 2, 5))]), x[:, 2:5, 2:4])
    np.testing.assert_array_equal(cut([x, np.zeros((1, 6, 5, 5))]), x[:, :6, :5])
    np.testing.assert_array_equal(cut([x, np.zeros((1, 9, 6, 5))]), x)


def test_the_default_network_is_within_its_parameter_budget():
    default = csp_unet(21)
    assert 3_000_000 < default.count_params() <= 8_000_000
    # What training starts with is a detector's or a classifier's backbone.
    assert default.get_layer("csp").get_layer("stage4_merge_conv") is not None


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_any_picture_has_an_answer_of_its_own_size(network, size):
    logits = np.asarray(network(noise(2, *size)))
    assert logits.shape == (2, *size, 3) and logits.dtype == np.float32
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("size", [(96, 96), (75, 101)], ids=str)
def test_the_answer_lies_where_the_picture_changed(network, size):
    """What is up comes out up, what is right comes out right, odd sides or not."""
    height, width = size
    before = noise(1, height, width)
    for rows in (slice(0, 8), slice(height - 8, height)):
        for columns in (slice(0, 8), slice(width - 8, width)):
            after = before.copy()
            after[:, rows, columns] = 255 - after[:, rows, columns]
            change = np.abs(np.asarray(network(after) - network(before)))[0].sum(-1)
            # The middle of all change.
            y, x = ((change * at).sum() / change.sum() for at in np.indices(size))
            assert (y < height / 2) == (rows.start == 0)
            assert (x < width / 2) == (columns.start == 0)


@pytest.mark.parametrize("architecture", [CSP, PLAIN], ids=["csp", "plain"])
def test_one_class_is_one_logit_a_pixel(architecture):
    assert build(1, architecture)(noise(1, 33, 20)).shape == (1, 33, 20, 1)


def test_depth_and_width_are_arguments():
    for base, depth in ((3, 1), (5, 2), (2, 5)):
        made = unet(4, base=base, depth=depth, batch_norm=False)
        assert made.count_params() == paper_parameters(3, 4, base, depth)
        assert made(noise(1, 37, 50)).shape == (1, 37, 50, 4)


def test_a_network_can_be_saved_whole_and_read_again(network, tmp_path):
    network.save(tmp_path / "unet.keras")
    again = keras.saving.load_model(tmp_path / "unet.keras")
    picture = noise(1, 35, 48)
    np.testing.assert_allclose(again(picture), network(picture), atol=1e-5)


def test_the_exported_file_agrees_at_any_size(network, tmp_path):
    export_litert(network, tmp_path / "unet.tflite")
    engine = LiteRTEngine(tmp_path / "unet.tflite", threads=1)
    for size in SIZES:
        picture = noise(2, *size)
        expected = np.asarray(network(picture))
        found = engine(picture)
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() < 1e-2
    assert expected.std() > 0.1


@pytest.mark.parametrize("architecture", [CSP, PLAIN], ids=["csp", "plain"])
def test_the_aligned_copy_is_the_same_network_without_cuts(architecture, tmp_path):
    whole = build(3, architecture)
    aligned = aligned_copy(whole, 3, architecture)
    assert any(isinstance(layer, CutTo) for layer in whole.layers)
    assert not any(isinstance(layer, CutTo) for layer in aligned.layers)
    step = alignment(architecture)
    export_litert(aligned, tmp_path / "unet.tflite")
    engine = LiteRTEngine(tmp_path / "unet.tflite", threads=1)
    for size in ((step, step), (3 * step, 2 * step)):
        picture = noise(1, *size)
        expected = np.asarray(whole(picture))
        np.testing.assert_allclose(aligned(picture), expected, atol=1e-5)
        assert np.abs(engine(picture) - expected).max() < 1e-2


@pytest.mark.parametrize("architecture", [CSP, PLAIN], ids=["csp", "plain"])
def test_in_mixed_precision_the_logits_are_float32(architecture):
    set_precision("bfloat16")
    try:
        mixed = build(3, architecture)
    finally:
        set_precision("float32")
    assert mixed.layers[-3].compute_dtype == "bfloat16"
    logits = mixed(noise(1, 17, 33))
    assert logits.shape == (1, 17, 33, 3) and logits.dtype == "float32"


def test_the_pixels_of_a_cell_are_scored_alike_once_trained():
    """Or flat areas would be chequered."""
    network = build(3, CSP)
    network.compile("sgd", cross_entropy)
    targets = np.stack([np.arange(2 * 64**2).reshape(2, 64, 64) % 3, np.ones((2, 64, 64))], -1)
    network.train_on_batch(noise(2, 64, 64), targets.astype(np.float32))
    logits = np.asarray(network(noise(1, 64, 64)))[0].reshape(32, 2, 32, 2, 3)
    assert np.ptp(logits, axis=(1, 3)).max() < 1e-5 < np.ptp(logits, axis=(0, 2)).min()
