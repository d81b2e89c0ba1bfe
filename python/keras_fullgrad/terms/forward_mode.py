"""What TensorFlow lacks for forward-mode differentiation.

TensorFlow derives it from reverse mode: it differentiates an operation's gradient by what flows into
that. For some operations it never registered how.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from keras_fullgrad import _tensorflow

Gradient = Callable[[Any, tf.Tensor], Any]


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


# Gradients that can be differentiated once more, unlike those that TensorFlow has for these operations.
_GRADIENTS: dict[str, Gradient] = {
    "ResizeBilinear": _resize(tf.raw_ops.ResizeBilinear, _interpolated(tf.raw_ops.ResizeBilinearGrad)),
    "ResizeBicubic": _resize(tf.raw_ops.ResizeBicubic, _interpolated(tf.raw_ops.ResizeBicubicGrad)),
    "ResizeNearestNeighbor": _resize(tf.raw_ops.ResizeNearestNeighbor, _nearest),
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
        except (LookupError, TypeError, ValueError) as error:
            of_loops = "variant" in str(error) or "without handle data" in str(error)
            if not isinstance(error, LookupError) and not of_loops:
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
