"""Explaining methods that weigh the channels of one signal: class activation maps."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_fullgrad.explanation import Explanation
from keras_fullgrad.maps import filters
from keras_fullgrad.methods import activations, eager
from keras_fullgrad.methods.drawing import Factor, Style, draw_factors
from keras_fullgrad.model.inputs import channel_axis, check_drawable, drawn_input
from keras_fullgrad.targets.target import Target
from keras_fullgrad.terms.collect import ForwardPass
from keras_fullgrad.terms.positions import Piece

_SUM = Style(filters.identity, channels="sum", resize="half_pixel", backend="auto")


@eager.traced
def cam(
    model: keras.Model,
    inputs: Any,
    indices: tf.Tensor | Target | None = None,
    *,
    layer: activations.Named | None = None,
    top: int = 1,
    source: int | str | None = None,
    spatial_axis: Sequence[int] | None = None,
) -> Explanation:
    r"""Computes class activation maps (Zhou et al. 2015, arXiv:1512.04150).

    .. math:: M(x)_p = \sum_k w_k A(x)_{pk}

    where :math:`A` is the signal that the model pools over all positions, and :math:`w_k` the weight of its
    channel k in what is explained. Of an average, the map's mean and the head's bias are the logit.

    Args:
        model: See :func:`gradcam`.
        inputs: See :func:`gradcam`.
        indices: See :func:`gradcam`.
        layer: See :func:`gradcam`.
        top: See :func:`gradcam`.
        source: See :func:`gradcam`.
        spatial_axis: See :func:`gradcam`.

    Returns:
        The logits, (batch, K), and their maps, (batch, space, K), of the size of :math:`A`, as tensors.

    Raises:
        ValueError: If what is explained is not a weighted sum of such an average or maximum; if the inputs
            hold no positions, or it is not clear which signal to take.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3),
        ...                           keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
        >>> logits, maps = cam(model, tf.ones([1, 8, 8, 3]), tf.constant([[0, 1]]))
        >>> maps.shape, bool(np.allclose(tf.reduce_mean(maps, axis=[1, 2]), logits, atol=1e-5))
        (TensorShape([1, 6, 6, 2]), True)
    """
    computed, signal = _run(model, inputs, indices, layer, top, source, spatial_axis)
    activations.check_pooled(computed, signal)
    return _explained(computed, signal, tf.reduce_sum)


@eager.traced
def gradcam(
    model: keras.Model,
    inputs: Any,
    indices: tf.Tensor | Target | None = None,
    *,
    layer: activations.Named | None = None,
    top: int = 1,
    source: int | str | None = None,
    spatial_axis: Sequence[int] | None = None,
) -> Explanation:
    r"""Computes Grad-CAM maps (Selvaraju et al. 2016, arXiv:1610.02391), before their ReLU.

    .. math:: M(x)_p = \sum_k A(x)_{pk} \frac{1}{P} \sum_q \frac{\partial s}{\partial A_{qk}}

    where :math:`A` is one of the last signals, of P positions.

    Args:
        model: Any Keras model, or one from :func:`keras_fullgrad.inspection.expose`, or one whose outputs are
            ``[logits, A]``.
        inputs: The inputs, (batch, space, channels), of floating type, or a list or dictionary of the
            inputs of a model that has several.
        indices: What to explain: classes, (batch, K), or one of ``keras_fullgrad.targets``. None: each
            image's top classes.
        layer: The layer that puts out :math:`A`, by name. None: the last signal over the image that all goes
            through.
        top: How many classes of each image, the highest first, where none are named.
        source: Of several inputs the one to draw the map over: its index in a list, its key in a dictionary.
        spatial_axis: See :func:`keras_fullgrad.methods.gradient.full_gradients`.

    Returns:
        The logits, (batch, K), and their maps, (batch, space, K), of the size of :math:`A`, as tensors. A
        signal of several grids, as of crops, is drawn over the image, each grid by its own mean.

    Raises:
        ValueError: If the inputs hold no positions, or it is not clear which signal to take.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3, name="conv"),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> logits, maps = gradcam(model, tf.ones([1, 8, 8, 3]), layer="conv")
        >>> maps.shape
        TensorShape([1, 6, 6, 1])
    """
    computed, signal = _run(model, inputs, indices, layer, top, source, spatial_axis)
    return _explained(computed, signal, tf.reduce_mean)


def _run(
    model: keras.Model,
    inputs: Any,
    indices: tf.Tensor | Target | None,
    layer: activations.Named | None,
    top: int,
    source: int | str | None,
    spatial_axis: Sequence[int] | None,
) -> tuple[ForwardPass, tf.Tensor]:
    drawn = drawn_input(inputs, source)
    check_drawable(drawn)
    options = {"top": top, "source": drawn, "channel_axis": channel_axis(drawn, spatial_axis)}
    return activations.forward(model, inputs, indices, layer, **options)


def _explained(computed: ForwardPass, signal: tf.Tensor, reduce: Callable[..., tf.Tensor]) -> Explanation:
    """Adds up the channels of a signal, each weighed by its gradient, which is reduced over positions."""
    where = activations.placement_of(computed, signal)
    maps = []
    for target in computed.targets:
        (found,) = computed.differentiate(target, [signal])
        if found is None:
            raise ValueError(f"expected what is explained to depend on {signal.op.name}, it does not")
        gradient = found.unscaled()
        pieces = zip(where.pieces(tf.cast(signal, gradient.dtype)), where.pieces(gradient), strict=True)
        factors = [_weighed(of_signal, of_gradient.tensor, reduce) for of_signal, of_gradient in pieces]
        # One grid over all of the image as it is, several over the image.
        size = factors[0].grid if len(factors) == 1 and factors[0].covers_all else computed.located.size
        maps.append(draw_factors(factors, size, _SUM))
    return Explanation(
        computed.logits, tf.stack(maps, axis=-1), classes=computed.classes, outputs=computed.outputs
    )


def _weighed(piece: Piece, gradient: tf.Tensor, reduce: Callable[..., tf.Tensor]) -> Factor:
    last = piece.layout == "channels_last"
    rank = gradient.shape.rank
    weights = reduce(gradient, list(range(1, rank - 1) if last else range(2, rank)), keepdims=True)
    weighted = piece.tensor * weights
    return Factor(weighted, tf.ones([weighted.shape[-1 if last else 1]], weighted.dtype), *piece[1:])


METHODS = [cam, gradcam]
"""The methods of this module."""

__all__ = ["METHODS", "cam", "gradcam"]
