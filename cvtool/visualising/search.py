"""Search pictures for the patches that most excite a network's units.

After Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 4 and
figure 2: for a unit, the nine pictures of a set in which it responds most strongly, each cut to
what the unit sees there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from cvtool.engines import choose_engine
from cvtool.errors import OptionError
from cvtool.models.graph import follow
from cvtool.tensorflow_import import import_tensorflow
from cvtool.visualising.layers import Layer, choose_layers, find_layers
from cvtool.visualising.top_patches import LayerPatches, TopPatches
from cvtool.visualising.views import view_of

if TYPE_CHECKING:
    import keras

    from cvtool.pictures.sources import Picture

# Pictures at a time, and fewer of large ones: pixels, for which the finest maps take 1 GB or less.
BATCH = 16
BATCH_PIXELS = BATCH * 256 * 256
UNITS = 9
PATCHES = 9


def visualise(
    network: keras.Model,
    pictures: Iterable[Picture],
    size: int,
    *,
    layers: Sequence[str] = (),
    units: int | Sequence[int] = UNITS,
    patches: int = PATCHES,
    device: str = "auto",
) -> list[LayerPatches]:
    """Find, for units of layers, the patches of pictures that most excite them.

    The network sees the square in the middle of each picture. A unit is a channel, after
    the layer's normalisation and ReLU. Of each picture only the position counts where the unit
    responds most; what does not excite it (0 or less) does not count. The pictures pass by once
    and may be many: only the patches are kept.

    Args:
        network: from RGB pixels in [0, 255], float (N, H, W, 3), functional or sequential.
        pictures: as `read_pictures` gives them.
        size: side of the square that the network is shown, pixels.
        layers: names as `--list-layers` shows them; none for one of each stage.
        units: numbers of the units; or how many to choose, which are then the most selective:
            see `top_patches.TopPatches.selectivity`.
        patches: for each unit, at most one of a picture.
        device: "auto", "cpu" or "gpu".
    Returns:
        for each layer what was found; equal activations stand in the order of the pictures.
    Raises:
        ModelError: the network does not take pictures of that size.
        OptionError: an unknown layer or unit.
        DeviceError: as `engines.choose_engine`.
    """
    chosen = choose_layers(find_layers(network, size), layers)
    for layer in chosen:
        check_units(layer, units)
    respond = probe(network, chosen, size, device)
    tops = [TopPatches(layer, units, patches) for layer in chosen]
    stream = (view_of(picture, size) for picture in pictures)
    batch = max(1, min(BATCH, BATCH_PIXELS // size**2))
    while views := list(islice(stream, batch)):
        responses = respond(np.stack([view.pixels for view in views]))
        for top, (activations, places) in zip(tops, responses, strict=True):
            for view, *found in zip(views, activations, places, strict=True):
                top.add(view, *found)
    return [top.result() for top in tops]


def check_units(layer: Layer, units: int | Sequence[int]) -> None:
    """Refuse numbers of units that a layer does not have.

    Raises:
        OptionError: naming the first of them.
    """
    if isinstance(units, int):
        return
    missing = [unit for unit in units if not 0 <= unit < layer.units]
    if missing:
        raise OptionError(
            f"--units: layer {layer.name} has units 0 to {layer.units - 1}, and no {missing[0]}"
        )


def probe(
    network: keras.Model, layers: Sequence[Layer], size: int, device: str
) -> Callable[[np.ndarray], list[tuple[np.ndarray, np.ndarray]]]:
    """A function from pictures to the strongest response of each unit, and where it is.

    Args:
        network, size, device: as for `visualise`.
        layers: of that network, for that size.
    Returns:
        function of uint8 (N, size, size, 3) that gives for each layer the activations, float32
        (N, units), and the places, int (N, units): row x width of the map + column. Of equal
        ones the first.
    """
    where = "/GPU:0" if choose_engine(device) == "tensorflow" else "/CPU:0"
    tensorflow = import_tensorflow()
    wanted = {layer.name for layer in layers}

    # What no wanted layer depends on is traced too, but TensorFlow drops it from the graph.
    @tensorflow.function(
        input_signature=[tensorflow.TensorSpec((None, size, size, 3), tensorflow.uint8)],
        autograph=False,
    )
    def strongest(pixels):
        outputs = {}

        def visit(name: str, layer: Any, args: tuple, kwargs: dict) -> Any:
            result = layer(*args, **kwargs)
            if name in wanted:
                outputs[name] = result
            return result

        follow(network, tensorflow.cast(pixels, network.input.dtype), visit)
        return [_strongest(tensorflow, outputs[layer.name], layer) for layer in layers]

    def respond(pixels: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        with tensorflow.device(where):
            return [(values.numpy(), places.numpy()) for values, places in strongest(pixels)]

    return respond


def _strongest(tensorflow: Any, output: Any, layer: Layer) -> tuple[Any, Any]:
    """The largest activation of each unit over the map, and its place."""
    sees = layer.field.sees.ravel()
    flat = tensorflow.reshape(tensorflow.cast(output, "float32"), (-1, len(sees), layer.units))
    if not sees.all():
        # A position in the padding, which no picture could excite.
        flat = tensorflow.where(sees[:, None], flat, float("-inf"))
    return tensorflow.reduce_max(flat, axis=1), tensorflow.argmax(flat, axis=1)
