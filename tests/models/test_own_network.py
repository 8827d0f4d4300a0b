"""Networks of the user's own, from .keras files and SavedModels, as models of cvtool."""

import numpy as np
import pytest

from cvtool.classification.classifier import Classifier
from cvtool.classification.views import centre_view
from cvtool.errors import ModelError
from cvtool.models.own_network import import_own, is_own_network, wrapped, wrapping_of
from cvtool.models.presets import read_model_folder, verify
from cvtool.networks import load_network
from cvtool.segmentation.segmenter import Segmenter

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def classifying(activation=None, size=16, outputs=3):
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((size, size, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(outputs, activation=activation),
        ]
    )


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Classifier with logits of pixels from 0 to 1, and the folder that was made of its file."""
    root = tmp_path_factory.mktemp("own")
    network = classifying()
    network.save(root / "own.keras")
    import_own(
        root / "own.keras",
        root / "model",
        name="own",
        classes=["a", "b", "c"],
        pixel_range=(0, 1),
        description={"licence": "mine"},
    )
    return network, root / "model"


def test_a_classifier_gives_the_probabilities_of_its_logits(own):
    import keras

    network, folder = own
    classifier = Classifier.load(folder, device="cpu")
    view = centre_view(PIXELS, 16)[None] / np.float32(255)
    expected = keras.ops.convert_to_numpy(keras.ops.softmax(network(view)))[0]
    np.testing.assert_allclose(classifier.probabilities(PIXELS), expected, atol=1e-5)
    assert classifier.size == 16


def test_its_folder_is_a_model_as_any_other(own):
    network, folder = own
    preset = read_model_folder(folder)
    assert verify(preset) == []
    assert (preset.task, preset.licence, preset.several) == ("classify", "mine", False)
    built = load_network(folder).model
    view = centre_view(PIXELS, 16)[None].astype(np.float32)
    expected = Classifier.load(folder, device="cpu").probabilities(PIXELS)
    np.testing.assert_allclose(np.asarray(built(view))[0], expected, atol=1e-5)


def test_it_takes_its_own_size_only(own):
    with pytest.raises(ModelError, match="takes pictures of 16 pixels only"):
        Classifier.load(own[1], size=32)


def test_a_segmenter_with_one_output_tells_two_classes_apart(tmp_path):
    """It gives the red of each pixel as the probability of a thing."""
    import keras
    from keras import layers

    pixels = keras.Input((None, None, 3))
    first = layers.AveragePooling2D(2)(pixels)
    # An enlargement that cannot be converted for a size known only when it runs.
    first = layers.UpSampling2D(interpolation="bilinear")(first)
    outputs = layers.Conv2D(1, 1, use_bias=False, activation="sigmoid", name="red")(first)
    network = keras.Model(pixels, outputs)
    network.get_layer("red").set_weights([np.array([20.0, -20.0, 0.0]).reshape(1, 1, 3, 1)])
    network.save(tmp_path / "red.keras")
    import_own(
        tmp_path / "red.keras",
        tmp_path / "model",
        name="red",
        classes=["background", "thing"],
        pixel_range=(-1, 1),
        size=64,
    )
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, :32] = (0, 255, 0)
    picture[:, 32:] = (255, 0, 0)
    segmenter = Segmenter.load(tmp_path / "model", device="cpu")
    mask = segmenter(picture).mask
    assert mask.shape == (48, 64)
    assert not mask[:, :28].any() and mask[:, 36:].all()
    with pytest.raises(ModelError, match="takes pictures of 64 pixels only"):
        Segmenter.load(tmp_path / "model", size=96)


def test_what_litert_cannot_run_is_refused(tmp_path):
    import keras
    from keras import layers

    # The converter writes this one with operations that only TensorFlow has.
    network = keras.Sequential([keras.Input((8, 8, 3)), layers.Reshape((8, 24)), layers.LSTM(2)])
    network.save(tmp_path / "sequence.keras")
    with pytest.raises(ModelError, match="sequence.keras: cannot be converted for LiteRT"):
        import_own(tmp_path / "sequence.keras", tmp_path / "m", name="m", classes=["a", "b"])


def test_a_saved_model_becomes_one_for_litert(tmp_path):
    network = classifying("softmax")
    network.export(tmp_path / "saved", verbose=False)
    assert is_own_network(tmp_path / "saved") and not is_own_network(tmp_path)
    entry = import_own(
        tmp_path / "saved",
        tmp_path / "model",
        name="saved",
        classes=["a", "b", "c"],
        pixel_range=(-1, 1),
    )
    assert list(entry["files"]) == ["litert"]
    with pytest.raises(ModelError, match='"saved" was made of a SavedModel'):
        load_network(tmp_path / "model")
    got = Classifier.load(tmp_path / "model", device="cpu").probabilities(PIXELS)
    expected = np.asarray(network(centre_view(PIXELS, 16)[None] / np.float32(127.5) - 1))[0]
    np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("taken", "given", "classes", "words"),
    [
        ((None, 8, 8, 1), (None, 2), 2, "not colour pictures"),
        ((None, 192), (None, 2), 2, "not colour pictures"),
        ((None, 8, 8, 3), (None, 3), 2, "gives 3 numbers and 2 classes are named"),
        ((None, 8, 8, 3), (None, 1), 3, "gives 1 numbers and 3 classes"),
        ((None, 8, 8, 3), (None, 100, 6), 6, "detectors are imported from Darknet"),
        ((None, 8, 12, 3), (None, 2), 2, "pictures of 12 x 8 pixels"),
    ],
)
def test_what_no_command_could_use_is_refused(taken, given, classes, words):
    with pytest.raises(ModelError, match=words):
        wrapping_of("own.keras", taken, given, "softmax", classes, (0, 255), None)


def test_another_size_than_its_own_is_refused():
    with pytest.raises(ModelError, match="pictures of 8 pixels only, not 16"):
        wrapping_of("own.keras", (None, 8, 8, 3), (None, 2), "softmax", 2, (0, 255), 16)


@pytest.mark.parametrize(("output", "expected"), [("sigmoid", 0.25), ("logits", 0.5622)])
def test_one_output_is_the_second_of_two_classes(output, expected):
    wrapping = wrapping_of("own.keras", (None, 8, 8, 3), (None, 1), output, 2, (0, 255), None)
    pixels = np.full((1, 1), 0.25, np.float32)
    outputs = np.asarray(wrapped(lambda x: x, wrapping, pixels))[0]
    np.testing.assert_allclose(outputs, [1 - expected, expected], atol=1e-4)


def test_what_the_numbers_are_is_seen_behind_a_layer_without_an_activation(tmp_path):
    """Probabilities that are averaged or enlarged stay probabilities; logits stay logits."""
    import keras
    from keras import layers

    pixels = keras.Input((16, 16, 3))
    parts = [classifying("softmax")(pixels), classifying("softmax")(pixels)]
    enlarged = layers.UpSampling2D()(layers.Conv2D(1, 2, strides=2, activation="sigmoid")(pixels))
    averaged = layers.Average()(parts)
    plain = layers.Reshape((3,))(classifying()(pixels))
    outputs = {"softmax": averaged, "sigmoid": enlarged, "logits": plain}
    for kind, output in outputs.items():
        keras.Model(pixels, output).save(tmp_path / "own.keras")
        classes = ["no", "yes"] if kind == "sigmoid" else ["a", "b", "c"]
        folder = tmp_path / kind
        import_own(tmp_path / "own.keras", folder, name="own", classes=classes)
        assert read_model_folder(folder).architecture["own"]["output"] == kind
