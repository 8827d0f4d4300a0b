"""Time instant styles for a picture, against the same networks in Keras.

    python benchmarks/fast_style.py [--model adain] [--size 512] [--rounds 10]

Both are given the style's statistics; only the content goes through encoder and decoder. With
`--memory` the peak memory of the process with LiteRT alone is printed, and Keras is left out.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time

import skimage.data

from cvtool.style.fast import FastStylizer, build, build_encoder
from cvtool.style.scales import resized


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="adain", help="a preset or a model's folder")
    parser.add_argument("--size", type=int, default=512, help="side of the picture, pixels")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--memory", action="store_true")
    args = parser.parse_args()

    content = resized(skimage.data.astronaut(), (args.size, args.size))
    style = skimage.data.coffee()
    ours = FastStylizer.load(args.model, device="cpu")
    seconds = time_pictures(ours, content, style, args.rounds)
    print(f"LiteRT: {seconds:.2f} s a picture of {args.size} px")
    if args.memory:
        print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
        return
    other = time_pictures(with_keras(args.model), content, style, args.rounds)
    print(f"Keras predict: {other:.2f} s")
    print(f"ratio: {seconds / other:.2f}")


def time_pictures(stylizer, content, style, rounds):
    """Median seconds; the first two, which plan memory and trace, do not count."""
    times = []
    for _ in range(rounds + 2):
        start = time.perf_counter()
        stylizer(content, [style])
        times.append(time.perf_counter() - start)
    return statistics.median(times[2:])


def with_keras(model):
    """The same stylizer with networks that run by Keras' `predict`."""
    from cvtool.models.presets import find_model, preset_file
    from cvtool.style.fast import encoder_of
    from cvtool.tensorflow_import import import_tensorflow

    import_tensorflow()
    preset = find_model(model)
    encoder = encoder_of(preset)
    engines = []
    layer = preset.architecture["layer"]
    for network, described in ((build_encoder(encoder, layer), encoder), (build(preset), preset)):
        network.load_weights(preset_file(described, "weights"))
        engines.append(KerasEngine(network))
    return FastStylizer(preset, *engines)


class KerasEngine:
    """A network by Keras' own prediction loop."""

    name = "keras"

    def __init__(self, network):
        self.network = network

    def __call__(self, values):
        return self.network.predict(values, verbose=0)


if __name__ == "__main__":
    main()
