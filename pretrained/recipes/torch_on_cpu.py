"""Training under Keras' torch backend on a CPU with bfloat16 matrix instructions (AMX).

Three of its parts are replaced by the same mathematics in a form that such a CPU computes fast;
`benchmarks/training_backends.py` compares results and seconds. Without them torch is about as
fast as TensorFlow, with them about twice as fast.
"""

from __future__ import annotations

import functools

import keras

# The library that convolves sums a kernel's gradient row by row, and is slow where the rows of a
# feature map are no longer than this; there it is one matrix product instead.
SHORT_ROW = 6

# Layers whose `call` needs nothing that `Layer.__call__` adds for symbolic or foreign inputs.
DIRECT = ("Conv2D", "BatchNormalization", "Activation", "ZeroPadding2D", "Add", "Concatenate")


def use_fast_layers():
    """Let networks train fast on a CPU under torch; changes nothing under other backends.

    Replaces methods of Keras' layers for this process, once.
    """
    if keras.backend.backend() != "torch":
        return
    import torch

    if torch.cuda.is_available() or getattr(keras.layers.Conv2D, "is_fast", False):
        return
    keras.layers.Conv2D.is_fast = True
    keras.layers.Conv2D.convolution_op = _faster(
        keras.layers.Conv2D.convolution_op, _convolution_op, _is_plain_convolution
    )
    keras.layers.BatchNormalization.call = _faster(
        keras.layers.BatchNormalization.call, _batch_norm, _is_plain_batch_norm
    )
    for name in DIRECT:
        _call_directly(getattr(keras.layers, name))


def _faster(method, fast, applies):
    """A method that is `fast` for layers for which that `applies`, and `method` for others."""

    # Keras reads the names of the arguments.
    @functools.wraps(method)
    def either(layer, *args, **kwargs):
        return (fast if applies(layer) else method)(layer, *args, **kwargs)

    return either


def _call_directly(layer_class):
    """Let layers of a built network pass tensors on without the checks of `Layer.__call__`.

    Those take half a millisecond a layer, on small pictures as long as the work itself.
    """
    import torch

    checked = layer_class.__call__

    def call(layer, inputs, training=None, **kwargs):
        first = inputs[0] if isinstance(inputs, list) else inputs
        dtype = getattr(torch, layer.compute_dtype)
        real = isinstance(first, torch.Tensor) and first.device.type != "meta"
        if layer.built and real and first.dtype == dtype and not kwargs:
            given = {"training": training} if layer._call_has_training_arg else {}
            return layer.call(inputs, **given)
        return checked(layer, inputs, training=training, **kwargs)

    layer_class.__call__ = call


def _is_plain_convolution(layer):
    """Whether torch's symmetric padding, or none, is what the layer wants, and nothing else."""
    (height, width), strides = layer.kernel_size, layer.strides
    same = height == width and height % 2 and strides == (1, 1)
    return (
        strides[0] == strides[1]
        and (layer.padding == "valid" or same)
        and layer.dilation_rate == (1, 1)
        and layer.groups == 1
        and layer.data_format == "channels_last"
    )


def _convolution_op(layer, inputs, kernel):
    """A convolution, float tensors (N, H, W, C) and (kH, kW, C, O) to (N, H', W', O)."""
    from torch.nn.functional import conv2d

    _, width, channels, _ = kernel.shape
    stride = layer.strides[0]
    padding = width // 2 if layer.padding == "same" else 0
    # A view: torch sees channels first, the memory stays channels last.
    x = inputs.permute(0, 3, 1, 2)
    weights = keras.ops.convert_to_tensor(kernel).permute(3, 2, 0, 1)
    columns = (x.shape[3] + 2 * padding - width) // stride + 1
    # The first layer has no more than three channels, and long rows at any useful size.
    if columns <= SHORT_ROW and channels > 3:
        out = _convolution(x, weights, stride, padding)
    else:
        out = conv2d(x, weights, None, stride, padding)
    return out.permute(0, 2, 3, 1)


def _convolution(x, weights, stride, padding):
    """conv2d whose weights' gradient is one product of (O, N H' W') and (N H' W', kH kW C)."""
    import torch
    from torch.nn.functional import conv2d, pad

    class Convolution(torch.autograd.Function):
        @staticmethod
        def forward(context, x, weights):
            context.save_for_backward(x, weights)
            return conv2d(x, weights, None, stride, padding)

        @staticmethod
        def backward(context, gradient):
            x, weights = context.saved_tensors
            gradient = gradient.contiguous(memory_format=torch.channels_last)
            of_x = None
            if context.needs_input_grad[0]:
                of_x = torch.ops.aten.convolution_backward(
                    gradient, x, weights, None, [stride] * 2, [padding] * 2, [1, 1], False,
                    [0, 0], 1, [True, False, False],
                )[0]  # fmt: skip
            outputs, channels, height, width = weights.shape
            count, _, rows, columns = gradient.shape
            last = pad(x.permute(0, 2, 3, 1), (0, 0, *[padding] * 4)).contiguous()
            n, y, x_, c = last.stride()
            patches = last.as_strided(
                (count, rows, columns, height, width, channels),
                (n, y * stride, x_ * stride, y, x_, c),
            ).reshape(-1, height * width * channels)
            of_weights = gradient.permute(0, 2, 3, 1).reshape(-1, outputs).t() @ patches
            of_weights = of_weights.view(outputs, height, width, channels)
            return of_x, of_weights.permute(0, 3, 1, 2)

    return Convolution.apply(x, weights)


def _is_plain_batch_norm(layer):
    return not layer.renorm and layer.axis in (-1, 3)


def _batch_norm(layer, inputs, training=None, mask=None):
    """Batch normalisation of (N, H, W, C) by torch's own kernel, statistics in float32."""
    import torch

    gamma, beta, moving_mean, moving_variance = (
        None if variable is None else variable.value.float()
        for variable in (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
    )
    first = inputs.movedim(-1, 1)
    if training and layer.trainable:
        out, mean, inverse = torch.ops.aten.native_batch_norm(
            first, gamma, beta, None, None, True, 0.0, layer.epsilon
        )
        with torch.no_grad():
            # torch would keep the unbiased variance, Keras keeps this one.
            variance = inverse.square().reciprocal() - layer.epsilon
            moving_mean.mul_(layer.momentum).add_(mean, alpha=1 - layer.momentum)
            moving_variance.mul_(layer.momentum).add_(variance, alpha=1 - layer.momentum)
    else:
        out = torch.nn.functional.batch_norm(
            first, moving_mean, moving_variance, gamma, beta, False, 0.0, layer.epsilon
        )
    return out.movedim(1, -1).to(getattr(torch, layer.compute_dtype))
