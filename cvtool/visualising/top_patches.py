"""The patches that excite the units of a layer most, of pictures that pass by once."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np

from cvtool.visualising.layers import Layer
from cvtool.visualising.views import Box, View

# Two units that have more of their patches than this from the same pictures show one thing.
MOST_SHARED = 1 / 3


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A part of a picture that excites a unit.

    Attributes:
        picture: its name.
        frame: number of a video's frame; None for a still picture.
        box: x1, y1, x2, y2 of the unit's receptive field in pixels of the picture, cut to the
            square in its middle that the network saw.
        position: row and column in the layer's map.
        activation: of the unit there, above 0.
        pixels: uint8 (h, w, 3) RGB, what is in the box, shrunk where it is large.
    """

    picture: str
    frame: int | None
    box: tuple[float, float, float, float]
    position: tuple[int, int]
    activation: float
    pixels: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """The patch as the documented JSON object."""
        frame = {} if self.frame is None else {"frame": self.frame}
        return {
            "picture": self.picture,
            **frame,
            "box": [round(edge, 2) for edge in self.box],
            "position": list(self.position),
            "activation": self.activation,
        }


@dataclass(frozen=True, slots=True, eq=False)
class UnitPatches:
    """What excites one unit.

    Attributes:
        unit: its number.
        patches: strongest first; fewer than asked for where fewer pictures excite it.
    """

    unit: int
    patches: tuple[Patch, ...]

    @property
    def activation(self) -> float:
        """The highest; 0 where no picture excites the unit."""
        return self.patches[0].activation if self.patches else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The unit as the documented JSON object."""
        return {
            "unit": self.unit,
            "activation": self.activation,
            "patches": [patch.to_dict() for patch in self.patches],
        }


@dataclass(frozen=True, slots=True, eq=False)
class LayerPatches:
    """What excites units of a layer.

    Attributes:
        layer: the layer.
        units: in the order asked for, or by number.
        pictures: how many were looked at.
    """

    layer: Layer
    units: tuple[UnitPatches, ...]
    pictures: int

    def to_dict(self) -> dict[str, Any]:
        """The layer as the documented JSON object."""
        return {
            **self.layer.to_dict(),
            "units": [unit.to_dict() for unit in self.units],
        }


class TopPatches:
    """The most exciting patches of a layer's units so far.

    Args:
        layer: the layer.
        units: numbers of the units, or how many are to be chosen at the end.
        patches: how many to keep for each unit, of different pictures.
    """

    def __init__(self, layer: Layer, units: int | Sequence[int], patches: int):
        self.layer = layer
        self.wanted = units
        self.patches = patches
        self.tracked = np.arange(layer.units) if isinstance(units, int) else np.array(units)
        # (-activation, number of the picture, patch): sorted, the strongest first.
        self.kept: list[list[tuple[float, int, Patch]]] = [[] for _ in self.tracked]
        # What a unit's response must exceed to be kept.
        self.least = np.zeros(len(self.tracked))
        self.sums = np.zeros((2, len(self.tracked)))
        self.pictures = 0

    def add(self, view: View, activations: np.ndarray, places: np.ndarray) -> None:
        """Take in a picture.

        Args:
            view: the picture.
            activations: float (units,), the strongest of each unit.
            places: int (units,), where: row x width of the map + column.
        """
        activations, places = activations[self.tracked], places[self.tracked]
        self.sums += np.maximum(activations, 0), np.maximum(activations, 0) ** 2
        width = len(self.layer.field.columns)
        cut: dict[Box, np.ndarray] = {}  # units may share a place, and in deep layers many do
        for index in np.flatnonzero(activations > self.least):
            position = divmod(int(places[index]), width)
            box = self.layer.field.box(*position)
            shown = self.layer.shown_box(*position)
            if shown not in cut:
                cut[shown] = view.patch(shown)
            patch = Patch(
                picture=view.picture,
                frame=view.frame,
                box=view.box(box),
                position=position,
                activation=float(activations[index]),
                pixels=cut[shown],
            )
            self._keep(index, patch)
        self.pictures += 1

    def _keep(self, index: int, patch: Patch) -> None:
        kept = self.kept[index]
        # The number of the picture decides between equal ones: the earlier stays in front.
        insort(kept, (-patch.activation, self.pictures, patch), key=itemgetter(0, 1))
        del kept[self.patches :]
        if len(kept) == self.patches:
            self.least[index] = -kept[-1][0]

    def result(self) -> LayerPatches:
        """What was found, for the units asked for or for those that are chosen now."""
        indices = range(len(self.tracked))
        if isinstance(self.wanted, int):
            indices = self._chosen(self.wanted)
        units = tuple(
            UnitPatches(int(self.tracked[index]), tuple(patch for *_, patch in self.kept[index]))
            for index in indices
        )
        return LayerPatches(self.layer, units, self.pictures)

    def selectivity(self) -> np.ndarray:
        """How far each unit's patches stand out from its response to other pictures.

        The mean activation of its patches less the mean over all pictures, in standard
        deviations over the pictures; of each picture the strongest response counts. A tenth of
        the layer's usual activation is added to the deviation, or units that hardly respond
        would stand out most.

        Returns:
            float (units,); 0 where no picture excites the unit.
        """
        means = [np.mean([-entry[0] for entry in kept]) if kept else 0.0 for kept in self.kept]
        tops = np.array(means)
        mean, mean_square = self.sums / max(self.pictures, 1)
        deviation = np.sqrt(np.maximum(mean_square - mean**2, 0))
        return (tops - mean) / np.maximum(deviation + np.median(tops) / 10, 1e-12)

    def _chosen(self, count: int) -> list[int]:
        """The most selective units, by number; those last that show what another one shows."""
        # Units that few pictures excite come last: there is little to see.
        found = [len(kept) for kept in self.kept]
        order = np.lexsort((-self.selectivity(), np.negative(found))).tolist()
        pictures = [{number for _, number, _ in kept} for kept in self.kept]
        alone: list[int] = []
        for index in order:
            if len(alone) == count:
                break
            most = MOST_SHARED * len(pictures[index])
            if all(len(pictures[index] & pictures[other]) <= most for other in alone):
                alone.append(index)
        rest = [index for index in order if index not in set(alone)]
        return sorted((alone + rest)[:count])
