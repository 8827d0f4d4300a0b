"""The same picture found again among many, in another size or compression.

A difference hash (N. Krawetz, "Kind of Like That", hackerfactor.com, 2013) proposes pairs and
small grey thumbnails confirm them: flat pictures, for one, share a hash without being alike.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

HASH_SHAPE = (8, 9)  # rows, columns: 8 differences of neighbours in each of 8 rows
THUMBNAIL_SIDE = 16
MAX_BITS = 2

# Brightness steps up to this many grey levels count as level; else the noise of compression
# would set the bits of plain backgrounds.
_LEVEL_STEP = 2
# Root mean square difference of thumbnails, in grey levels: up to _SAME + _SAME_CONTRAST times
# the standard deviation of the picture, but never over _SAME_AT_MOST.
_SAME, _SAME_CONTRAST, _SAME_AT_MOST = 1.5, 0.1, 8.0

_PAIRS_AT_ONCE = 4_000_000


def find_near_duplicates(gradients: np.ndarray, thumbnails: np.ndarray) -> list[np.ndarray]:
    """Group the pictures that are the same or nearly so.

    Two pictures are near-duplicates when their hashes differ in at most MAX_BITS of 64 bits and
    their thumbnails agree; a group holds all that are linked by such pairs. Hashes are cut into
    MAX_BITS + 1 bands, one of which must be equal in both, so only pictures with an equal band
    are compared.

    Args:
        gradients: uint8 (N, 8, 9), each picture in grey, shrunk to that size.
        thumbnails: uint8 (N, 16, 16), likewise.
    Returns:
        Groups of two or more, each int64 and sorted, in the order of their first picture.
    """
    bits = np.diff(gradients.astype(np.int16), axis=2) > _LEVEL_STEP
    bits = bits.reshape(len(bits), 64)
    thumbnails = thumbnails.reshape(len(thumbnails), THUMBNAIL_SIDE**2)
    # Any number of equal pictures count as one below, or their pairs could be too many.
    alike: dict[bytes, list[int]] = {}
    hashes = np.packbits(bits, axis=1)
    for index, (hash_, thumbnail) in enumerate(zip(hashes, thumbnails, strict=True)):
        alike.setdefault(hash_.tobytes() + thumbnail.tobytes(), []).append(index)
    firsts = np.array([group[0] for group in alike.values()], np.int64)

    parent = np.arange(len(bits))
    for group in alike.values():
        parent[group] = group[0]
    for one, other in _close_pairs(bits[firsts]):
        one, other = firsts[one], firsts[other]
        same = _same_thumbnails(thumbnails, one, other)
        for a, b in zip(one[same].tolist(), other[same].tolist(), strict=True):
            a, b = _root(parent, a), _root(parent, b)
            parent[max(a, b)] = min(a, b)
    groups: dict[int, list[int]] = {}
    for index in range(len(bits)):
        groups.setdefault(_root(parent, index), []).append(index)
    return [np.array(group, np.int64) for group in groups.values() if len(group) > 1]


def _root(parent: np.ndarray, index: int) -> int:
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = int(parent[index])
    return index


def _close_pairs(bits: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield arrays of pairs whose bits (M, 64) differ in at most MAX_BITS; some come twice."""
    # With +1 and -1 for the bits, the product of two hashes is 64 minus twice their distance.
    signs = np.where(bits, np.float32(1), np.float32(-1))
    bands = MAX_BITS + 1
    for band in range(bands):
        # Every third bit: neighbouring bits are alike, and would tell less apart.
        packed = np.packbits(bits[:, band::bands], axis=1)
        keys = np.zeros((len(bits), 4), np.uint8)
        keys[:, : packed.shape[1]] = packed
        keys = keys.view(np.uint32).ravel()
        order = np.argsort(keys, kind="stable")
        starts = np.flatnonzero(np.diff(keys[order], prepend=~keys[order[:1]]))
        for bucket in np.split(order, starts[1:]):
            if len(bucket) > 1:
                yield from _close_in_bucket(bucket, signs)


def _close_in_bucket(
    bucket: np.ndarray, signs: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    rows = max(1, _PAIRS_AT_ONCE // len(bucket))
    for start in range(0, len(bucket), rows):
        some, rest = bucket[start : start + rows], bucket[start:]
        close = signs[some] @ signs[rest].T >= 64 - 2 * MAX_BITS
        one, other = np.nonzero(np.triu(close, 1))
        if len(one):
            yield some[one], rest[other]


def _same_thumbnails(thumbnails: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """bool (P,): whether the thumbnails (N, 256) of each pair agree."""
    same = np.zeros(len(one), bool)
    step = _PAIRS_AT_ONCE // thumbnails.shape[1]
    for start in range(0, len(one), step):
        part = slice(start, start + step)
        a = thumbnails[one[part]].astype(np.float32)
        b = thumbnails[other[part]].astype(np.float32)
        difference = np.sqrt(np.square(a - b).mean(axis=1))
        contrast = np.minimum(a.std(axis=1), b.std(axis=1))
        same[part] = difference <= np.minimum(_SAME + _SAME_CONTRAST * contrast, _SAME_AT_MOST)
    return same
