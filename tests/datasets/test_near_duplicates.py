import numpy as np
import pytest
from PIL import Image

from cvtool.datasets.near_duplicates import find_near_duplicates


def shrink(pictures):
    def all_to(width, height):
        small = [Image.fromarray(p).resize((width, height), Image.BILINEAR) for p in pictures]
        return np.array([np.asarray(image) for image in small], np.uint8)

    return all_to(9, 8), all_to(16, 16)


def groups(gradients, thumbnails):
    return [group.tolist() for group in find_near_duplicates(gradients, thumbnails)]


def drawn(count, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (count, 7, 7), np.uint8)
    return [np.asarray(Image.fromarray(n).resize((64, 64), Image.BICUBIC)) for n in noise]


def brute_force(gradients, thumbnails):
    """Pairs by the definition, without bands."""
    bits = (np.diff(gradients.astype(int), axis=2) > 2).reshape(len(gradients), -1)
    small = thumbnails.reshape(len(thumbnails), -1).astype(float)
    pairs = set()
    for i in range(len(bits)):
        for j in range(i + 1, len(bits)):
            apart = np.sqrt(((small[i] - small[j]) ** 2).mean())
            limit = min(1.5 + 0.1 * min(small[i].std(), small[j].std()), 8)
            if (bits[i] != bits[j]).sum() <= 2 and apart <= limit:
                pairs.add((i, j))
    return pairs


def test_finds_what_comparing_all_pairs_finds():
    rng = np.random.default_rng(3)
    pictures = drawn(60)
    for picture in pictures[:40]:
        noise = rng.normal(0, rng.uniform(0, 25), (8, 8))
        noise = np.kron(noise, np.ones((8, 8)))
        pictures.append(np.clip(picture + noise, 0, 255).astype(np.uint8))
    gradients, thumbnails = shrink(pictures)
    pairs = brute_force(gradients, thumbnails)
    assert 5 < len(pairs) < 38  # some of the noisy copies are too far off
    assert sorted(map(tuple, groups(gradients, thumbnails))) == sorted(pairs)


def test_links_make_one_group():
    gradients = np.tile(np.arange(0, 90, 10, np.uint8), (4, 8, 1))
    thumbnails = np.full((4, 16, 16), 100, np.uint8)
    thumbnails += np.array([0, 40, 1, 2], np.uint8)[:, None, None]
    # 0 and 3 are too far apart for a pair (2 levels), but 2 lies between.
    assert groups(gradients, thumbnails) == [[0, 2, 3]]
    assert groups(gradients[[0, 3]], thumbnails[[0, 3]]) == []


def test_flat_pictures_are_told_apart():
    flat = [np.full((20, 20), level, np.uint8) for level in range(0, 250, 10)]
    assert groups(*shrink(flat)) == []
    assert groups(*shrink([*flat, flat[3]])) == [[3, 25]]


def test_very_many_equal_pictures():
    gradients, thumbnails = shrink([*drawn(2), np.zeros((9, 9), np.uint8)])
    many = np.repeat([2, 0, 2, 1], [20_000, 1, 20_000, 1])
    (group,) = groups(gradients[many], thumbnails[many])
    assert len(group) == 40_000 and group == sorted(group) and 20_000 not in group


@pytest.mark.parametrize("count", [0, 1])
def test_next_to_nothing(count):
    assert groups(*(part[:count] for part in shrink(drawn(2)))) == []
