"""What TensorFlow lacks for forward-mode differentiation.

TensorFlow derives it from reverse mode: it differentiates an operation's gradient by what flows into
that. For some operations it never registered how.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from keras_fullgrad import _tensorflow

Gradient = Callable[..., Any]


def _resize(resize: Callable[..., tf.Tensor], adjoint: Callable[..., tf.Tensor]) -> Gradient:
    """A resize is linear: the gradient of its gradient is the resize itself."""

    def gradient(op: Any, flowing: tf.Tensor) -> list[tf.Tensor | None]:
        how = {name: op.get_attr(name) for name in ("align_corners", "half_pixel_centers")}
        image, size = op.inputs[0], tf.shape(flowing)[1:3]

        @tf.custom_gradient
        def resized_back(flowing: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
            return adjoint(flowing, image, how), lambda again: resize(images=again, size=size, **how)

        return [resized_back(flowing), None]

    return gradient


def _interpolated(adjoint: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    return lambda flowing, image, how: adjoint(grads=flowing, original_image=image, **how)


def _nearest(flowing: tf.Tensor, image: tf.Tensor, how: dict[str, bool]) -> tf.Tensor:
    return tf.raw_ops.ResizeNearestNeighborGrad(grads=flowing, size=tf.shape(image)[1:3], **how)


def _softsign(op: Any, flowing: tf.Tensor) -> tf.Tensor:
    return flowing / tf.square(1 + tf.abs(op.inputs[0]))


def _batch_norm(name: str) -> Gradient:
    """A batch norm by kept statistics is linear; of one in a function, TensorFlow finds no derivative."""

    def gradient(op: Any, flowing: tf.Tensor, *_: Any) -> tuple[tf.Tensor | None, ...]:
        x, scale, _, mean, variance = op.inputs[:5]
        how = {key: op.get_attr(key) for key in ("epsilon", "data_format", "is_training")}
        if how["is_training"]:
            # As TensorFlow has it.
            kept = {f"reserve_space_{index}": each for index, each in enumerate(op.outputs[3:], 1)}
            own = getattr(tf.raw_ops, name)(y_backprop=flowing, x=x, scale=scale, **kept, **how)
            return *own[:3], None, None
        first = how["data_format"].startswith(b"NC")
        shape = [-1] + [1] * (x.shape.rank - 2) if first else [-1]
        axes = [axis for axis in range(x.shape.rank) if axis != (1 if first else x.shape.rank - 1)]
        inverse = tf.math.rsqrt(variance + how["epsilon"])
        slope = tf.reshape(scale * inverse, shape)
        wide, centred = tf.cast(flowing, scale.dtype), tf.cast(x, scale.dtype) - tf.reshape(mean, shape)
        of_scale = inverse * tf.reduce_sum(wide * centred, axes)
        return tf.cast(slope * wide, x.dtype), of_scale, tf.reduce_sum(wide, axes), None, None

    return gradient


def _fake_quantization(name: str) -> Gradient:
    """What lies within the range goes through as it is; TensorFlow does not differentiate that again."""

    def gradient(op: Any, flowing: tf.Tensor) -> Any:
        attributes = ("num_bits", "narrow_range", *(() if len(op.inputs) > 1 else ("min", "max")))
        how = {key: op.get_attr(key) for key in attributes}
        how |= dict(zip(("min", "max"), op.inputs[1:], strict=False))
        backward = functools.partial(getattr(tf.raw_ops, name), inputs=op.inputs[0], **how)
        if len(op.inputs) == 1:
            return flowing * tf.stop_gradient(backward(gradients=tf.ones_like(flowing)))
        within = tf.stop_gradient(backward(gradients=tf.ones_like(flowing))[0])
        return flowing * within, *backward(gradients=flowing)[1:]

    return gradient


def _scale_and_translate(op: Any, flowing: tf.Tensor) -> list[tf.Tensor | None]:
    """A resize with antialiasing, linear too."""
    image, _, scale, translation = op.inputs
    size = tf.shape(flowing)[1:3]
    how = {key: op.get_attr(key) for key in ("kernel_type", "antialias")}
    how |= {"scale": scale, "translation": translation}

    @tf.custom_gradient
    def resized_back(flowing: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        adjoint = tf.raw_ops.ScaleAndTranslateGrad(grads=flowing, original_image=image, **how)
        return adjoint, lambda again: tf.raw_ops.ScaleAndTranslate(images=again, size=size, **how)

    return [resized_back(flowing), None, None, None]


# Gradients that can be differentiated once more, unlike those that TensorFlow has for these operations.
_GRADIENTS: dict[str, Gradient] = {
    "FakeQuantWithMinMaxArgs": _fake_quantization("FakeQuantWithMinMaxArgsGradient"),
    "FakeQuantWithMinMaxVars": _fake_quantization("FakeQuantWithMinMaxVarsGradient"),
    "FakeQuantWithMinMaxVarsPerChannel": _fake_quantization("FakeQuantWithMinMaxVarsPerChannelGradient"),
    "FusedBatchNorm": _batch_norm("FusedBatchNormGrad"),
    "FusedBatchNormV2": _batch_norm("FusedBatchNormGradV2"),
    "FusedBatchNormV3": _batch_norm("FusedBatchNormGradV3"),
    "ResizeBilinear": _resize(tf.raw_ops.ResizeBilinear, _interpolated(tf.raw_ops.ResizeBilinearGrad)),
    "ResizeBicubic": _resize(tf.raw_ops.ResizeBicubic, _interpolated(tf.raw_ops.ResizeBicubicGrad)),
    "ResizeNearestNeighbor": _resize(tf.raw_ops.ResizeNearestNeighbor, _nearest),
    "ScaleAndTranslate": _scale_and_translate,
    "Softsign": _softsign,
}


@contextlib.contextmanager
def accumulating(primal: tf.Tensor, tangent: tf.Tensor) -> Iterator[tf.autodiff.ForwardAccumulator]:
    """Differentiates what is computed within, as `tf.autodiff.ForwardAccumulator` does, resizes included.

    Args:
        primal: What to differentiate by.
        tangent: The direction, of the primal's shape.

    Yields:
        The accumulator.

    Raises:
        NotImplementedError: If TensorFlow cannot differentiate an operation, which is then named.

    Example:
        >>> x = tf.ones([1, 2, 2, 1])
        >>> with accumulating(x, x) as accumulator:
        ...     y = tf.image.resize(x, [4, 4])
        >>> bool(tf.reduce_all(accumulator.jvp(y) == y))
        True
    """
    scope = tf.compat.v1.get_variable_scope()
    caching_device = scope.caching_device
    with (
        _tensorflow.registered_gradients(_GRADIENTS),
        tf.autodiff.ForwardAccumulator(primal, tangent) as accumulator,
    ):
        try:
            yield accumulator
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            of_loops = any(each in str(error) for each in ("variant", "without handle data"))
            # What TensorFlow's own code of second derivatives stumbles over.
            of_gradients = any(
                each in str(error) for each in ("'IndexedSlices'", "GradGrad(", "InternalError.__init__(")
            )
            if not (isinstance(error, LookupError) or of_loops or of_gradients):
                raise
            unroll = (
                " (of loops in a traced function, such as those of recurrent layers, it takes unroll=True)"
            )
            raise NotImplementedError(
                "expected operations that TensorFlow differentiates in forward mode, as implicit biases "
                f"need, got one that it does not{unroll if of_loops else ''}: {error}"
            ) from error
        finally:
            if scope.caching_device is not caching_device:
                # tf.map_fn sets one, and does not put the former back where an exception ends it. With it no
                # tf.distribute scope could be entered any more.
                scope.set_caching_device(caching_device)
