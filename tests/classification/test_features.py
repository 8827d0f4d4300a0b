"""Features computed once: kept, found again, and enough for the head to learn from."""

import keras
import numpy as np
import pytest

from cvtool.classification import networks
from cvtool.classification.features import cached_features, train_head
from cvtool.classification.store import PictureStore
from cvtool.classification.views import centre_view
from cvtool.errors import OutputError, PictureError
from tiny_classes import write_class_folders

SIDE = 32


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = write_class_folders(tmp_path_factory.mktemp("shapes"), 3, side=36)
    return PictureStore(sorted(folder.rglob("*.png")), SIDE)


@pytest.fixture(scope="module")
def extractor():
    keras.utils.set_random_seed(0)
    architecture = {"network": "csp", "widths": [8, 8, 8, 16, 16], "depths": [1, 1, 1, 1]}
    return networks.features_of(networks.classifier(architecture, 3))


class Means:
    """Stands for a network: its features are the mean colours. Counts its calls."""

    def __init__(self):
        self.calls = 0

    def predict(self, batches, verbose):
        self.calls += 1
        views = [batches[i] for i in range(len(batches))]
        return np.concatenate(views).mean(axis=(1, 2)) / 7


def test_they_are_the_networks_within_half_precision(store, extractor, tmp_path):
    indices = [4, 0, 7]
    found = cached_features(extractor, store, indices, tmp_path / "f.npz", key="a")
    views = np.stack([centre_view(store[i], SIDE) for i in indices]).astype(np.float32)
    expected = np.asarray(extractor(views, training=False))
    assert found.dtype == np.float32 and found.shape == (3, 16) and expected.std() > 0.01
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-4)
    # Nothing more comes out of the file than went in: a resumed run sees the same numbers.
    again = cached_features(None, store, indices, tmp_path / "f.npz", key="a")
    assert (again == found).all() and again.dtype == np.float32


def test_the_file_spares_the_second_call(store, tmp_path):
    network, path = Means(), tmp_path / "f.npz"
    first = cached_features(network, store, [1, 2], path, key="a")
    second = cached_features(network, store, np.array([1, 2]), path, key="a")
    assert network.calls == 1 and (first == second).all()
    assert [p.name for p in tmp_path.iterdir()] == ["f.npz"]


def test_other_pictures_or_another_key_are_computed_anew(store, tmp_path):
    network, path = Means(), tmp_path / "f.npz"
    first = cached_features(network, store, [1, 2], path, key="a")
    for calls, (indices, key) in enumerate(
        [([2, 1], "a"), ([2, 1], "b"), ([2, 1, 0], "b"), ([1, 2], "a")], start=2
    ):
        found = cached_features(network, store, indices, path, key=key)
        assert network.calls == calls and len(found) == len(indices)
    assert (found == first).all()


def damage(path, kind):
    content = path.read_bytes()
    if kind == "cut":
        content = content[: len(content) // 2]
    elif kind == "bit":
        # In the features, which come first.
        content = content[:140] + bytes([content[140] ^ 255]) + content[141:]
    else:
        content = {"empty": b"", "text": b"no features"}[kind]
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["cut", "bit", "empty", "text"])
def test_a_damaged_file_is_made_anew(store, tmp_path, kind):
    network, path = Means(), tmp_path / "f.npz"
    first = cached_features(network, store, [1, 2], path)
    damage(path, kind)
    assert (cached_features(network, store, [1, 2], path) == first).all()
    assert network.calls == 2
    assert (cached_features(network, store, [1, 2], path) == first).all()
    assert network.calls == 2


def test_someone_elses_file_is_made_anew(store, tmp_path):
    network, path = Means(), tmp_path / "f.npz"
    np.savez(path, other=np.zeros(3))
    cached_features(network, store, [1], path)
    assert network.calls == 1


def test_no_file_keeps_none(store, tmp_path):
    network = Means()
    first = cached_features(network, store, [1, 2], None)
    assert (cached_features(network, store, [1, 2], None) == first).all()
    assert network.calls == 2


def test_mirror_images_have_their_own(tmp_path):
    class Left(Means):
        def predict(self, batches, verbose):
            return batches[0][:, :, : SIDE // 2].mean(axis=(1, 2))

    from cvtool.pictures.writing import write_picture

    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    pixels[:, : SIDE // 2] = 200
    write_picture(tmp_path / "a.png", pixels)
    store = PictureStore([tmp_path / "a.png"], SIDE)
    assert (cached_features(Left(), store, [0], None) == 200).all()
    assert (cached_features(Left(), store, [0], None, mirrored=True) == 0).all()


def test_a_place_that_cannot_be_written_is_named(store, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="f.npz: cannot be written"):
        cached_features(Means(), store, [1], tmp_path / "file" / "f.npz")


@pytest.mark.parametrize("before", [0, 128])
def test_a_picture_that_is_gone_is_named(store, extractor, tmp_path, before):
    # Keras looks into the first two batches of 64 in this thread and makes the rest in others.
    gone = PictureStore([store.paths[0], tmp_path / "gone.png"], SIDE)
    with pytest.raises(PictureError, match="gone.png"):
        cached_features(extractor, gone, [0] * before + [1], None)


def separable(count, seed):
    """Three clouds of features, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    centres = np.array([[9, 0, 0, 0, 0], [0, 9, 0, 0, 0], [0, 0, 9, 0, 0]], np.float32)
    features = centres[labels] + rng.normal(0, 1, (count, 5)) + [3, 3, 3, 3, 3]
    return features.astype(np.float32), labels


def test_the_head_learns_separable_features():
    features, labels = separable(150, 0)
    targets = np.eye(3, dtype=np.float32)[labels]
    seen, seen_labels = separable(100, 1)
    dev = (seen, np.eye(3, dtype=np.float32)[seen_labels])
    kernel, bias, history = train_head(
        features, targets, dev=dev, epochs=12, batch=5, dropout=0.0, seed=4
    )
    assert kernel.shape == (5, 3) and bias.shape == (3,)
    right = ((seen @ kernel + bias).argmax(axis=1) == seen_labels).mean()
    assert right > 0.95
    assert {name: len(values) for name, values in history.items()} == dict.fromkeys(
        ("loss", "accuracy", "cross_entropy", "val_loss", "val_accuracy", "val_cross_entropy"), 12
    )
    assert history["val_accuracy"][-1] == pytest.approx(right, abs=1e-6)


def test_the_same_seed_gives_the_same_head_of_several_labels():
    features, labels = separable(40, 2)
    # The first label is the first class; the second is not told of class 1.
    targets = np.stack([labels == 0, labels == 2], axis=1).astype(np.float32)
    targets[labels == 1, 1] = -1
    made = [
        train_head(features, targets, several=True, epochs=3, batch=500, seed=seed)
        for seed in (1, 1, 2)
    ]
    for a, b in zip(made[0][:2], made[1][:2], strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.abs(made[0][0] - made[2][0]).max() > 1e-3
    history = made[0][2]
    assert set(history) == {"loss"} and len(history["loss"]) == 3
    assert np.isfinite(history["loss"]).all()
