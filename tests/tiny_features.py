"""A small untrained feature network for style transfer, and smooth pictures to try it on."""

from contextlib import contextmanager

import cv2
import keras
import numpy as np

from cvtool.style.vgg_small import normalise_responses, vgg_small


def small_network(seed=0, widths=(4, 6, 8, 8, 8)):
    """Of the shape of the shipped feature network, with fewer filters; normalised."""
    keras.utils.set_random_seed(seed)
    network = vgg_small(widths=widths)
    pictures = np.random.default_rng(seed).integers(0, 256, (2, 96, 96, 3), np.uint8)
    normalise_responses(network, pictures)
    return network


def smooth(shape, seed, blur=4):
    """uint8 (*shape, 3): patches of random colours."""
    noise = np.random.default_rng(seed).normal(size=(*shape, 3)).astype(np.float32)
    patches = cv2.GaussianBlur(noise, (0, 0), blur)
    patches = (patches - patches.min()) / np.ptp(patches)
    return np.rint(255 * patches).astype(np.uint8)


@contextmanager
def eager_functions():
    """While it lasts nothing is compiled, which takes longer than a few iterations."""
    import tensorflow

    tensorflow.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tensorflow.config.run_functions_eagerly(False)
