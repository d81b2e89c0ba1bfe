"""Explaining methods made from gradients."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_fullgrad.explanation import Explanation
from keras_fullgrad.maps import filters
from keras_fullgrad.methods import drawing, eager
from keras_fullgrad.methods.drawing import PRESETS, Style
from keras_fullgrad.model.exposing import ExposedModel, expose, expose_logits
from keras_fullgrad.model.inputs import channel_axis, check_drawable, drawn_input
from keras_fullgrad.targets.target import Target
from keras_fullgrad.terms import collect


@eager.traced
def gradients(
    model: keras.Model,
    inputs: Any,
    indices: tf.Tensor | Target | None = None,
    gradient_filter: Callable[[tf.Tensor], tf.Tensor] = tf.abs,
    *,
    top: int = 1,
    source: int | str | None = None,
    fold_batch_norms: bool = True,
    spatial_axis: Sequence[int] | None = None,
) -> Explanation:
    r"""Computes the gradient of a logit with respect to the input (Simonyan et al. 2013, arXiv:1312.6034).

    .. math:: M(x)_p = \frac{1}{C} \sum_c | \partial s / \partial x_{pc} |

    Args:
        model: Any Keras model, or one from :func:`keras_fullgrad.inspection.expose`.
        inputs: The inputs, (batch, space, channels), of floating type, or a list or dictionary of the
            inputs of a model that has several.
        indices: What to explain: classes, (batch, K), or one of ``keras_fullgrad.targets``. None: each
            image's top classes.
        gradient_filter: What is done to the gradient before its channels are averaged.
        top: How many classes of each image, the highest first, where none are named.
        source: Of several inputs the one to draw the map over: its index in a list, its key in a dictionary.
        fold_batch_norms: See :func:`full_gradients`.
        spatial_axis: See :func:`full_gradients`.

    Returns:
        The logits, (batch, K), and their maps, (batch, space, K), as tensors.

    Raises:
        ValueError: If the inputs hold no positions, or it is not clear which to draw over.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> logits, maps = gradients(model, tf.ones([1, 8, 8, 3]), tf.constant([[0, 1]]))
        >>> maps.shape
        TensorShape([1, 8, 8, 2])
    """
    drawn = drawn_input(inputs, source)
    check_drawable(drawn)
    computed = collect.forward(
        expose_logits(model),
        inputs,
        indices,
        top=top,
        fold_batch_norms=fold_batch_norms,
        source=drawn,
        channel_axis=channel_axis(drawn, spatial_axis),
    )
    maps = []
    for target in computed.targets:
        (gradient,) = computed.differentiate(target, [drawn])
        if gradient is None:
            raise ValueError(
                f"expected the logits to depend on the input of shape {drawn.shape}, they do not"
            )
        maps.append(tf.reduce_mean(gradient_filter(gradient.unscaled()), computed.channel_axis))
    return Explanation(
        computed.logits, tf.stack(maps, axis=-1), classes=computed.classes, outputs=computed.outputs
    )


@eager.traced
def full_gradients(
    model: keras.Model,
    inputs: Any,
    indices: tf.Tensor | Target | None = None,
    psi: filters.Filter | None = None,
    biases: Sequence[tf.Tensor] | None = None,
    *,
    preset: str = "default",
    top: int = 1,
    simple: bool = False,
    implicit_biases: bool | None = None,
    return_terms: bool = False,
    source: int | str | None = None,
    positions: drawing.Place | None = None,
    backend: str = "auto",
    fold_batch_norms: bool = True,
    spatial_axis: Sequence[int] | None = None,
) -> Explanation:
    r"""Computes FullGrad maps (Srinivas & Fleuret 2019, arXiv:1905.00780).

    .. math::

        M(x) = U\Big(\sum_c \psi(x \odot \nabla_x s)_c\Big)
            + \sum_l U\Big(\sum_c \psi(b_l \odot \nabla_{z_l} s)_c\Big)

    where :math:`z_l` is the signal right after the bias :math:`b_l` was added, and :math:`U` resizes
    to the input's size. Biases of layers without positions, such as dense ones, have no place in a
    map and are left out.

    Args:
        model: Any Keras model, or one from :func:`keras_fullgrad.inspection.expose`. With
            ``biases``, also a model of the user's own whose outputs are ``[logits, *signals]``.
        inputs: The inputs, (batch, space, channels), of floating type, or a list or dictionary of the
            inputs of a model that has several.
        indices: What to explain: classes, (batch, K), or one of ``keras_fullgrad.targets``. None: each
            image's top classes.
        psi: The filter of each term, called with the term and its spatial axes. None: the preset's.
        biases: A bias for each exposed layer. None: read from the layers.
        preset: ``default``, the numbers of keras-explainable, or ``paper``, those of the authors.
        top: How many classes of each image, the highest first, where none are named.
        simple: Whether to leave the biases out as factors: Simple FullGrad.
        implicit_biases: Whether layers that are not linear add terms too, :math:`f(z) - J_f(z) z`;
            only with them do the terms of nets with more than ReLUs add up to the logit. None: no, which
            :func:`keras_fullgrad.full_gradients` warns of where they are large.
        return_terms: Whether to return each layer's own map too.
        source: Of several inputs the one to draw the map over: its index in a list, its key in a dictionary.
        positions: Called with the layer's name and the term, a tensor of the signal's shape, for each term
            whose place in the image is not known. It returns the term over a grid of the image, (batch,
            space, channels), or None to leave it out.
        backend: ``native``, ``tensorflow``, or ``auto``.
        fold_batch_norms: Whether the model is computed with fewer passes over memory: a batch norm and the
            convolution or dense layer before it as one where nothing else sees what is between them,
            convolutions of one channel a group as depthwise ones, padding in the convolution, and SiLU,
            hard SiLU and GELU in one native operation. All keep their terms, and weights are read at each
            call. Only in a traced function, and without ``implicit_biases``.
        spatial_axis: The axes of positions, as keras-explainable's calls name them. None: as the model's
            layers say.

    Returns:
        The logits, (batch, K), and their maps, (batch, space, K), as tensors. With ``return_terms`` also the
        maps of the input and of each layer with a place in the map, which add up to the maps, and the share
        of each logit that has none.

    Raises:
        ValueError: If the inputs hold no positions, the preset is unknown, options exclude each other,
            or the biases are not as many as the exposed layers.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> logits, maps = full_gradients(model, tf.ones([1, 8, 8, 3]))
        >>> logits.shape, maps.shape
        (TensorShape([1, 1]), TensorShape([1, 8, 8, 1]))
    """
    style = Style.of(preset, psi, backend)
    if simple and implicit_biases:
        raise ValueError("expected simple or implicit_biases, got both: Simple FullGrad has no biases")
    drawn = drawn_input(inputs, source)
    check_drawable(drawn)
    exposed = model if biases is not None or isinstance(model, ExposedModel) else expose(model)
    computed = collect.forward(
        exposed,
        inputs,
        indices,
        top=top,
        biases=biases,
        implicit_biases=bool(implicit_biases),
        fold_batch_norms=fold_batch_norms,
        native=backend != "tensorflow",
        source=drawn,
        channel_axis=channel_axis(drawn, spatial_axis),
    )
    maps, terms = drawing.draw(computed, style, simple, return_terms, positions)
    return Explanation(
        computed.logits,
        maps,
        classes=computed.classes,
        outputs=computed.outputs,
        terms=terms,
        left_out=drawing.share_left_out(computed, positions) if return_terms else None,
    )


METHODS = [gradients, full_gradients]
"""The methods of this module."""

__all__ = ["METHODS", "PRESETS", "full_gradients", "gradients"]
