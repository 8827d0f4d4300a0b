"""Instant styles, with small networks of random weights."""

import json
import math
import shutil
from unittest.mock import patch

import numpy as np
import pytest
import skimage.data

from cvtool.engines import TensorFlowEngine
from cvtool.errors import ModelError, OptionError
from cvtool.models.presets import find_model, preset_file
from cvtool.style import adain, fast, reflection
from cvtool.style.colours import keep_luminance, match_histogram
from cvtool.style.fast import FastStylizer
from cvtool.style.scene import Scene
from tiny_style import LAYER, save_style, small_networks

PHOTO = skimage.data.astronaut()[:150, :203]
STYLES = [skimage.data.coffee()[::4, ::4], skimage.data.rocket()[::3, ::3]]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of the saved networks, and the networks."""
    networks = small_networks()
    return save_style(tmp_path_factory.mktemp("style") / "tiny", *networks), networks


@pytest.fixture(scope="module")
def stylizer(saved):
    return FastStylizer.load(saved[0], device="cpu")


def difference(one, other):
    return np.abs(one.astype(float) - other.astype(float)).mean()


def test_a_result_has_the_contents_size_and_depends_on_the_style(stylizer):
    results = [stylizer(PHOTO, [style]) for style in STYLES]
    for result in results:
        assert result.shape == PHOTO.shape and result.dtype == np.uint8
    assert difference(*results) > 2
    assert difference(results[0], stylizer(PHOTO[:, ::-1], [STYLES[0]])) > 2
    np.testing.assert_array_equal(results[0], stylizer(PHOTO, [STYLES[0]]))


def test_a_result_is_that_of_the_networks_in_keras(saved, stylizer):
    network, decoder = saved[1]
    encoder = reflection.reflected(network, LAYER)
    # Multiples of eight: the same cells.
    content, style = PHOTO[:128, :160], STYLES[0][:96, :144]
    own, other = (encoder(p[None].astype(np.float32)) for p in (content, style))
    pixels = np.asarray(decoder(adain.adain(own, *adain.statistics(other))))[0]
    assert np.abs(stylizer(content, [style]) - pixels).max() < 2.5
    assert pixels.std() > 5


def test_tensorflow_gives_the_same(saved, stylizer):
    preset = find_model(saved[0])
    encoder = find_model(saved[0] / "vgg-small")
    weights = [preset_file(described, "weights") for described in (encoder, preset)]
    other = FastStylizer(
        preset,
        TensorFlowEngine(lambda: fast.build_encoder(encoder, LAYER), weights[0]),
        TensorFlowEngine(lambda: fast.build(preset), weights[1]),
    )
    assert (stylizer.engine_name, other.engine_name) == ("litert", "tensorflow")
    one, two = (s(PHOTO, STYLES, strength=0.8).astype(int) for s in (stylizer, other))
    assert np.abs(one - two).max() <= 2


def test_strength_goes_from_the_content_to_the_style(stylizer):
    features, _ = stylizer.encode(PHOTO)
    plain = stylizer.decode(features, *PHOTO.shape[:2])
    steps = [stylizer(PHOTO, [STYLES[0]], strength=s) for s in (0, 0.5, 1)]
    np.testing.assert_array_equal(steps[0], plain)
    whole = difference(steps[2], plain)
    assert 0.2 * whole < difference(steps[1], plain) < 0.9 * whole


def test_the_content_as_its_own_style_is_its_reconstruction(stylizer):
    plain = stylizer(PHOTO, [PHOTO], strength=0)
    assert np.abs(stylizer(PHOTO, [PHOTO]).astype(int) - plain).max() <= 1


def test_styles_are_blended_by_their_weights(stylizer):
    first, second = ([stylizer(PHOTO, [style])] for style in STYLES)
    np.testing.assert_array_equal(stylizer(PHOTO, STYLES, blend=(5, 0)), first[0])
    np.testing.assert_array_equal(stylizer(PHOTO, STYLES, blend=(0, 0.1)), second[0])
    np.testing.assert_array_equal(
        stylizer(PHOTO, STYLES), stylizer(PHOTO, STYLES[::-1], blend=(3, 3))
    )
    near = stylizer(PHOTO, STYLES, blend=(0.8, 0.2))
    assert 0 < difference(near, first[0]) < difference(near, second[0])


def test_colours_are_kept(stylizer):
    plain = stylizer(PHOTO, [STYLES[0]])
    np.testing.assert_array_equal(
        stylizer(PHOTO, [STYLES[0]], keep_colours="luminance"), keep_luminance(plain, PHOTO)
    )
    np.testing.assert_array_equal(
        stylizer(PHOTO, [STYLES[0]], keep_colours="histogram"),
        stylizer(PHOTO, [match_histogram(STYLES[0], PHOTO)]),
    )


@pytest.mark.parametrize("shape", [(1, 1), (3, 90), (70, 5), (64, 64), (65, 63)])
def test_any_size_and_shape(stylizer, shape):
    content = PHOTO[: shape[0], : shape[1]]
    assert stylizer(content, [STYLES[0][:2, :3]]).shape == (*shape, 3)


def test_the_longer_side_can_be_chosen(stylizer):
    assert stylizer(PHOTO, [STYLES[0]], size=64).shape == (47, 64, 3)
    assert stylizer(PHOTO, [STYLES[0]], size=300).shape == (222, 300, 3)


def test_tiles_leave_no_trace(stylizer):
    whole = stylizer(PHOTO, [STYLES[0]])
    with patch.object(fast, "TILE", 128):
        shapes = []
        with patch.object(stylizer, "decoder", wraps=stylizer.decoder) as decoder:
            tiled = stylizer(PHOTO, [STYLES[0]])
            shapes = {call.args[0].shape[1:3] for call in decoder.call_args_list}
    assert shapes == {(16, 16)}
    assert np.abs(tiled.astype(int) - whole).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(1, 7), (16, 17), (40, 100)])
def test_tiles_own_each_cell_once(height, width):
    owned = np.zeros((height, width), int)
    for seen, own, inner in fast.tiles(height, width, 16):
        owned[own] += 1
        numbers = np.arange(height * width).reshape(height, width)
        np.testing.assert_array_equal(numbers[seen][inner], numbers[own])
        for side, length in zip(range(2), (height, width), strict=True):
            room = own[side].start - seen[side].start, seen[side].stop - own[side].stop
            assert own[side].start == 0 or room[0] >= fast.OVERLAP
            assert own[side].stop == length or room[1] >= fast.OVERLAP
    assert (owned == 1).all()


def test_statistics_of_a_style_are_taken_once(stylizer):
    style = STYLES[1][:80, :81].copy()
    stylizer.statistics(style)
    with patch.object(stylizer, "encode", side_effect=AssertionError):
        stylizer.statistics(style.copy())
    style[0, 0] += 1
    with patch.object(stylizer, "encode", return_value=(None, "fresh")) as encode:
        assert stylizer.statistics(style) == "fresh"
    assert encode.call_count == 1
    stylizer._known.popitem()


def test_a_large_style_is_shrunk(stylizer):
    large = np.kron(STYLES[0], np.ones((8, 8, 1), np.uint8))
    with patch.object(stylizer, "encoder", wraps=stylizer.encoder) as encoder:
        stylizer.statistics(large)
    assert max(max(call.args[0].shape[1:3]) for call in encoder.call_args_list) <= 560


def test_a_film_of_one_picture_does_not_move(stylizer):
    scene = Scene()
    frames = [stylizer(PHOTO, [STYLES[0]], scene=scene) for _ in range(3)]
    for frame in frames:
        assert np.abs(frame.astype(int) - stylizer(PHOTO, [STYLES[0]])).max() <= 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"strength": 1.1}, "strength: 1.1"),
        ({"strength": math.nan}, "strength: nan"),
        ({"blend": (1,)}, "1 weights for 2 styles"),
        ({"blend": (1, -1)}, "-1"),
        ({"blend": (0, 0)}, "all weights are 0"),
        ({"keep_colours": "all"}, '"all"'),
        ({"size": 3}, "size: 3"),
    ],
)
def test_options_that_make_no_sense(stylizer, options, words):
    with pytest.raises(OptionError, match=words):
        stylizer(PHOTO, STYLES, **options)


def test_no_style(stylizer):
    with pytest.raises(OptionError, match="at least one"):
        stylizer(PHOTO, [])


def test_a_decoder_of_another_encoder_is_refused(saved, tmp_path):
    folder = shutil.copytree(saved[0], tmp_path / "other")
    described = json.loads((folder / "model.json").read_text())
    described["architecture"]["encoder_sha256"] = "0" * 64
    (folder / "model.json").write_text(json.dumps(described))
    with pytest.raises(ModelError, match='trained with another encoder than "vgg-small"'):
        FastStylizer.load(folder, device="cpu")
    del described["architecture"]["layer"]
    (folder / "model.json").write_text(json.dumps(described))
    with pytest.raises(ModelError, match="lacks layer"):
        FastStylizer.load(folder, device="cpu")
    with pytest.raises(ModelError, match="is for features, not for stylize"):
        FastStylizer.load(folder / "vgg-small", device="cpu")
