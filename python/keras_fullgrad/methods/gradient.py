"""Explaining methods made from gradients: tensors in, tensors out, eager or traced."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_fullgrad import filters, inspection, ops

PRESETS: dict[str, dict[str, Any]] = {
    "default": {"psi": filters.absolute_normalize, "channels": "mean", "resize": "half_pixel"},
    "paper": {
        "psi": filters.absolute_normalize_per_sample,
        "channels": "sum",
        "resize": "aligned_corners",
    },
}
"""What `default` (keras-explainable's numbers) and `paper` (the authors' numbers) stand for."""


def gradients(
    model: keras.Model,
    inputs: tf.Tensor,
    indices: tf.Tensor | None = None,
    indices_axis: int = -1,
    indices_batch_dims: int = -1,
    spatial_axis: Sequence[int] | None = None,
    gradient_filter: Callable[[tf.Tensor], tf.Tensor] = tf.abs,
) -> tuple[tf.Tensor, tf.Tensor]:
    r"""Computes the gradient of a logit with respect to the input (Simonyan et al. 2013).

    .. math:: M(x)_p = \frac{1}{C} \sum_c | \partial s / \partial x_{pc} |

    Args:
        model: Any Keras model, or one from :func:`keras_fullgrad.inspection.expose`.
        inputs: The inputs, (batch, space, channels), of floating type.
        indices: The classes to explain, (batch, K). None: each image's top class.
        indices_axis: The axis of the classes in the logits.
        indices_batch_dims: How many dimensions the logits and ``indices`` share.
        spatial_axis: The axes of positions. None: found from the model's layers.
        gradient_filter: What is done to the gradient before its channels are averaged.

    Returns:
        The logits, (batch, K), or all of them where ``indices`` is None, and the maps,
        (batch, space, K).

    Raises:
        ValueError: If the inputs hold no positions.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> logits, maps = gradients(model, tf.ones([1, 8, 8, 3]), tf.constant([[0, 1]]))
        >>> maps.shape
        TensorShape([1, 8, 8, 2])
    """
    layout = _layout(model, inputs, spatial_axis)
    exposed = model if isinstance(model, inspection.ExposedModel) else inspection.expose(model, [])
    channel_axis = -1 if layout == "channels_last" else 1
    logits, targets, _, tape = _forward(exposed, inputs, indices, indices_axis, indices_batch_dims)
    maps = [
        tf.reduce_mean(gradient_filter(gradient), axis=channel_axis)
        for gradient, *_ in _backward(tape, targets, [inputs])
    ]
    return logits, tf.stack(maps, axis=-1)


def full_gradients(
    model: keras.Model,
    inputs: tf.Tensor,
    indices: tf.Tensor | None = None,
    indices_axis: int = -1,
    indices_batch_dims: int = -1,
    spatial_axis: Sequence[int] | None = None,
    psi: filters.Filter | None = None,
    biases: Sequence[tf.Tensor] | None = None,
    *,
    preset: str = "default",
    simple: bool = False,
    backend: str = "auto",
) -> tuple[tf.Tensor, tf.Tensor]:
    r"""Computes FullGrad maps (Srinivas & Fleuret 2019, arXiv:1905.00780).

    .. math::

        M(x) = U(\psi(x \odot \nabla_x s)) + \sum_l U\Big(\sum_c \psi(b_l \odot \nabla_{z_l} s)_c\Big)

    where :math:`z_l` is the signal right after the bias :math:`b_l` was added, and :math:`U` resizes
    to the input's size. Biases of layers without positions, such as dense ones, have no place in a
    map and are left out.

    Args:
        model: Any Keras model, or one from :func:`keras_fullgrad.inspection.expose`. With
            ``biases``, also a model of the user's own whose outputs are ``[logits, *signals]``.
        inputs: The inputs, (batch, space, channels), of floating type.
        indices: The classes to explain, (batch, K). None: each image's top class.
        indices_axis: The axis of the classes in the logits.
        indices_batch_dims: How many dimensions the logits and ``indices`` share.
        spatial_axis: The axes of positions. None: found from the model's layers.
        psi: The filter of each term, called with the term and its spatial axes. None: the preset's.
        biases: A bias for each exposed layer. None: read from the layers.
        preset: ``default``, the numbers of keras-explainable, or ``paper``, those of the authors.
        simple: Whether to leave the biases out as factors: Simple FullGrad.
        backend: ``native``, ``tensorflow``, or ``auto``.

    Returns:
        The logits, (batch, K), or all of them where ``indices`` is None, and the maps,
        (batch, space, K).

    Raises:
        ValueError: If the inputs hold no positions, the preset is unknown, or the biases are not as
            many as the exposed layers.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> logits, maps = full_gradients(model, tf.ones([1, 8, 8, 3]))
        >>> logits.shape, maps.shape
        (TensorShape([1, 2]), TensorShape([1, 8, 8, 1]))
    """
    if preset not in PRESETS:
        raise ValueError(f"expected preset to be one of {', '.join(PRESETS)}, got {preset!r}")
    options = PRESETS[preset] | ({"psi": psi} if psi is not None else {})
    layout = _layout(model, inputs, spatial_axis)
    exposed = model
    if biases is None and not isinstance(model, inspection.ExposedModel):
        exposed = inspection.expose(model)

    logits, targets, signals, tape = _forward(exposed, inputs, indices, indices_axis, indices_batch_dims)
    if biases is None:
        biases = inspection.biases([endpoint.layer for endpoint in exposed.arguments])
    count = len(exposed.arguments) if isinstance(exposed, inspection.ExposedModel) else len(signals)
    if len(biases) != count:
        raise ValueError(f"expected a bias for each of the {count} exposed layers, got {len(biases)}")

    rank = inputs.shape.rank
    spatial = [(index, signal) for index, signal in signals if signal.shape.rank == rank]
    size = tf.shape(inputs)[1:-1] if layout == "channels_last" else tf.shape(inputs)[2:]
    maps = []
    for gradient_of_input, *rest in _backward(tape, targets, [inputs, *(s for _, s in spatial)]):
        terms = [(gradient_of_input, inputs)]
        for (index, _), gradient in zip(spatial, rest, strict=True):
            if gradient is not None:  # None: the signal does not reach the logit.
                terms.append((gradient, _weight(gradient, biases[index], layout, simple)))
        gradient_list, weights = zip(*terms, strict=True)
        maps.append(ops.saliency_map(gradient_list, weights, size, layout=layout, backend=backend, **options))
    return logits, tf.stack(maps, axis=-1)


def _layout(model: keras.Model, inputs: tf.Tensor, spatial_axis: Sequence[int] | None) -> str:
    rank = inputs.shape.rank
    if rank is None or not 3 <= rank <= 5:
        raise ValueError(
            "expected inputs of 1 to 3 spatial dimensions, (batch, space, channels), "
            f"got shape {inputs.shape}: a map needs positions"
        )
    if not inputs.dtype.is_floating:
        raise ValueError(f"expected inputs of a floating type, got {inputs.dtype.name}")
    if spatial_axis is None:
        return inspection.data_layout(model)
    axes = sorted(axis % rank for axis in spatial_axis)
    layouts = {
        tuple(range(1, rank - 1)): "channels_last",
        tuple(range(2, rank)): "channels_first",
    }
    if tuple(axes) not in layouts:
        raise ValueError(
            f"expected spatial_axis to be all axes of inputs of rank {rank} but the batch and the "
            f"channels, got {tuple(spatial_axis)}"
        )
    return layouts[tuple(axes)]


def _forward(
    model: keras.Model,
    inputs: tf.Tensor,
    indices: tf.Tensor | None,
    indices_axis: int,
    indices_batch_dims: int,
) -> tuple[tf.Tensor, list[tf.Tensor], list[tuple[int, tf.Tensor]], tf.GradientTape]:
    """The logits, one logit per image for each class to explain, the signals, and their tape."""
    classes = 1
    if indices is not None:
        classes = indices.shape[-1]
        if classes is None:
            raise ValueError(f"expected indices of a known number of classes, got shape {indices.shape}")
    with tf.GradientTape(persistent=classes > 1, watch_accessed_variables=False) as tape:
        tape.watch(inputs)
        if isinstance(model, inspection.ExposedModel):
            logits, signals = model.signals(inputs)
        else:
            logits, *tensors = model(inputs, training=False)
            signals = list(enumerate(tensors))
        if indices is None:
            top = tf.argmax(logits, axis=indices_axis)[..., tf.newaxis]
            targets = [inspection.gather_units(logits, top, indices_axis, indices_batch_dims)]
        else:
            # On a GPU a gather beyond the last class gives 0, and no error.
            last = tf.cast(tf.shape(logits)[indices_axis] - 1, indices.dtype)
            tf.debugging.assert_less_equal(indices, last, "expected classes within the logits")
            tf.debugging.assert_non_negative(indices, "expected classes of 0 or more")
            logits = inspection.gather_units(logits, indices, indices_axis, indices_batch_dims)
            targets = tf.unstack(logits, num=classes, axis=-1)
    return logits, targets, signals, tape


def _backward(tape: tf.GradientTape, targets: list[tf.Tensor], sources: list[tf.Tensor]) -> Any:
    """Yields the gradients of each target with respect to all sources."""
    for target in targets:
        yield tape.gradient(target, sources)


def _weight(gradient: tf.Tensor, bias: tf.Tensor, layout: str, simple: bool) -> tf.Tensor:
    """The factor of a bias's term: (channels,), or of the gradient's shape for other biases."""
    channels = gradient.shape[-1 if layout == "channels_last" else 1]
    if simple:
        return tf.ones([channels], gradient.dtype)
    bias = tf.convert_to_tensor(bias)
    if bias.shape.rank == 1 and bias.shape[0] == channels:
        return bias
    return tf.broadcast_to(tf.cast(bias, gradient.dtype), tf.shape(gradient))


METHODS = [gradients, full_gradients]
"""The methods of this module."""
