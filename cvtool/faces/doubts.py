"""Faces that may have been enrolled under a wrong name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cvtool.faces.known_faces import KnownFaces


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a face may be of another person.

    Attributes:
        index: position of the face among the new ones.
        other: the person whose face is as near; None where all other faces of the person it
            was enrolled for are far.
        distance: of the nearest of those faces, in [0, 4].
    """

    index: int
    other: str | None
    distance: float


def find_doubts(
    known: KnownFaces | None, name: str, embeddings, near: float, far: float
) -> list[Doubt]:
    """Look for faces near to somebody else, or far from all others of their person.

    Args:
        known: the gallery as it was; None for a new one.
        name: whom the new faces are enrolled for.
        embeddings: float32 (N, dimensions) of the new faces, rows of length 1.
        near: distance up to which a face of another person is remarkable.
        far: distance above which the nearest of the person's own faces is.
    """
    embeddings = np.asarray(embeddings, np.float32)
    doubts = []
    if known is not None:
        for index, people in enumerate(known.nearest(embeddings, most=2)):
            other = next((each for each in people if each.name != name), None)
            if other is not None and other.distance <= near:
                doubts.append(Doubt(index, other.name, other.distance))
    before = known.of(name) if known is not None else embeddings[:0]
    distances = 2 - 2 * embeddings @ np.concatenate([before, embeddings]).T
    # Not to itself.
    indices = np.arange(len(embeddings))
    distances[indices, len(before) + indices] = np.inf
    for index, row in enumerate(distances):
        nearest = float(row.min())
        if np.isfinite(nearest) and nearest > far:
            doubts.append(Doubt(index, None, min(nearest, 4.0)))
    return doubts
