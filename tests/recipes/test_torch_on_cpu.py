"""Training under torch: the fast layers against Keras' own. Only where torch is installed."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from recipe_runs import RECIPES

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs pip install torch"
)

# Smooth activations: where rounding turns a ReLU on or off, gradients differ by percents.
TRAINING = """
import collections, json, sys
import keras, numpy as np, torch
from keras import layers

checked, check = collections.Counter(), layers.Layer.__call__

def counted(layer, *args, **kwargs):
    checked[type(layer).__name__] += 1
    return check(layer, *args, **kwargs)

layers.Layer.__call__ = counted
sys.path.insert(0, sys.argv[1])
import torch_on_cpu
from torch_on_cpu import speed_up_training

for name in ("_clip_gradients", "_update_averages"):
    def replacing(*args, name=name, part=getattr(torch_on_cpu, name)):
        checked[name] += 1
        return part(*args)
    setattr(torch_on_cpu, name, replacing)

if sys.argv[2] == "fast":
    speed_up_training()
    speed_up_training()
    assert hasattr(keras.layers.Conv2D.convolution_op, "plain")
keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
pixels = x = keras.Input((9, 9, 16))
for filters, padding, stride, frozen in (
    (16, "same", 1, False), (24, "valid", 2, False), (24, "same", 2, False), (8, "same", 1, True)
):
    if padding == "valid":
        x = layers.ZeroPadding2D(1)(x)
    x = layers.Conv2D(filters, 3, stride, padding=padding)(x)
    x = layers.BatchNormalization(trainable=not frozen)(x)
    x = layers.Activation("tanh")(x)
x = layers.Add()([x, layers.Conv2D(8, 1, dilation_rate=2, activation="tanh")(x)])
x = layers.Concatenate()([x, layers.SeparableConv2D(4, 3, padding="same")(x)])
x = layers.BatchNormalization(center=False, scale=False)(x)
enlarged = [layers.Conv2DTranspose(4, 2, 2)(x), layers.Conv2DTranspose(4, 3, 2, padding="same")(x)]
x = layers.Concatenate()(enlarged)
x = layers.Conv2DTranspose(6, (1, 3), (1, 3), use_bias=False, activation="tanh")(x)
x = layers.Dense(5)(layers.GlobalAveragePooling2D()(x))
model = keras.Model(pixels, x)
for variable in model.trainable_variables:
    variable.assign(rng.normal(0, 0.3, variable.shape))
pictures, targets = rng.normal(size=(8, 9, 9, 16)), rng.normal(size=(8, 5))
# A norm that the gradients are over.
optimizer = keras.optimizers.SGD(0.5, global_clipnorm=0.1, use_ema=True, ema_momentum=0.8)
model.compile(optimizer, "mse")
outputs = [model.predict_on_batch(pictures)]
for _ in range(2):
    checked.clear()
    model.train_on_batch(pictures, targets)
# Between the layers that are replaced nothing is checked.
slow = {"Functional", "Conv2DTranspose", "SeparableConv2D", "GlobalAveragePooling2D", "Dense"}
if sys.argv[2] == "fast":
    assert set(checked) == {*slow, "_clip_gradients", "_update_averages"}, checked
    for value in (0.01, 100.0, float("nan"), float("inf")):
        gradients = [torch.full((3,), value), torch.full((2, 2), 0.02)]
        plain = type(optimizer)._clip_gradients.plain(optimizer, gradients)
        for ours, theirs in zip(optimizer._clip_gradients(gradients), plain, strict=True):
            torch.testing.assert_close(ours, theirs, equal_nan=True)
else:
    assert set(checked) > slow, checked
outputs += [model.predict_on_batch(pictures), *model.get_weights()]
outputs += [variable.numpy() for variable in optimizer.variables]
print(json.dumps([np.asarray(values).tolist() for values in outputs]))
"""


def train(way):
    done = subprocess.run(
        [sys.executable, "-c", TRAINING, str(RECIPES), way],
        env=os.environ | {"KERAS_BACKEND": "torch"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_fast_layers_train_as_those_of_keras():
    plain, fast = train("plain"), train("fast")
    assert len(plain) == len(fast) > 20
    for expected, value in zip(plain, fast, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-3, atol=1e-4)
