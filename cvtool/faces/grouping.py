"""Group embeddings of faces by person."""

from __future__ import annotations

import numpy as np

# Distances of two groups that differ by no more are the same, for they are rounded.
_ROUNDING = 1e-9


def group_faces(embeddings, threshold: float) -> tuple[list[list[int]], list[int]]:
    """Group embeddings by person: agglomerative clustering with average linkage.

    The distance of two groups is the mean squared distance between a face of one and a face of
    the other; the nearest two groups are merged as long as it is at most the threshold. The mean,
    because a threshold is measured on pairs of faces: by the nearest pair (single linkage), one
    blurred face that resembles two people would make them one; by the farthest (complete), a
    person's group would break on the two least alike of their pictures.

    For embeddings of length 1 that mean is 2 - 2 a.b of the two groups' mean embeddings, so the
    groups are found by nearest-neighbour chains (Murtagh 1983, "A survey of recent advances in
    hierarchical clustering algorithms") with memory in proportion to the number of faces, not to
    its square. The groups are those of `scipy.cluster.hierarchy` on the matrix of all distances.

    Args:
        embeddings: float (N, dimensions), rows of length 1.
        threshold: squared distance, in [0, 4].
    Returns:
        the positions of each group of two or more faces, rising, the largest group first; and the
        positions of those alone.
    """
    means = np.array(embeddings, np.float64)
    members = [[position] for position in range(len(means))]
    # Groups that may still be merged.
    active = np.ones(len(means), bool)
    chain: list[int] = []
    while active.any():
        if not chain:
            chain.append(int(np.argmax(active)))
        tip = chain[-1]
        nearest, distance = _nearest(means, active, tip, chain[-2] if len(chain) > 1 else None)
        if nearest is None or distance > threshold:
            # Merging others never brings one nearer than the nearer of the two was, so this
            # group is complete.
            active[tip] = False
            chain.pop()
        elif len(chain) > 1 and nearest == chain[-2]:
            # Each the other's nearest.
            del chain[-2:]
            sizes = len(members[tip]), len(members[nearest])
            means[nearest] = np.average(means[[tip, nearest]], axis=0, weights=sizes)
            members[nearest] += members[tip]
            members[tip] = []
            active[tip] = False
        else:
            chain.append(nearest)
    groups = sorted((sorted(group) for group in members if group), key=lambda g: (-len(g), g[0]))
    return [g for g in groups if len(g) > 1], [g[0] for g in groups if len(g) == 1]


def _nearest(means, active, tip: int, previous: int | None) -> tuple[int | None, float]:
    """The active group nearest to one, and how far it is; of equally near ones, the previous."""
    # Not by the threads of a matrix product: for so little work at a time, they wait for each other
    # many times as long wherever another program keeps the cores busy.
    products = np.einsum("ij,j->i", means, means[tip])
    distances = np.where(active, 2 - 2 * products, np.inf)
    distances[tip] = np.inf
    nearest = int(np.argmin(distances))
    distance = float(distances[nearest])
    if not np.isfinite(distance):
        return None, distance
    if previous is not None and distances[previous] <= distance + _ROUNDING:
        return previous, float(distances[previous])
    return nearest, distance
