"""The fused op: its Python face."""

from collections.abc import Sequence

import tensorflow as tf

from keras_fullgrad.maps import filters, reference
from keras_fullgrad.native import loading

BACKENDS = ("auto", "native", "tensorflow")

# A dictionary, since it is looked up by hash: types compared one by one took a third of a small call.
_TYPES = dict.fromkeys(loading.TYPES)


def saliency_map(
    gradients: Sequence[tf.Tensor],
    weights: Sequence[tf.Tensor],
    size: tf.Tensor | Sequence[int],
    *,
    psi: filters.Filter = filters.absolute_normalize,
    channels: str = "mean",
    resize: str = "half_pixel",
    layout: str = "channels_last",
    backend: str = "auto",
) -> tf.Tensor:
    """Sums weighted gradients into maps: ``sum over terms of resize(reduce(psi(weight * gradient)))``.

    Args:
        gradients: One tensor for each term, (batch, space, channels) for ``channels_last``,
            (batch, channels, space) for ``channels_first``; 1 to 3 spatial dimensions; float16,
            bfloat16, float32 or float64.
        weights: One tensor for each term: (channels,), or of the gradient's shape.
        size: The spatial size of the maps.
        psi: The filter of each term. Those in :data:`keras_fullgrad.filters.NATIVE` run natively,
            any other callable, called with the term and its spatial axes, in TensorFlow.
        channels: ``mean`` or ``sum``.
        resize: ``half_pixel`` or ``aligned_corners``.
        layout: ``channels_last`` or ``channels_first``.
        backend: ``native``, ``tensorflow``, or ``auto``: native where it can be, which on a GPU takes
            a library built with CUDA.

    Returns:
        The maps, (batch, size), in float64 where a gradient is, in float32 elsewhere.

    Raises:
        ValueError: If an option is unknown, the lists are empty or of different lengths, or
            ``backend="native"`` cannot run ``psi``, or a shape does not fit; the message names the term.
        TypeError: If a gradient or a weight is not of these types, or the size not of integers.
        RuntimeError: If ``backend="native"`` and there is no native library.
        tf.errors.InvalidArgumentError: If the native op meets a shape that does not fit.
        tf.errors.ResourceExhaustedError: If there is no memory for the maps.

    Example:
        >>> saliency_map([tf.ones([2, 4, 4, 3])], [tf.ones([3])], [8, 8], psi=filters.absolute).shape
        TensorShape([2, 8, 8])
    """
    _check_option("backend", backend, BACKENDS)
    _check_option("channels", channels, ("mean", "sum"))
    _check_option("resize", resize, ("half_pixel", "aligned_corners"))
    _check_option("layout", layout, ("channels_last", "channels_first"))
    if not gradients or len(gradients) != len(weights):
        raise ValueError(
            "expected at least one gradient and as many weights, "
            f"got {len(gradients)} gradients and {len(weights)} weights"
        )
    psi = filters.ALIASES.get(psi, psi)
    gradients, weights = _tensors("gradient", gradients), _tensors("weight", weights)
    size = _integers(size)
    options = {"channels": channels, "resize": resize, "layout": layout}
    if not _runs_natively(psi, backend):
        _check_shapes(gradients, weights, size, layout)
        return reference.saliency_map(gradients, weights, size, psi=psi, **options)

    rectifier, rescale = filters.NATIVE[psi]
    wide = tf.float64 in {gradient.dtype for gradient in gradients}
    if wide:
        gradients = [g if g.dtype == tf.float32 else tf.cast(g, tf.float64) for g in gradients]
    weights = [
        weight if weight.shape.rank == 1 else tf.cast(weight, gradient.dtype)
        for gradient, weight in zip(gradients, weights, strict=True)
    ]
    return loading.load()[0].keras_fullgrad_saliency_map(
        gradients=gradients,
        weights=weights,
        size=size,
        map_type=tf.float64 if wide else tf.float32,
        rectifier=rectifier,
        rescale=rescale,
        **options,
    )


def _check_option(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"expected {name} to be one of {', '.join(known)}, got {value!r}")


def _tensors(name: str, values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    # Converting what is a tensor already costs as much as all the rest that is done for it here.
    tensors = [value if isinstance(value, tf.Tensor) else tf.convert_to_tensor(value) for value in values]
    for index, tensor in enumerate(tensors):
        if tensor.dtype not in _TYPES:
            known = ", ".join(dtype.name for dtype in _TYPES)
            raise TypeError(f"term {index}: expected a {name} of one of {known}, got {tensor.dtype.name}")
    return tensors


def _integers(size: tf.Tensor | Sequence[int]) -> tf.Tensor:
    """The size in one of the types that the op takes, in which it cannot become another size."""
    size = tf.convert_to_tensor(size)
    if not size.dtype.is_integer:
        raise TypeError(f"expected a size of integers, got {size.dtype.name}")
    return size if size.dtype == tf.int32 else tf.cast(size, tf.int64)


def _check_shapes(
    gradients: Sequence[tf.Tensor], weights: Sequence[tf.Tensor], size: tf.Tensor, layout: str
) -> None:
    """Refuses what the native op does, as far as it is known before the run: TensorFlow would broadcast."""
    dimensions = size.shape.with_rank(1)[0]
    if dimensions is not None and not 1 <= dimensions <= 3:
        raise ValueError(f"expected a size of 1 to 3 spatial dimensions, got {dimensions}")
    values = tf.get_static_value(size)
    if values is not None and (min(values) < 1 or max(values) > tf.int32.max):
        raise ValueError(
            f"expected a target size of at least 1 along each axis, and at most {tf.int32.max}, "
            f"got {values.tolist()}"
        )
    for index, (gradient, weight) in enumerate(zip(gradients, weights, strict=True)):
        shape = gradient.shape
        if None not in (shape.rank, dimensions) and shape.rank != dimensions + 2:
            raise ValueError(
                f"term {index}: expected a gradient of rank {dimensions + 2} for a target of {dimensions} "
                f"dimensions, got shape {shape}"
            )
        if shape.rank is not None and 0 in shape[1:].as_list():
            raise ValueError(
                f"term {index}: expected at least one position and one channel, "
                f"got a gradient of shape {shape}"
            )
        channels = shape[-1:] if layout == "channels_last" else shape[1:2]
        if not weight.shape.is_compatible_with(channels if weight.shape.rank == 1 else shape):
            raise ValueError(
                f"term {index}: expected a weight of shape {channels} or of the gradient's shape {shape}, "
                f"got {weight.shape}"
            )


def _runs_natively(psi: filters.Filter, backend: str) -> bool:
    known = psi in filters.NATIVE
    library, reason = loading.load()
    if backend == "native":
        if library is None:
            raise RuntimeError(f"backend='native' needs the native library: {reason}")
        if not known:
            raise ValueError(
                "expected psi to be a filter of keras_fullgrad.filters for backend='native', "
                f"got {psi!r}; backend='auto' runs it in TensorFlow"
            )
    if backend == "auto":
        return known and library is not None and not loading.left_to_tensorflow_on_gpus()
    return backend == "native"
