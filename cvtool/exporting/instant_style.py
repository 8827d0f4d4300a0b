"""Instant styles as one network: two pictures in, one out (Huang and Belongie 2017)."""

from __future__ import annotations

import keras
from keras import layers

from cvtool.engines import load_weights
from cvtool.models.presets import Preset, preset_file
from cvtool.style import fast
from cvtool.style.adain import adain, statistics


@keras.saving.register_keras_serializable("cvtool")
class StyleExchange(layers.Layer):
    """Give the content's features the mean and deviation of the style's (equation 8)."""

    def call(self, inputs):
        content, style = inputs
        return adain(content, *statistics(style))

    def compute_output_shape(self, shapes):
        return shapes[0]


def instant_style(preset: Preset) -> keras.Model:
    """The encoder, the exchange of statistics and the decoder of a preset of task "stylize".

    Returns:
        keras.Model from [content, style], RGB pixels in [0, 255], float (N, H, W, 3) each, to
        the content in the style, float32 (N, H, W, 3); sides are multiples of the decoder's
        stride, at least two of it.
    Raises:
        ModelError: damaged files, or no encoder that belongs to it.
    """
    encoder_preset = fast.encoder_of(preset)
    encoder = fast.build_encoder(encoder_preset, preset.architecture["layer"])
    load_weights(encoder, preset_file(encoder_preset, "weights"))
    decoder = fast.build(preset)
    load_weights(decoder, preset_file(preset, "weights"))
    content, style = (keras.Input((None, None, 3), name=name) for name in ("content", "style"))
    exchanged = StyleExchange(name="exchange")([encoder(content), encoder(style)])
    return keras.Model([content, style], decoder(exchanged), name="instant_style")
