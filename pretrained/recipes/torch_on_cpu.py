"""Training under Keras' torch backend on a CPU with bfloat16 matrix instructions (AMX).

Some of its parts are replaced by the same mathematics in a form that such a CPU computes fast;
`benchmarks/training_backends.py` compares results and seconds. Without them torch is slower than
TensorFlow.
"""

from __future__ import annotations

import functools

import keras

from cvtool.training.precision import gpu_present

# The library that convolves sums a kernel's gradient row by row, and is slow where the rows of a
# feature map are no longer than this; there it is one matrix product instead.
SHORT_ROW = 6

# Layers whose `call` needs nothing that `Layer.__call__` adds for symbolic or foreign inputs.
DIRECT = ("Conv2D", "BatchNormalization", "Activation", "ZeroPadding2D", "Add", "Concatenate")


def speed_up_training():
    """Let networks train fast on a CPU under torch; changes nothing elsewhere.

    Replaces methods of Keras' layers and optimisers for this process, once.
    """
    convolution, batch_norm = keras.layers.Conv2D, keras.layers.BatchNormalization
    replaced = hasattr(convolution.convolution_op, "plain")
    if keras.backend.backend() != "torch" or gpu_present() or replaced:
        return
    convolution.convolution_op = _faster(
        convolution.convolution_op, _convolution_op, _is_plain_convolution
    )
    batch_norm.call = _faster(batch_norm.call, _batch_norm, _is_plain_batch_norm)
    enlargement = keras.layers.Conv2DTranspose
    enlargement.call = _faster(enlargement.call, _enlarge, _is_plain_enlargement)
    for name in DIRECT:
        _call_directly(getattr(keras.layers, name))
    optimizer = keras.optimizers.Optimizer
    optimizer._clip_gradients = _faster(
        optimizer._clip_gradients, _clip_gradients, _clips_all_by_one_norm
    )
    optimizer._update_model_variables_moving_average = _faster(
        optimizer._update_model_variables_moving_average,
        _update_averages,
        _averages_every_variable,
    )


def _faster(plain, fast, applies):
    """A method that is `fast` where that `applies`, and `plain` elsewhere."""

    # Keras reads the names of the arguments.
    @functools.wraps(plain)
    def either(*args, **kwargs):
        return (fast if applies(*args, **kwargs) else plain)(*args, **kwargs)

    either.plain = plain
    return either


def _call_directly(layer_class):
    """Let layers of a built network pass tensors on without the checks of `Layer.__call__`.

    Those take half a millisecond a layer, on small pictures as long as the work itself.
    """
    import torch

    checked = layer_class.__call__

    def call(layer, inputs, **kwargs):
        # As networks made of layers call theirs; all else needs what Keras finds out.
        known = kwargs.get("training") is not None and set(kwargs) <= {"training", "mask"}
        known = known and kwargs.get("mask") is None
        if known and layer.built and layer.dtype_policy.name == keras.config.dtype_policy().name:
            tensors = inputs if isinstance(inputs, list) else [inputs]
            dtype = getattr(torch, layer.compute_dtype)
            if all(
                isinstance(x, torch.Tensor) and x.device.type == "cpu" and x.dtype == dtype
                for x in tensors
            ):
                wanted = {"training": kwargs["training"]} if layer._call_has_training_arg else {}
                return layer.call(inputs, **wanted)
        return checked(layer, inputs, **kwargs)

    layer_class.__call__ = call


def _is_plain_convolution(layer, inputs, kernel):
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
        out = _convolution().apply(x, weights, stride, padding)
    else:
        out = conv2d(x, weights, None, stride, padding)
    return out.permute(0, 2, 3, 1)


@functools.cache
def _convolution():
    """conv2d whose weights' gradient is one product of (O, N H' W') and (N H' W', kH kW C)."""
    import torch
    from torch.nn.functional import conv2d, pad

    class Convolution(torch.autograd.Function):
        @staticmethod
        def forward(context, x, weights, stride, padding):
            context.save_for_backward(x, weights)
            context.stride, context.padding = stride, padding
            return conv2d(x, weights, None, stride, padding)

        @staticmethod
        def backward(context, gradient):
            x, weights = context.saved_tensors
            stride, padding = context.stride, context.padding
            gradient = gradient.contiguous(memory_format=torch.channels_last)
            of_x = of_weights = None
            if context.needs_input_grad[0]:
                of_x = torch.ops.aten.convolution_backward(
                    gradient, x, weights, None, [stride] * 2, [padding] * 2, [1, 1], False,
                    [0, 0], 1, [True, False, False],
                )[0]  # fmt: skip
            if context.needs_input_grad[1]:
                outputs, channels, height, width = weights.shape
                count, _, rows, columns = gradient.shape
                last = pad(x.permute(0, 2, 3, 1), (0, 0, *[padding] * 4)).contiguous()
                n, y, x_, c = last.stride()
                patches = last.as_strided(
                    (count, rows, columns, height, width, channels),
                    (n, y * stride, x_ * stride, y, x_, c),
                ).reshape(-1, height * width * channels)
                product = gradient.permute(0, 2, 3, 1).reshape(-1, outputs).t() @ patches
                of_weights = product.view(outputs, height, width, channels).permute(0, 3, 1, 2)
            return of_x, of_weights, None, None

    return Convolution


def _is_plain_enlargement(layer, inputs):
    """Whether the squares that the pixels become touch one another and do not overlap."""
    return (
        layer.kernel_size == layer.strides
        and layer.padding == "valid"
        and layer.output_padding is None
        and layer.dilation_rate == (1, 1)
        and layer.data_format == "channels_last"
    )


def _enlarge(layer, inputs):
    """A transposed convolution (N, H, W, C) to (N, H kH, W kW, O), as one matrix product."""
    kernel = keras.ops.convert_to_tensor(layer.kernel)
    height, width, filters, channels = kernel.shape
    count, rows, columns, _ = inputs.shape
    squares = inputs.reshape(-1, channels) @ kernel.reshape(-1, channels).t()
    if layer.use_bias:
        squares = squares + keras.ops.convert_to_tensor(layer.bias).repeat(height * width)
    out = (
        squares.view(count, rows, columns, height, width, filters)
        .permute(0, 1, 3, 2, 4, 5)
        .reshape(count, rows * height, columns * width, filters)
    )
    return out if layer.activation is None else layer.activation(out)


def _is_plain_batch_norm(layer, inputs, training=None, mask=None):
    # Older versions of Keras know no renormalisation.
    plain = mask is None and not getattr(layer, "renorm", False)
    return plain and layer.axis in (-1, 3) and (layer.scale or layer.center)


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
            for variable, new in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
                old = variable.value.float()
                variable.assign(old * layer.momentum + new * (1 - layer.momentum))
    else:
        out = torch.nn.functional.batch_norm(
            first, moving_mean, moving_variance, gamma, beta, False, 0.0, layer.epsilon
        )
    return out.movedim(1, -1).to(getattr(torch, layer.compute_dtype))


def _clips_all_by_one_norm(optimizer, gradients):
    known = all(gradient is not None for gradient in gradients)
    return known and (optimizer.global_clipnorm or 0) > 0 and not optimizer.clipnorm


def _clip_gradients(optimizer, gradients):
    """The gradients, no longer together than the global norm that the optimiser allows."""
    import torch

    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    # As with Keras, a norm that is no number leaves no numbers.
    scale = torch.clamp(optimizer.global_clipnorm / norm, max=1.0) + (norm - norm)
    return torch._foreach_mul(gradients, scale)


def _averages_every_variable(optimizer, variables):
    averages = optimizer._model_variables_moving_average
    pairs = zip(variables, averages, strict=True)
    return bool(averages) and all(a is not None and a.dtype == v.dtype for v, a in pairs)


def _update_averages(optimizer, variables):
    """Move the averages of all weights at once."""
    import torch

    averages = [average.value for average in optimizer._model_variables_moving_average]
    share = 1 - optimizer.ema_momentum if int(optimizer.iterations) else 1.0
    with torch.no_grad():
        torch._foreach_lerp_(averages, [variable.value for variable in variables], share)
