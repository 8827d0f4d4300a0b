"""Folders of people whose faces are found: one face in as many colours as there are people."""

from __future__ import annotations

import numpy as np

from cvtool.pictures.writing import write_picture
from tiny_facenet import portrait


def write_people(folder, people=12, pictures=5, *, first=0, of=16):
    """Write `folder/pNN/N.png`, each of a person's pictures in another light and size.

    Args:
        people, pictures: how many, and of each of them.
        first: number of the first person, whose colour is that of `of` people.
    Returns:
        the folder.
    """
    for person in range(first, first + people):
        rng = np.random.default_rng(person + 300)
        for number in range(pictures):
            side = int(rng.integers(150, 200))
            pixels = portrait(180 * person // of - 5, mirrored=number % 2 == 1, side=side)
            # As different as two neighbouring colours, so that it takes learning to see past it.
            light = rng.uniform(0.65, 1.1) * np.linspace(*rng.uniform(0.8, 1.1, 2), side)
            pixels = (pixels * light[None, :, None]).clip(0, 255).astype(np.uint8)
            write_picture(folder / f"p{person:02}" / f"{number}.png", pixels)
    return folder
