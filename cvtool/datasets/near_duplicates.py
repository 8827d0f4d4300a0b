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
    distinct = list(alike.values())
    firsts = np.array([group[0] for group in distinct], np.int64)
    group_of = np.arange(len(firsts))  # the lowest place in `firsts` of each one's group
    bits, thumbnails = bits[firsts], thumbnails[firsts]
    limits = _limits(thumbnails)
    for one, other in _close_pairs(bits):
        apart = group_of[one] != group_of[other]
        one, other = one[apart], other[apart]
        same = _same_thumbnails(thumbnails, limits, one, other)
        _join(group_of, one[same], other[same])
    groups: dict[int, list[int]] = {}
    for place, group in enumerate(group_of.tolist()):
        groups.setdefault(group, []).extend(distinct[place])
    return [np.sort(np.array(group, np.int64)) for group in groups.values() if len(group) > 1]


def _join(group_of: np.ndarray, one: np.ndarray, other: np.ndarray) -> None:
    """Make one group of the groups of each pair; `group_of` is changed."""
    while (group_of[one] != group_of[other]).any():
        a, b = group_of[one], group_of[other]
        np.minimum.at(group_of, np.maximum(a, b), np.minimum(a, b))
        while (group_of[group_of] != group_of).any():
            group_of[:] = group_of[group_of]


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


def _limits(thumbnails: np.ndarray) -> np.ndarray:
    """float32 (M, 2): mean of each thumbnail (M, 256), and how far another may be from it."""
    contrast = thumbnails.std(axis=1, dtype=np.float32)
    furthest = np.minimum(_SAME + _SAME_CONTRAST * contrast, _SAME_AT_MOST)
    return np.stack([thumbnails.mean(axis=1, dtype=np.float32), furthest], axis=1)


def _same_thumbnails(
    thumbnails: np.ndarray, limits: np.ndarray, one: np.ndarray, other: np.ndarray
) -> np.ndarray:
    """bool (P,): whether the thumbnails (M, 256) of each pair agree."""
    furthest = np.minimum(limits[one, 1], limits[other, 1])
    # Means never differ by more than the root mean square does; most pairs end here.
    same = np.abs(limits[one, 0] - limits[other, 0]) <= furthest
    pairs = np.flatnonzero(same)
    step = _PAIRS_AT_ONCE // thumbnails.shape[1]
    for start in range(0, len(pairs), step):
        part = pairs[start : start + step]
        difference = thumbnails[one[part]].astype(np.float32) - thumbnails[other[part]]
        same[part] = np.sqrt(np.square(difference).mean(axis=1)) <= furthest[part]
    return same
