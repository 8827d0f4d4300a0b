"""The search: against a search by brute force, and what it must keep to."""

import keras
import numpy as np
import pytest
from keras import layers

from cvtool.errors import OptionError
from cvtool.pictures.sources import Picture
from cvtool.visualising.search import visualise

SIZE = 32


def network_of(*more, filters=6, seed=0):
    keras.utils.set_random_seed(seed)
    x = pixels = keras.Input((None, None, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    x = layers.Conv2D(filters, 3, 2, activation="relu", name="first")(x)
    x = layers.Conv2D(filters, 3, padding="same", activation="relu", name="second")(x)
    for layer in more:
        x = layer(x)
    return keras.Model(pixels, x)


def noise(count, height=SIZE, width=SIZE, seed=0):
    rng = np.random.default_rng(seed)
    for number in range(count):
        pixels = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
        yield Picture(f"{number}.png", pixels, None)


def test_it_finds_what_brute_force_finds():
    # More pictures than go in a batch, and a last batch that is not full.
    network, pictures = network_of(), list(noise(37))
    found = visualise(
        network, pictures, SIZE, layers=["first", "second"], units=range(6), patches=4
    )
    part = keras.Model(network.input, [network.get_layer(n).output for n in ("first", "second")])
    maps = [output.numpy() for output in part(np.stack([p.pixels for p in pictures]).astype("f4"))]
    for each, activations in zip(found, maps, strict=True):
        assert each.pictures == 37 and [unit.unit for unit in each.units] == list(range(6))
        best = activations.max(axis=(1, 2))
        for unit in each.units:
            order = np.argsort(-best[:, unit.unit], kind="stable")
            order = [n for n in order if best[n, unit.unit] > 0][:4]
            assert [patch.picture for patch in unit.patches] == [f"{n}.png" for n in order]
            for n, patch in zip(order, unit.patches, strict=True):
                assert patch.activation == pytest.approx(best[n, unit.unit], rel=1e-4)
                there = activations[(n, *patch.position, unit.unit)]
                assert there == pytest.approx(best[n, unit.unit], rel=1e-4)


def bright_spot(height, width, x, y):
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[y : y + 8, x : x + 8] = 255
    return pixels


@pytest.mark.parametrize(("height", "width", "left", "top"), [(96, 160, 32, 0), (160, 96, 0, 32)])
def test_boxes_are_in_the_pixels_of_the_original_picture(height, width, left, top):
    x = pixels = keras.Input((None, None, 3))
    x = layers.Conv2D(1, 4, 4, kernel_initializer="ones", name="bright")(x)
    network = keras.Model(pixels, x)
    spot = bright_spot(height, width, left + 60, top + 24)
    # 96 pixels are shown as 48: the spot is 4 pixels wide there, at (30, 12), and half of it
    # is in the window at 28, half in that at 32, of which the first is taken.
    (found,) = visualise(network, [Picture("a", spot, None)], 48, layers=["bright"], units=[0])
    (patch,) = found.units[0].patches
    assert patch.position == (3, 7)
    assert patch.box == (left + 56, top + 24, left + 64, top + 32)
    assert np.array_equal(patch.pixels, spot[top + 24 : top + 32, left + 56 : left + 64])


def test_equal_activations_stand_in_the_order_of_the_pictures():
    same = next(noise(1)).pixels
    pictures = [Picture(f"{n}.png", same, None) for n in range(20)]
    (found,) = visualise(network_of(), pictures, SIZE, layers=["first"], units=[2], patches=3)
    assert [patch.picture for patch in found.units[0].patches] == ["0.png", "1.png", "2.png"]


def test_a_unit_that_nothing_excites_has_no_patches_and_is_chosen_last():
    network = network_of()
    kernel, bias = network.get_layer("second").get_weights()
    bias[:5] = -1000
    network.get_layer("second").set_weights([kernel, bias])
    (found,) = visualise(network, noise(12), SIZE, layers=["second"], units=range(6), patches=2)
    assert [len(unit.patches) for unit in found.units] == [0] * 5 + [2]
    assert found.units[0].activation == 0
    (found,) = visualise(network, noise(12), SIZE, layers=["second"], units=1, patches=2)
    assert [unit.unit for unit in found.units] == [5]


def test_the_units_chosen_are_selective_and_show_different_pictures():
    # Units 0 and 1 like the same few red pictures, 2 a few blue ones, 3 every picture alike.
    x = pixels = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 1, activation="relu", name="colours")(x)
    network = keras.Model(pixels, x)
    kernel = np.array([[1, 1.1, -1, 0.5], [-1, -1, -1, 0.5], [-1, -1, 1, 0.5]], np.float32)
    network.get_layer("colours").set_weights([kernel[None, None], np.zeros(4)])
    shades = [(200, 0, 0)] * 3 + [(0, 0, 200)] * 3 + [(90, 90, 90)] * 30
    pictures = [
        Picture(str(n), np.full((8, 8, 3), shade, np.uint8), None) for n, shade in enumerate(shades)
    ]
    (found,) = visualise(network, pictures, 8, layers=["colours"], units=2, patches=3)
    first, second = (unit.unit for unit in found.units)
    assert first in (0, 1) and second == 2


def test_a_position_in_the_padding_is_never_found():
    pad = layers.ZeroPadding2D(2, name="pad")
    last = layers.Conv2D(2, 1, bias_initializer="ones", name="last")
    network = network_of(pad, last)
    (found,) = visualise(network, noise(3), SIZE, layers=["last"], units=[0, 1])
    side = found.layer.shape[0]
    for unit in found.units:
        for patch in unit.patches:
            assert all(2 <= at < side - 2 for at in patch.position)


def test_a_layer_that_sees_all_shows_the_whole_square():
    network = network_of(layers.GlobalAveragePooling2D(), layers.Dense(2, name="last"))
    (found,) = visualise(network, noise(4, 40, 60), SIZE, layers=["last"], units=[0, 1])
    patches = [patch for unit in found.units for patch in unit.patches]
    assert patches and {patch.box for patch in patches} == {(10, 0, 50, 40)}
    assert found.to_dict()["whole_picture"] is True


def test_a_unit_that_is_not_there():
    with pytest.raises(OptionError, match="layer first has units 0 to 5, and no 6"):
        visualise(network_of(), [], SIZE, layers=["first"], units=[0, 6])


def test_no_pictures_give_nothing():
    (found,) = visualise(network_of(), [], SIZE, layers=["first"], units=2)
    assert found.pictures == 0 and all(unit.patches == () for unit in found.units)
