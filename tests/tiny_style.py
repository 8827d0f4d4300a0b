"""The networks of instant styles, with few channels, as a saved model."""

from __future__ import annotations

WIDTHS, DEPTHS = (4, 4, 6, 8, 4), (1, 1, 1, 1, 1)
DECODER = ((8,), (8,), (6,), (4,))
# What the decoder reads.
LAYER = "block4_conv1"


def small_networks():
    """An encoder of `vgg_small` and its decoder, with random weights that give strong colours."""
    import keras

    from cvtool.style import adain, vgg_small

    keras.utils.set_random_seed(1)
    network = vgg_small.vgg_small(WIDTHS, DEPTHS)
    decoder = adain.decoder(WIDTHS[3], DECODER)
    last = decoder.get_layer("colours")
    last.set_weights([8 * last.get_weights()[0], last.get_weights()[1]])
    return network, decoder


def save_style(folder, network, decoder):
    """Save them as `export_style.py` does: the decoder, and inside it the encoder."""
    from cvtool.models.saving import save_model
    from cvtool.style.reflection import reflected

    common = {"description": "made for tests", "size": 64, "classes": []}
    encoder = save_model(
        network,
        folder / "vgg-small",
        common
        | {"name": "vgg-small", "task": "features"}
        | {"architecture": {"widths": WIDTHS, "depths": DEPTHS}},
        for_litert=reflected(network, LAYER),
    )
    described = {
        "encoder": "vgg-small",
        "encoder_sha256": encoder["files"]["litert"]["sha256"],
        "layer": LAYER,
        "channels": WIDTHS[3],
        "widths": DECODER,
    }
    save_model(
        decoder,
        folder,
        common | {"name": "tiny-adain", "task": "stylize", "architecture": described},
    )
    return folder
