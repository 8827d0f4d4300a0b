"""A saved network answers as the one that was trained, from both of its files."""

import numpy as np
import pytest

from cvtool.engines import LiteRTEngine


@pytest.fixture(scope="module")
def network():
    import keras

    keras.utils.set_random_seed(0)
    pixels = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 255)(pixels)
    x = keras.layers.Conv2D(8, 3, 2, padding="same")(x)
    x = keras.layers.BatchNormalization()(x)
    return keras.Model(pixels, keras.layers.Conv2DTranspose(2, 2, 2)(x))


def test_both_files_agree_with_the_network_at_any_size_and_batch(network, tmp_path):
    import keras

    from cvtool.models.saving import save_model

    entry = save_model(network, tmp_path / "new" / "model", {"name": "tiny", "task": "none"})
    folder = tmp_path / "new" / "model"
    assert sorted(p.name for p in folder.iterdir()) == [
        "model.json",
        "tiny.tflite",
        "tiny.weights.h5",
    ]
    for file in entry["files"].values():
        assert (folder / file["file"]).stat().st_size == file["bytes"]
    again = keras.models.clone_model(network)
    again.load_weights(folder / "tiny.weights.h5")
    engine = LiteRTEngine(folder / "tiny.tflite")
    for shape in ((1, 32, 32, 3), (3, 48, 64, 3), (1, 32, 32, 3)):
        pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
        expected = np.asarray(network(pixels.astype(np.float32)))
        # Half-precision storage rounds each weight by up to one part in 2,000.
        np.testing.assert_allclose(engine(pixels), expected, atol=5e-3)
        np.testing.assert_allclose(again(pixels.astype(np.float32)), expected, atol=5e-3)
        # LiteRT folds the batch norm into the convolution before it rounds.
        np.testing.assert_allclose(engine(pixels), again(pixels.astype(np.float32)), atol=1e-3)


def test_weights_are_stored_in_16_bits(network, tmp_path):
    import h5py

    from cvtool.models.saving import save_float16_weights

    save_float16_weights(network, tmp_path / "a.weights.h5")
    kinds = set()
    with h5py.File(tmp_path / "a.weights.h5") as file:
        file.visititems(
            lambda _, item: kinds.add(item.dtype.name) if hasattr(item, "dtype") else None
        )
    assert kinds == {"float16"}
    assert [p.name for p in tmp_path.iterdir()] == ["a.weights.h5"]
