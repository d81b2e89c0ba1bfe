"""Explaining methods made from gradients: tensors in, tensors out, eager or traced."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import ml_dtypes
import tensorflow as tf

from keras_fullgrad import decomposition, filters, inspection, ops

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
    *,
    source: int | str | None = None,
    fold_batch_norms: bool = True,
    top: int = 1,
) -> tuple[tf.Tensor, tf.Tensor]:
    r"""Computes the gradient of a logit with respect to the input (Simonyan et al. 2013).

    .. math:: M(x)_p = \frac{1}{C} \sum_c | \partial s / \partial x_{pc} |

    Args:
        model: Any Keras model, or one from :func:`keras_fullgrad.inspection.expose`.
        inputs: The inputs, (batch, space, channels), of floating type, or a list or dictionary of the
            inputs of a model that has several.
        indices: The classes to explain, (batch, K). None: each image's top classes.
        indices_axis: The axis of the classes in the logits.
        indices_batch_dims: How many dimensions the logits and ``indices`` share.
        spatial_axis: The axes of positions. None: found from the model's layers.
        gradient_filter: What is done to the gradient before its channels are averaged.
        source: Of several inputs the one to draw the map over: its index or name.
        fold_batch_norms: See :func:`full_gradients`.
        top: How many classes of each image, the highest first, where ``indices`` is None.

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
    drawn = drawn_input(inputs, source)
    layout = _layout(model, drawn, spatial_axis)
    exposed = model if isinstance(model, inspection.ExposedModel) else inspection.expose(model, [])
    channel_axis = -1 if layout == "channels_last" else 1
    computed = decomposition.forward(
        exposed,
        inputs,
        indices,
        indices_axis,
        indices_batch_dims,
        fold_batch_norms=fold_batch_norms,
        top=top,
    )
    maps = [
        tf.reduce_mean(gradient_filter(computed.tape.gradient(target, drawn)), axis=channel_axis)
        for target in computed.targets
    ]
    return computed.logits, tf.stack(maps, axis=-1)


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
    implicit_biases: bool = False,
    return_terms: bool = False,
    source: int | str | None = None,
    backend: str = "auto",
    fold_batch_norms: bool = True,
    top: int = 1,
) -> tuple[tf.Tensor, tf.Tensor] | tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
    r"""Computes FullGrad maps (Srinivas & Fleuret 2019, arXiv:1905.00780).

    .. math::

        M(x) = U(\psi(x \odot \nabla_x s)) + \sum_l U\Big(\sum_c \psi(b_l \odot \nabla_{z_l} s)_c\Big)

    where :math:`z_l` is the signal right after the bias :math:`b_l` was added, and :math:`U` resizes
    to the input's size. Biases of layers without positions, such as dense ones, have no place in a
    map and are left out.

    Args:
        model: Any Keras model, or one from :func:`keras_fullgrad.inspection.expose`. With
            ``biases``, also a model of the user's own whose outputs are ``[logits, *signals]``.
        inputs: The inputs, (batch, space, channels), of floating type, or a list or dictionary of the
            inputs of a model that has several.
        indices: The classes to explain, (batch, K). None: each image's top classes.
        indices_axis: The axis of the classes in the logits.
        indices_batch_dims: How many dimensions the logits and ``indices`` share.
        spatial_axis: The axes of positions. None: found from the model's layers.
        psi: The filter of each term, called with the term and its spatial axes. None: the preset's.
        biases: A bias for each exposed layer. None: read from the layers.
        preset: ``default``, the numbers of keras-explainable, or ``paper``, those of the authors.
        simple: Whether to leave the biases out as factors: Simple FullGrad.
        implicit_biases: Whether layers that are not linear add terms too, :math:`f(z) - J_f(z) z`;
            only with them do the terms of nets with more than ReLUs add up to the logit.
        return_terms: Whether to return each layer's own map too.
        source: Of several inputs the one to draw the map over: its index or name.
        backend: ``native``, ``tensorflow``, or ``auto``.
        fold_batch_norms: Whether a batch norm and the convolution or dense layer before it are computed as
            one where nothing else sees what is between them. Both keep their terms, and weights are read
            at each call. Only in a traced function, and without ``implicit_biases``.
        top: How many classes of each image, the highest first, where ``indices`` is None.

    Returns:
        The logits, (batch, K), or all of them where ``indices`` is None, and the maps,
        (batch, space, K). With ``return_terms`` also a dictionary of the maps of the input and of each
        layer with a place in the map, by its name, which add up to the maps.

    Raises:
        ValueError: If the inputs hold no positions, the preset is unknown, options exclude each other,
            or the biases are not as many as the exposed layers.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> logits, maps = full_gradients(model, tf.ones([1, 8, 8, 3]))
        >>> logits.shape, maps.shape
        (TensorShape([1, 2]), TensorShape([1, 8, 8, 1]))
    """
    if preset not in PRESETS:
        raise ValueError(f"expected preset to be one of {', '.join(PRESETS)}, got {preset!r}")
    if simple and implicit_biases:
        raise ValueError("expected simple or implicit_biases, got both: Simple FullGrad has no biases")
    options = PRESETS[preset] | ({"psi": psi} if psi is not None else {})
    drawn = drawn_input(inputs, source)
    layout = _layout(model, drawn, spatial_axis)
    exposed = model
    if biases is None and not isinstance(model, inspection.ExposedModel):
        exposed = inspection.expose(model)

    logits, targets, terms, tape = decomposition.forward(
        exposed,
        inputs,
        indices,
        indices_axis,
        indices_batch_dims,
        biases,
        implicit_biases,
        fold_batch_norms,
        top,
    )
    terms = [term for term in terms if term.signal.shape.rank == drawn.shape.rank]
    space = slice(1, -1) if layout == "channels_last" else slice(2, None)
    size = tf.shape(drawn)[space]

    def draw(factors: Iterable[tuple[tf.Tensor, tf.Tensor]]) -> tf.Tensor:
        # Gradients of one size at a time: they are let go of while the backward pass goes on to the next.
        by_size: dict[tuple[int | None, ...], list[tuple[tf.Tensor, tf.Tensor]]] = {}
        for gradient, weight in factors:
            by_size.setdefault(tuple(gradient.shape[space]), []).append((gradient, weight))
        maps = []
        for group in by_size.values():
            gradients, weights = zip(*group, strict=True)
            maps.append(ops.saliency_map(gradients, weights, size, layout=layout, backend=backend, **options))
        return _sum(maps)

    maps: list[tf.Tensor] = []
    maps_of_terms: list[dict[str, tf.Tensor]] = []
    for target in targets:
        # One backward pass after the other, so that the gradients of one are held at a time.
        with tf.control_dependencies(maps[-1:]):
            seed = tf.ones_like(target)
        signals = [drawn, *(term.signal for term in terms)]
        gradient_of_input, *gradients = tape.gradient(target, signals, seed)
        if gradient_of_input is None:
            raise ValueError(
                f"expected the logits to depend on the input of shape {drawn.shape}, they do not"
            )
        factors = {"input": [(gradient_of_input, drawn)]}
        for term, gradient in zip(terms, gradients, strict=True):
            if gradient is not None:  # None: the signal does not reach the logit.
                weight = _weight(gradient, term, layout, simple)
                factors.setdefault(term.name, []).append((gradient, weight))
        if return_terms:
            maps_of_terms.append({name: draw(factors[name]) for name in factors})
            maps.append(_sum(list(maps_of_terms[-1].values())))
        else:
            maps.append(draw(itertools.chain.from_iterable(factors.values())))
    stacked = tf.stack(maps, axis=-1)
    if not return_terms:
        return logits, stacked
    return logits, stacked, tf.nest.map_structure(lambda *each: tf.stack(each, axis=-1), *maps_of_terms)


def drawn_input(inputs: Any, source: int | str | None = None) -> tf.Tensor:
    """Finds the input that a map is drawn over.

    Args:
        inputs: A tensor, or a list or dictionary of them.
        source: Its index or name. None: the only input with positions.

    Returns:
        The input, (batch, space, channels).

    Raises:
        ValueError: If it is not clear which.

    Example:
        >>> drawn_input([tf.ones([1, 8, 8, 3]), tf.ones([1, 5])]).shape
        TensorShape([1, 8, 8, 3])
    """
    if isinstance(inputs, tf.Tensor):
        return inputs
    if source is not None:
        names = list(inputs) if isinstance(inputs, dict) else list(range(len(inputs)))
        if source not in names:
            raise ValueError(f"expected source to be one of {names}, got {source!r}")
        return inputs[source]
    drawable = [x for x in keras.tree.flatten(inputs) if x.dtype.is_floating and 3 <= x.shape.rank <= 5]
    if len(drawable) != 1:
        raise ValueError(
            "expected one input of floating type with positions, or source to name the input to draw a map "
            f"over, got inputs of shapes {keras.tree.map_structure(lambda x: tuple(x.shape), inputs)}"
        )
    return drawable[0]


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


def _sum(maps: Sequence[tf.Tensor]) -> tf.Tensor:
    """Adds maps, which are of float64 where a gradient is: layers may differ."""
    widest = max((one.dtype for one in maps), key=lambda dtype: dtype.size)
    return tf.add_n([tf.cast(one, widest) for one in maps])


def _weight(gradient: tf.Tensor, term: decomposition.Term, layout: str, simple: bool) -> tf.Tensor:
    """The factor of a bias's term: (channels,), or of the gradient's shape for other biases."""
    channels = gradient.shape[-1 if layout == "channels_last" else 1]
    if term.implicit:
        return _without_rounding(tf.cast(term.bias, gradient.dtype), term.signal)
    if simple:
        factor = tf.ones([channels], gradient.dtype) if term.slope is None else term.slope
    else:
        factor = term.bias if term.slope is None else tf.cast(term.bias, term.slope.dtype) * term.slope
    if factor.shape.num_elements() == channels:
        return tf.reshape(factor, [channels])
    return tf.broadcast_to(tf.cast(factor, gradient.dtype), tf.shape(gradient))


def _without_rounding(bias: tf.Tensor, signal: tf.Tensor) -> tf.Tensor:
    """Zeros, for each image whose signal's rounding errors would explain the bias.

    A layer that is linear leaves no implicit bias but these, and a rescaling would blow them up.
    """
    axes = list(range(1, signal.shape.rank))
    rounding = 64 * float(ml_dtypes.finfo(signal.dtype.as_numpy_dtype).eps)
    largest = rounding * tf.reduce_max(tf.abs(signal), axes, keepdims=True)
    left = tf.reduce_max(tf.abs(bias), axes, keepdims=True)
    return tf.where(left > tf.cast(largest, bias.dtype), bias, tf.zeros_like(bias))


METHODS = [gradients, full_gradients]
"""The methods of this module."""
