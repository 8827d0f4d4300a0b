"""Fine-tuning: the head on cached features against without a cache; the loader's share.

    python benchmarks/classifier_training.py [--pictures 512] [--size 128]

Both head trainings run the same layer over the same pictures for as many epochs; with
the cache, the one pass that fills it is told apart. The loader's share is the CPU time of
going through an uncached epoch's batches with nothing else, as part of the CPU time of the
whole epoch: in the first epoch, which decodes the files, and in later ones.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import skimage.data

from cvtool.pictures.writing import write_picture
from cvtool.tensorflow_import import import_tensorflow


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=512)
    parser.add_argument("--size", type=int, default=128)
    args = parser.parse_args()
    import_tensorflow()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_pictures(Path(folder), args.pictures)
        compare_head(paths, args.size)
        measure_loader(paths, args.size)


def write_pictures(folder, count):
    """Parts of photographs as JPEG files of 224 px."""
    photos = [skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee()]
    rng, paths = np.random.default_rng(0), []
    for number in range(count):
        photo = photos[number % len(photos)]
        y, x = (int(rng.integers(side - 224)) for side in photo.shape[:2])
        paths.append(folder / f"{number:04}.jpg")
        write_picture(paths[-1], photo[y : y + 224, x : x + 224])
    return paths


def compare_head(paths, size, classes=10, epochs=3):
    import keras

    from cvtool.classification import networks
    from cvtool.classification.features import cached_features, train_head
    from cvtool.classification.release import release

    network, store, targets = start(paths, size, classes)
    everything = np.arange(len(paths))
    release(network, "head", size)
    extractor = networks.features_of(network)
    begin = time.perf_counter()
    features = cached_features(extractor, store, everything, None)
    filling = time.perf_counter() - begin
    clock = EpochClock()
    train_head(features, targets, epochs=epochs + 1, callbacks=[clock.callback])
    cached = clock.best()

    model = networks.logits_of(network)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    model.compile(keras.optimizers.AdamW(1e-3), loss, metrics=["accuracy"])
    clock = EpochClock()
    batches = training_batches(store, targets, everything, size)
    model.fit(batches, epochs=epochs, verbose=0, callbacks=[clock.callback])
    uncached = clock.best()
    print(f"{len(paths)} pictures of {size} px; filling the cache once: {filling:.2f} s")
    print(f"an epoch of the head on cached features: {cached:.3f} s; without: {uncached:.2f} s")
    print(f"ratio: {uncached / cached:.0f}")


def measure_loader(paths, size, classes=10):
    import keras

    from cvtool.classification import networks
    from cvtool.classification.release import release

    network, store, targets = start(paths, size, classes)
    release(network, "all", size, norms=True)
    model = networks.logits_of(network)
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True))
    everything = np.arange(len(paths))
    batches = training_batches(store, targets, everything, size)
    model.train_on_batch(*batches[0])  # traced
    for name, fresh in (("first epoch, files decoded", True), ("later epochs", False)):
        if fresh:
            store.kept.clear()
            store.bytes = 0
        begin = time.process_time()
        for index in range(len(batches)):
            batches[index]
        loader = time.process_time() - begin
        if fresh:
            store.kept.clear()
            store.bytes = 0
        begin = time.process_time()
        model.fit(batches, epochs=1, verbose=0)
        whole = time.process_time() - begin
        print(
            f"{name}: CPU time {whole:.1f} s, of the loader {loader:.2f} s; "
            f"the network's share: {1 - loader / whole:.3f}"
        )


def start(paths, size, classes):
    """The shipped backbone with a new head, the pictures, and made-up targets."""
    from cvtool.classification import networks
    from cvtool.classification.store import PictureStore
    from cvtool.models.presets import find_model

    network = networks.classifier(find_model("tiny200").architecture, classes)
    targets = np.eye(classes, dtype=np.float32)[np.arange(len(paths)) % classes]
    return network, PictureStore(paths, size), targets


def training_batches(store, targets, indices, size):
    from cvtool.classification.augmentation import AUGMENTATIONS
    from cvtool.classification.batches import ClassificationBatches

    return ClassificationBatches(
        store, targets, indices, side=size, batch=64, augmentation=AUGMENTATIONS["light"]
    )


class EpochClock:
    """Seconds of each epoch; the first one, which traces the step, does not count."""

    def __init__(self):
        import keras

        self.seconds = []
        self.callback = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: self.seconds.append(-time.perf_counter()),
            on_epoch_end=lambda epoch, logs: self.stop(),
        )

    def stop(self):
        self.seconds[-1] += time.perf_counter()

    def best(self):
        return min(self.seconds[1:])


if __name__ == "__main__":
    main()
