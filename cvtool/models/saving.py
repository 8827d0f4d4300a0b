"""Save a trained network so that every command can use it.

A saved model is a folder with model.json (one entry of presets.json and a
"name"), the Keras weights and the LiteRT file.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np

from cvtool.models.presets import FORMAT, MODEL_FILE
from cvtool.tensorflow_import import import_tensorflow, quiet_stderr


def save_model(network, folder, description, *, for_litert=None, float16=True):
    """Write NAME.weights.h5, NAME.tflite and model.json.

    Both files hold float16 numbers, half the size of float32, unless asked otherwise; the
    calculation is in float32 all the same.

    Args:
        network: keras.Model with one picture input (None, None, None, 3).
        folder: where to write; made if missing.
        description: dict with "name", "task" and the other keys of a presets.json
            entry, but "files".
        for_litert: the same network in a form that LiteRT runs faster; None for `network`.
        float16: False keeps float32, for weights that are to stay exactly as they are.
    Returns:
        the entry as written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    name = description["name"]
    weights, litert = folder / f"{name}.weights.h5", folder / f"{name}.tflite"
    if float16:
        save_float16_weights(network, weights)
    else:
        part = weights.with_name(f"part-{weights.name}")
        network.save_weights(part)
        os.replace(part, weights)
    export_litert(for_litert or network, litert, float16=float16)
    entry = (
        {"format": FORMAT}
        | description
        | {"files": {"litert": fingerprint(litert), "weights": fingerprint(weights)}}
    )
    replace_text(folder / MODEL_FILE, json.dumps(entry, indent=2) + "\n")
    return entry


def save_float16_weights(network, path):
    """Save a network's weights as float16; `load_weights` widens them again."""
    import h5py

    part = Path(path).with_name(f"part-{Path(path).name}")
    wide = Path(path).with_name(f"wide-{Path(path).name}")
    network.save_weights(wide)
    with h5py.File(wide) as source, h5py.File(part, "w") as target:

        def narrow(name, item):
            if isinstance(item, h5py.Dataset):
                values = item[()]
                target[name] = values.astype(np.float16) if values.dtype == np.float32 else values
            else:
                target.require_group(name)
            target[name].attrs.update(item.attrs)

        source.visititems(narrow)
        target.attrs.update(source.attrs)
    wide.unlink()
    os.replace(part, path)


def export_litert(network, path, *, float16=True):
    """Convert a network to a LiteRT file whose batch and picture size stay free.

    Args:
        network: keras.Model with one input.
        path: the .tflite file, replaced if it exists.
        float16: store the weights as float16.
    """
    tensorflow = import_tensorflow()
    # Not `network.input`, which a Sequential that was never called has not.
    (entry,) = network.inputs
    pixels = tensorflow.TensorSpec(entry.shape, entry.dtype, name="pixels")
    function = tensorflow.function(
        lambda pixels: network(pixels, training=False), input_signature=[pixels], autograph=False
    )
    with quiet_stderr():
        converter = tensorflow.lite.TFLiteConverter.from_concrete_functions(
            [function.get_concrete_function()], network
        )
        # Not by way of a SavedModel, which takes five times as long for the same operations.
        converter.experimental_lower_to_saved_model = False
        if float16:
            converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tensorflow.float16]
        content = converter.convert()
    part = Path(path).with_name(f"part-{Path(path).name}")
    part.write_bytes(content)
    os.replace(part, path)


def fingerprint(path):
    """A file's name, size and sha256, as presets.json keeps them."""
    content = Path(path).read_bytes()
    return {
        "file": Path(path).name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }


def replace_text(path, text):
    """Write a text file under a temporary name and rename it over the old one."""
    part = Path(path).with_name(f"part-{Path(path).name}")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
