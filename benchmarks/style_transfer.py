"""Seconds an iteration of `cvtool stylize`, against a plain loop in Keras.

    python benchmarks/style_transfer.py [--size 512] [--iterations 30] [--network vgg-small]

The plain loop is that of Keras' documentation: at every step content, style and result go through
the network together, and a Keras optimizer takes one step; one compiled function, the same
network, layers, losses and size. Of cvtool's transfer the iterations at full size are timed.
Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time

from skimage import data

from cvtool.pictures.reading import read_picture
from cvtool.style.scales import resized, scale_sizes
from cvtool.style.settings import StyleSettings
from cvtool.style.transfer import transfer
from cvtool.tensorflow_import import import_tensorflow


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512, help="longer side, pixels")
    parser.add_argument("--iterations", type=int, default=30, help="of each way, at full size")
    parser.add_argument("--network", default="vgg-small")
    parser.add_argument("--style", help="a painting; default: a photograph of scikit-image")
    args = parser.parse_args()
    import_tensorflow()
    from cvtool.style.features import load_features

    content = data.astronaut()
    style = read_picture(args.style) if args.style else data.coffee()
    network = load_features(args.network, [content])
    ours = ours_seconds(network, content, style, args)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    plain = plain_seconds(network, content, style, args)
    print(
        json.dumps(
            {
                "network": args.network,
                "size": args.size,
                "seconds_an_iteration": {"cvtool": round(ours, 3), "plain": round(plain, 3)},
                "ratio": round(ours / plain, 3),
                "peak_megabytes_of_cvtool": round(memory),
            },
            indent=2,
        )
    )


def ours_seconds(network, content, style, args):
    """Median seconds an iteration of the last scale."""
    scales = len(scale_sizes(*content.shape[:2], args.size))
    times = []

    def on_step(step):
        if step.scale == step.scales:
            times.append(time.perf_counter())

    settings = StyleSettings(
        network=args.network, size=args.size, iterations=scales * args.iterations
    )
    transfer(content, [style], settings, network=network, on_step=on_step)
    return median_step(times)


def plain_seconds(network, content, style, args):
    """Median seconds a step of the plain loop."""
    import keras
    import numpy as np
    import tensorflow as tf

    from cvtool.style.features import CHOICES
    from cvtool.style.losses import content_loss, gram_matrix, style_loss, total_variation

    choice = CHOICES[args.network]
    names = [choice.content_layer, *choice.style_layers]
    extractor = keras.Model(network.input, [network.get_layer(name).output for name in names])
    size = scale_sizes(*content.shape[:2], args.size)[-1]
    content, style = (resized(p, size)[None].astype(np.float32) for p in (content, style))
    picture = tf.Variable(content)
    optimizer = keras.optimizers.Adam(4.0)
    optimizer.build([picture])

    @tf.function
    def gradient_of(picture):
        with tf.GradientTape() as tape:
            first, *others = extractor(tf.concat([content, style, picture], axis=0))
            loss = choice.content_weight * content_loss(first[2:], first[:1])
            for layer in others:
                grams = gram_matrix(layer[2:]), gram_matrix(layer[1:2])
                loss += choice.style_weight / len(others) * style_loss(*grams)
            loss += choice.tv_weight * total_variation(picture)
        return tape.gradient(loss, picture)

    times = []
    for _ in range(args.iterations):
        optimizer.apply([gradient_of(picture)], [picture])
        times.append(time.perf_counter())
    return median_step(times)


def median_step(times):
    """The first few steps still build and plan."""
    return statistics.median(b - a for a, b in zip(times[3:], times[4:], strict=False))


if __name__ == "__main__":
    main()
