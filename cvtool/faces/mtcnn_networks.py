"""MTCNN's three networks as LiteRT files, with the weights that the package `mtcnn` carries.

Importing that package means importing TensorFlow, which takes seconds. So the networks are
exported once into the cache folder, and run without it from then on.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from cvtool.engines import LiteRTEngine
from cvtool.errors import ModelError
from cvtool.models.cache import cache_folder
from cvtool.tensorflow_import import import_tensorflow, quiet_stderr


class Networks(NamedTuple):
    """The three stages (Zhang et al. 2016, figure 2), each from RGB pixels in [0, 255].

    Attributes:
        proposal: P-Net, (1, H, W, 3) to (1, h, w, 5): four corrections of a cell's box, as
            shares of its sides, and how sure it is of a face.
        refinement: R-Net, (N, 24, 24, 3) to (N, 5): as above.
        output: O-Net, (N, 48, 48, 3) to (N, 15): as above, then the x of five landmarks and
            their y, as shares of the box's sides.
    """

    proposal: LiteRTEngine
    refinement: LiteRTEngine
    output: LiteRTEngine


def load_networks(threads=None):
    """Load the three networks; the first time, export them into the cache folder.

    Args:
        threads: see `LiteRTEngine`.
    Returns:
        Networks.
    Raises:
        ModelError: they cannot be written there.
    """
    folder = cache_folder() / f"mtcnn-{version('mtcnn')}"
    files = [folder / f"{name}.tflite" for name in Networks._fields]
    if not all(file.exists() for file in files):
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix="mtcnn-part-") as part:
                export_networks(Path(part))
                folder.mkdir(exist_ok=True)
                # One by one, whole: another process may be doing the same.
                for file in files:
                    os.replace(Path(part) / file.name, file)
        except OSError as error:
            raise ModelError(
                f"{folder}: cannot be written ({error.strerror}); set CVTOOL_CACHE to another "
                "folder"
            ) from error
    try:
        return Networks(*(LiteRTEngine(file, threads) for file in files))
    except ModelError:
        # Whatever happened to them, they can be made again.
        shutil.rmtree(folder, ignore_errors=True)
        raise


def export_networks(folder):
    """Write proposal.tflite, refinement.tflite and output.tflite into a folder."""
    import_tensorflow()
    from cvtool.models.saving import export_litert

    with quiet_stderr():
        for name, network in zip(Networks._fields, keras_networks(), strict=True):
            export_litert(network, folder / f"{name}.tflite", float16=False)


def keras_networks():
    """The package's networks with one output each, see `Networks`: three keras.Models."""
    import keras
    from mtcnn.network.onet import ONet
    from mtcnn.network.pnet import PNet
    from mtcnn.network.rnet import RNet
    from mtcnn.utils.tensorflow import load_weights

    networks = []
    for kind, file, side in ((PNet, "pnet", None), (RNet, "rnet", 24), (ONet, "onet", 48)):
        inner = kind()
        inner.build()
        inner.set_weights(load_weights(f"{file}.lz4"))
        pixels = keras.Input((side, side, 3), name="pixels")
        scaled = keras.layers.Rescaling(1 / 128, offset=-127.5 / 128)(pixels)
        boxes, *landmarks, faces = inner(scaled)
        sure = faces[..., 1:]
        networks.append(keras.Model(pixels, keras.ops.concatenate([boxes, sure, *landmarks], -1)))
    return networks
