"""Search a gallery's embeddings for the people nearest to a face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Near:
    """Someone in a gallery, and the squared distance of their nearest embedding, in [0, 4]."""

    name: str
    distance: float


@dataclass(frozen=True, slots=True, eq=False)
class KnownFaces:
    """The embeddings of a gallery, in memory. `gallery.Gallery.known_faces` reads them.

    Attributes:
        names: of the people, length P.
        embeddings: float32 (N, dimensions), rows of length 1, those of a person together.
        starts: int (P,), rising: the row at which each person's begin.
    """

    names: tuple[str, ...]
    embeddings: np.ndarray
    starts: np.ndarray

    def of(self, name: str) -> np.ndarray:
        """The embeddings of a person, float32 (N, dimensions); none of somebody unknown."""
        if name not in self.names:
            return self.embeddings[:0]
        return np.split(self.embeddings, self.starts[1:])[self.names.index(name)]

    def nearest(self, queries, most: int = 2) -> list[list[Near]]:
        """For each face, the people with the nearest embeddings.

        Args:
            queries: float32 (M, dimensions), rows of length 1.
            most: how many people to give, 1 or more; fewer where the gallery has fewer.
        Returns:
            M lists, the nearest first; a person's distance is that of the nearest embedding.
        """
        if not self.names:
            return [[] for _ in queries]
        # Squared distances of unit vectors, 2 - 2 a.b, by one matrix product.
        products = np.asarray(queries, np.float32) @ self.embeddings.T
        distances = 2 - 2 * np.maximum.reduceat(products, self.starts, axis=1)
        most = min(most, len(self.names))
        found = []
        for row in distances.clip(0, 4):
            best = np.argpartition(row, most - 1)[:most]
            best = best[np.argsort(row[best], kind="stable")]
            found.append([Near(self.names[i], float(row[i])) for i in best])
        return found
