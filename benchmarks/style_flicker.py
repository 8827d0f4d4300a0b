"""Measure how much a stylized film flickers, against its source.

    python benchmarks/style_flicker.py [--model adain] [--style painting.jpg ...] [--frames 24]

Two films are made of scikit-image's photographs, with the noise of a camera: a pan, whose frames
are compared as they are seen and laid on each other again, and a standing picture through which a
bright object moves, compared where it is not. Flicker is the mean absolute change from a frame to
the next. It is printed for the source, for the film without smoothing, and with it; and as ratios
to the source's own.
"""

from __future__ import annotations

import argparse

import cv2
import numpy as np
import skimage.data

from cvtool.pictures.reading import read_picture
from cvtool.style.fast import FastStylizer
from cvtool.style.scene import Scene

HEIGHT, WIDTH = 256, 320
# Pixels of the pan from a frame to the next: no multiple of the networks' stride.
STEP = 3
# Standard deviation of the camera's noise, levels.
NOISE = 2
OBJECT = 72
# What the networks see beyond a pixel: how far the object changes a frame by itself.
REACH = 48


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="adain", help="a preset or a model's folder")
    parser.add_argument("--style", nargs="*", default=[], help="default: three photographs")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--smoothing", type=float, default=0.8)
    args = parser.parse_args()

    stylizer = FastStylizer.load(args.model, device="cpu")
    styles = [read_picture(path) for path in args.style]
    styles = styles or [skimage.data.coffee(), skimage.data.rocket(), skimage.data.chelsea()]
    for name, film, change in (
        ("pan, as seen", pan(args.frames), change_as_seen),
        ("pan, laid on each other", pan(args.frames), change_of_pan),
        ("object", moving_object(args.frames), change_beside_object),
    ):
        source = flicker(film, change)
        rows = {0.0: [], args.smoothing: []}
        for style in styles:
            for smoothing, figures in rows.items():
                scene = Scene(smoothing)
                made = [stylizer(frame, [style], scene=scene) for frame in film]
                figures.append(flicker(made, change))
        print(f"{name}: source {source:.2f} levels")
        for smoothing, figures in rows.items():
            mean = np.mean(figures)
            print(f"  smoothing {smoothing:g}: {mean:.2f} levels, ratio {mean / source:.2f}")


def pan(frames):
    """A window that moves over a photograph."""
    photo = cv2.resize(skimage.data.astronaut(), (640, 640), interpolation=cv2.INTER_CUBIC)
    return [noisy(photo[100 : 100 + HEIGHT, STEP * n : STEP * n + WIDTH], n) for n in range(frames)]


def change_as_seen(before, after, number):
    """The differences of two frames."""
    return np.abs(after - before)


def change_of_pan(before, after, number):
    """The differences of two frames where they show the same."""
    return np.abs(after[:, :-STEP] - before[:, STEP:])


def moving_object(frames):
    """A bright disc that moves through a standing picture, from the left."""
    photo = skimage.data.coffee()[:HEIGHT, :WIDTH]
    film = []
    for number in range(frames):
        frame = photo.copy()
        cv2.circle(frame, (object_place(number), HEIGHT // 4), OBJECT // 2, (250, 240, 60), -1)
        film.append(noisy(frame, number))
    return film


def object_place(number):
    """Column of the disc's centre."""
    return 6 * number - OBJECT // 2


def change_beside_object(before, after, number):
    """The differences of two frames far enough from the disc, which both are to its left."""
    first = max(0, object_place(number) + OBJECT // 2 + REACH)
    return np.abs(after[:, first:] - before[:, first:])


def noisy(picture, seed):
    """A picture as a camera takes it."""
    noise = np.random.default_rng(seed).normal(0, NOISE, picture.shape)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


def flicker(film, change):
    """Mean absolute change from each frame to the next, levels."""
    film = [frame.astype(np.float32) for frame in film]
    pairs = zip(film, film[1:], strict=False)
    return float(np.mean([change(a, b, n + 1).mean() for n, (a, b) in enumerate(pairs)]))


if __name__ == "__main__":
    main()
