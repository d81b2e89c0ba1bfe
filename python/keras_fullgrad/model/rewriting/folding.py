r"""Computes a batch normalization and the layer before it as one.

At inference a batch norm is affine: :math:`y = a z + c` with :math:`a = \gamma / \sqrt{\sigma^2 + \epsilon}`.
Where :math:`z = W x + b` goes nowhere else, :math:`y = (a W) x + (a b + c)` saves the passes over :math:`z`
and over its gradient, and the terms of both biases follow from the gradient at :math:`y`: that at :math:`z`
is :math:`a` times it.
"""

import collections
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import layers

from keras_fullgrad import _keras
from keras_fullgrad.model import affine
from keras_fullgrad.model.listening import Application
from keras_fullgrad.model.rewriting.convolutions import as_computed

# Those that TensorFlow makes one operation of with a convolution.
_SUMS = ("Add", "AddV2", "AddN")
_ACTIVATIONS = ("Elu", "LeakyRelu", "Relu", "Relu6")


class Fold(NamedTuple):
    """A batch norm that was computed in one with the layer before it.

    Attributes:
        norm: The batch norm.
        inner: What the layer alone put out. Nothing depends on it, so a traced function leaves it out.
        output: What both put out.
        slope: The derivative of the output by the inner signal, (channels,).
    """

    norm: keras.layers.BatchNormalization
    inner: tf.Tensor
    output: tf.Tensor
    slope: tf.Tensor


class Folding:
    """The batch norms of a call of a model, and which of them are computed in one with the layers before.

    The slope and the bias of each are computed once, for the call and for the terms of the map.

    Attributes:
        folds: Those that are computed in one with the layer before them.

    Example:
        >>> Folding().folds
        []
    """

    def __init__(self) -> None:
        self.folds: list[Fold] = []
        self._apart: set[int] = set()
        # By the graph too: the body of a loop is one of its own, whose tensors are out of reach elsewhere.
        self._affine: dict[tuple[int, tf.Graph], tuple[tf.Tensor, tf.Tensor]] = {}

    def normalize(
        self,
        applications: Sequence[Application],
        norm: keras.layers.BatchNormalization,
        inputs: tf.Tensor,
        training: bool | None = None,
        mask: tf.Tensor | None = None,
    ) -> tf.Tensor | None:
        """Computes a batch norm, in one with the layer before it where that can be.

        Args:
            applications: The calls of layers so far.
            norm: The batch norm that is called.
            inputs: What it is called with.
            training: Whether as in training.
            mask: Its mask.

        Returns:
            Its output, or None where it is to be called as it is.
        """
        if training or inputs.dtype != norm.compute_dtype:
            return None
        slope, bias = self._slope_and_bias(norm)
        before = next((a for a in reversed(applications) if a.output is inputs), None)
        if before is None or id(norm) in self._apart or not (_is_linear(before, norm) and _pays(before)):
            return affine.apply(norm, slope, bias, inputs) if norm.variable_dtype == inputs.dtype else None
        if before.layer.use_bias:
            bias += slope * tf.cast(affine.bias(before.layer), slope.dtype)
        stand_in, x = as_computed(applications, before.layer, before.input)
        output = _keras.call_as(before.layer, _Scaled(before.layer, slope, stand_in), x)
        # One operation, which TensorFlow fuses with the layer's own and with an activation after it.
        axis = affine.channel_axis(before.layer)
        output = tf.nn.bias_add(output, tf.cast(bias, output.dtype), data_format="NC" if axis == 1 else None)
        self.folds.append(Fold(norm, inputs, output, slope))
        return output

    def settled(self, outputs: Sequence[tf.Tensor]) -> bool:
        """Tells whether no fold cut a signal off that somebody else needs.

        Args:
            outputs: What the caller takes from the model, by the tensors themselves.

        Returns:
            Whether the call stands; if not, it is to be made again, and those batch norms will stay apart.
        """
        takers = collections.Counter(id(tensor) for tensor in outputs)
        takers.update(id(fold.inner) for fold in self.folds)
        misjudged = {id(f.norm) for f in self.folds if takers[id(f.inner)] > 1 or f.inner.consumers()}
        if misjudged:
            self._apart |= misjudged
            self.folds.clear()
        return not misjudged

    def keep_fusions(self, logits: tf.Tensor) -> tf.Tensor:
        """Keeps TensorFlow from a fusion that fails, whereupon it would drop all others of the graph.

        On a CPU it makes one operation of a convolution, its bias, a sum and an activation, even where the
        sum goes elsewhere too, and then misses the sum. It leaves alone an activation that something waits
        for.

        Args:
            logits: The logits.

        Returns:
            The same logits, which wait for such activations, as their gradient does.
        """
        sums = [op for fold in self.folds for op in fold.output.consumers() if op.type in _SUMS]
        takers = [add.outputs[0].consumers() for add in sums]
        activations = [op for ops in takers if len(ops) > 1 for op in ops if op.type in _ACTIVATIONS]
        if not activations:
            return logits

        def wait(signal: tf.Tensor) -> tf.Tensor:
            with tf.control_dependencies(activations):
                return tf.identity(signal)

        # The gradient waits too: it may be all that is asked for.
        return tf.custom_gradient(lambda signal: (wait(signal), wait))(logits)

    def find(self, signal: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Finds the gradient of a signal that may have been folded away.

        Args:
            signal: The signal.

        Returns:
            The signal whose gradient it is, and what that is to be multiplied by, (channels,), or None for 1.
        """
        for fold in self.folds:
            if fold.inner is signal:
                return fold.output, fold.slope
        return signal, None

    def bias(self, layer: keras.Layer) -> tf.Tensor:
        """The bias of a layer, as :func:`keras_fullgrad.model.affine.bias` computes it, but once."""
        known = self._affine.get(_here(layer))
        return affine.bias(layer) if known is None else known[1]

    def _slope_and_bias(self, norm: keras.layers.BatchNormalization) -> tuple[tf.Tensor, tf.Tensor]:
        if _here(norm) not in self._affine:
            slope = affine.slope(norm)
            self._affine[_here(norm)] = (slope, affine.bias(norm, slope))
        return self._affine[_here(norm)]


def _here(layer: keras.Layer) -> tuple[int, tf.Graph]:
    return id(layer), tf.compat.v1.get_default_graph()


def _last(slope: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    return slope


def _channels_and_multiplier(slope: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    return tf.reshape(slope, kernel.shape[-2:])


def _last_but_one(slope: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    return slope[:, tf.newaxis]


# Which weight makes the outputs, and how a value for each output lies along it. By the class itself: what a
# subclass makes of its weights is not known.
_KERNELS = {
    layer: (name, along)
    for name, along, classes in (
        ("kernel", _last, (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.Dense)),
        ("pointwise_kernel", _last, (layers.SeparableConv1D, layers.SeparableConv2D)),
        ("kernel", _channels_and_multiplier, (layers.DepthwiseConv1D, layers.DepthwiseConv2D)),
        (
            "kernel",
            _last_but_one,
            (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose),
        ),
    )
    for layer in classes
}


class _Scaled:
    """A layer as its ``call`` sees it, with a scaled kernel and without a bias."""

    use_bias = False
    bias = None

    def __init__(self, layer: keras.Layer, slope: tf.Tensor, stand_in: Any) -> None:
        self._as = stand_in
        name, along = _KERNELS[type(layer)]
        kernel = tf.cast(getattr(layer, name), slope.dtype)
        setattr(self, name, tf.cast(kernel * along(slope, kernel), layer.compute_dtype))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._as, name)


def _pays(before: Application) -> bool:
    """Whether the kernel, which is scaled at each call, pays for itself by one image.

    Scaling takes a pass over the kernel. It saves one over the signal's gradient; and where a bias of the
    layer's own stands between, the batch norm's over the signal, which takes longer: without such a bias
    TensorFlow fuses the two by itself.
    """
    name, _ = _KERNELS[type(before.layer)]
    signal = before.output.shape[1:].num_elements()  # None: of any size.
    saved = 3 if before.layer.use_bias else 1
    return signal is None or getattr(before.layer, name).shape.num_elements() <= saved * signal


def _is_linear(before: Application, norm: keras.layers.BatchNormalization) -> bool:
    layer = before.layer
    return (
        type(layer) in _KERNELS
        and before.preactivation is before.output
        and (layer.compute_dtype, layer.variable_dtype) == (norm.compute_dtype, norm.variable_dtype)
        and getattr(layer, "quantization_mode", None) is None
        and (affine.channel_axis(layer) - affine.channel_axis(norm)) % len(before.output.shape) == 0
    )
