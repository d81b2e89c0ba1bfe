"""What a user calls: methods over data of any size, each with its own arguments; maps rescaled to [0, 1]."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
import tensorflow as tf

from keras_fullgrad.explain import explain
from keras_fullgrad.explanation import Explanation
from keras_fullgrad.maps import filters
from keras_fullgrad.methods import activations, cams, drawing, gradient
from keras_fullgrad.targets.classes import Labels


def gradients(
    model: keras.Model,
    x: Any,
    y: Any | None = None,
    *,
    target: Any | None = None,
    labels: Labels = True,
    gradient_filter: Callable[[tf.Tensor], tf.Tensor] = tf.abs,
    top: int = 1,
    source: int | str | None = None,
    fold_batch_norms: bool = True,
    batch_size: int | None = None,
    verbose: str | int = "auto",
    steps: int | None = None,
    callbacks: Sequence[keras.callbacks.Callback] | None = None,
    postprocessing: filters.Filter | None = filters.normalize,
    resizing: bool | Sequence[int] | None = True,
) -> Explanation:
    """Explains logits by input gradients, rescaled to [0, 1].

    :func:`keras_fullgrad.explain.explain` with :func:`keras_fullgrad.methods.gradient.gradients`,
    which has the formula, and its defaults, but for the rescaling, which it leaves out.

    Args:
        model: Any Keras model.
        x: The inputs; see :func:`keras_fullgrad.explain.explain`.
        y: The classes; see :func:`keras_fullgrad.explain.explain`.
        target: What to explain in the place of classes' logits; see :func:`keras_fullgrad.explain.explain`.
        labels: See :func:`keras_fullgrad.explain.explain`.
        gradient_filter: What is done to the gradient before its channels are averaged.
        top: How many classes of each image, the highest first, where there is no ``y``.
        source: Of several inputs the one to draw the map over: its index in a list, its key in a dictionary,
            or its name in the model. ``all``: a map over each that has positions; ``maps``, ``terms`` and
            ``left_out`` are then lists or dictionaries as the inputs are.
        fold_batch_norms: Whether the model is computed with fewer passes over memory: batch norms in one with
            the layers before them, padding in the convolution, and more, with the same terms.
        batch_size: Images computed at a time. None: by their size and the machine's memory.
        verbose: 0 for no progress bar, 1 or "auto" for one.
        steps: At most as many batches.
        callbacks: Keras callbacks, called as in `predict`.
        postprocessing: A filter of the finished maps. None: none.
        resizing: See :func:`keras_fullgrad.explain.explain`.

    Returns:
        The logits, (images, K), and their maps, (images, space, K), in [0, 1], with more as attributes.

    Raises:
        ValueError: As :func:`keras_fullgrad.explain.explain`.
        TypeError: As :func:`keras_fullgrad.explain.explain`.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> gradients(model, np.ones([1, 8, 8, 3]), verbose=0).maps.shape
        (1, 8, 8, 1)
    """
    method = gradient.gradients
    running = (batch_size, verbose, steps, callbacks, postprocessing, resizing)
    return explain(
        method,
        model,
        x,
        y,
        *running,
        target,
        labels,
        gradient_filter=gradient_filter,
        top=top,
        source=source,
        fold_batch_norms=fold_batch_norms,
    )


def full_gradients(
    model: keras.Model,
    x: Any,
    y: Any | None = None,
    *,
    target: Any | None = None,
    labels: Labels = True,
    preset: str = "default",
    psi: filters.Filter | None = None,
    top: int = 1,
    simple: bool = False,
    implicit_biases: bool | None = None,
    biases: Sequence[Any] | None = None,
    return_terms: bool = False,
    source: int | str | None = None,
    positions: drawing.Place | None = None,
    backend: str = "auto",
    fold_batch_norms: bool = True,
    batch_size: int | None = None,
    verbose: str | int = "auto",
    steps: int | None = None,
    callbacks: Sequence[keras.callbacks.Callback] | None = None,
    postprocessing: filters.Filter | Literal["auto"] | None = "auto",
    resizing: bool | Sequence[int] | None = True,
) -> Explanation:
    """Explains logits by FullGrad maps, rescaled to [0, 1] (Srinivas & Fleuret 2019, arXiv:1905.00780).

    :func:`keras_fullgrad.explain.explain` with :func:`keras_fullgrad.methods.gradient.full_gradients`,
    which has the formula, and its defaults, but for the rescaling, which it leaves out.

    Args:
        model: Any Keras model, or one from :func:`keras_fullgrad.inspection.expose`.
        x: The inputs; see :func:`keras_fullgrad.explain.explain`.
        y: The classes; see :func:`keras_fullgrad.explain.explain`.
        target: What to explain in the place of classes' logits; see :func:`keras_fullgrad.explain.explain`.
        labels: See :func:`keras_fullgrad.explain.explain`.
        preset: ``default``, the numbers of keras-explainable, or ``paper``, those of the paper's authors.
        psi: The filter of each term, one of ``keras_fullgrad.filters`` or your own. None: the preset's.
        top: How many classes of each image, the highest first, where there is no ``y``.
        simple: Whether to leave the biases out as factors: Simple FullGrad.
        implicit_biases: Whether layers that are not linear add terms too, so that all terms add up to the
            logit. None: no, and a warning where much is left out.
        biases: A bias for each layer of a model that was exposed. None: read from the layers.
        return_terms: Whether to keep each layer's own map, as ``terms``.
        source: Of several inputs the one to draw the map over: its index in a list, its key in a dictionary,
            or its name in the model. ``all``: a map over each that has positions; ``maps``, ``terms`` and
            ``left_out`` are then lists or dictionaries as the inputs are.
        positions: From a layer's name and its term to the term over a grid of the image, (images, space,
            channels), or to None, which leaves it out; called where the place is not known.
        backend: What runs the fused op: ``native``, ``tensorflow``, or ``auto``.
        fold_batch_norms: Whether the model is computed with fewer passes over memory: batch norms in one with
            the layers before them, padding in the convolution, and more, with the same terms.
        batch_size: Images computed at a time. None: by their size and the machine's memory.
        verbose: 0 for no progress bar, 1 or "auto" for one.
        steps: At most as many batches.
        callbacks: Keras callbacks, called as in `predict`.
        postprocessing: A filter of the finished maps. ``auto``: rescaled to [0, 1], or with ``return_terms``
            as they are, so that the terms add up to them. None: as they are.
        resizing: See :func:`keras_fullgrad.explain.explain`.

    Returns:
        The logits, (images, K), and their maps, (images, space, K), with more as attributes.

    Raises:
        ValueError: As :func:`keras_fullgrad.explain.explain`.
        TypeError: As :func:`keras_fullgrad.explain.explain`.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> logits, maps = full_gradients(model, np.ones([1, 8, 8, 3]), y=[[0, 1]], verbose=0)
        >>> maps.shape
        (1, 8, 8, 2)
    """
    if postprocessing == "auto":
        postprocessing = None if return_terms else filters.normalize
    method = gradient.full_gradients
    running = (batch_size, verbose, steps, callbacks, postprocessing, resizing)
    return explain(
        method,
        model,
        x,
        y,
        *running,
        target,
        labels,
        preset=preset,
        psi=psi,
        top=top,
        simple=simple,
        implicit_biases=implicit_biases,
        biases=biases,
        return_terms=return_terms,
        source=source,
        positions=positions,
        backend=backend,
        fold_batch_norms=fold_batch_norms,
    )


def gradcam(
    model: keras.Model,
    x: Any,
    y: Any | None = None,
    *,
    target: Any | None = None,
    labels: Labels = True,
    layer: activations.Named | None = None,
    top: int = 1,
    source: int | str | None = None,
    batch_size: int | None = None,
    verbose: str | int = "auto",
    steps: int | None = None,
    callbacks: Sequence[keras.callbacks.Callback] | None = None,
    postprocessing: filters.Filter | None = filters.positive_normalize,
    resizing: bool | Sequence[int] | None = True,
) -> Explanation:
    """Explains logits by Grad-CAM (Selvaraju et al. 2016, arXiv:1610.02391), its positive part in [0, 1].

    :func:`keras_fullgrad.explain.explain` with :func:`keras_fullgrad.methods.cams.gradcam`,
    which has the formula, and its defaults, but for the rescaling, which it leaves out.

    Args:
        model: Any Keras model, or one whose outputs are ``[logits, signal]``.
        x: The inputs; see :func:`keras_fullgrad.explain.explain`.
        y: The classes; see :func:`keras_fullgrad.explain.explain`.
        target: What to explain in the place of classes' logits; see :func:`keras_fullgrad.explain.explain`.
        labels: See :func:`keras_fullgrad.explain.explain`.
        layer: The name of the layer whose output the map is made of. None: the last signal over the image
            that all goes through.
        top: How many classes of each image, the highest first, where there is no ``y``.
        source: Of several inputs the one to draw the map over: its index in a list, its key in a dictionary,
            or its name in the model.
        batch_size: Images computed at a time. None: by their size and the machine's memory.
        verbose: 0 for no progress bar, 1 or "auto" for one.
        steps: At most as many batches.
        callbacks: Keras callbacks, called as in `predict`.
        postprocessing: A filter of the maps, before they are resized. None: none.
        resizing: See :func:`keras_fullgrad.explain.explain`.

    Returns:
        The logits, (images, K), and their maps, (images, space, K), with more as attributes.

    Raises:
        ValueError: As :func:`keras_fullgrad.explain.explain`, and if it is not clear which signal to take.
        TypeError: As :func:`keras_fullgrad.explain.explain`.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3),
        ...                           keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
        >>> gradcam(model, np.ones([1, 8, 8, 3]), verbose=0).maps.shape
        (1, 8, 8, 1)
    """
    method = cams.gradcam
    running = (batch_size, verbose, steps, callbacks, postprocessing, resizing)
    return explain(method, model, x, y, *running, target, labels, layer=layer, top=top, source=source)


def cam(
    model: keras.Model,
    x: Any,
    y: Any | None = None,
    *,
    target: Any | None = None,
    labels: Labels = True,
    layer: activations.Named | None = None,
    top: int = 1,
    source: int | str | None = None,
    batch_size: int | None = None,
    verbose: str | int = "auto",
    steps: int | None = None,
    callbacks: Sequence[keras.callbacks.Callback] | None = None,
    postprocessing: filters.Filter | None = filters.positive_normalize,
    resizing: bool | Sequence[int] | None = True,
) -> Explanation:
    """Explains logits by class activation maps (Zhou et al. 2015, arXiv:1512.04150), positive, in [0, 1].

    :func:`keras_fullgrad.explain.explain` with :func:`keras_fullgrad.methods.cams.cam`,
    which has the formula, and its defaults, but for the rescaling, which it leaves out.

    Args:
        model: See :func:`gradcam`.
        x: See :func:`gradcam`.
        y: See :func:`gradcam`.
        target: See :func:`gradcam`.
        labels: See :func:`gradcam`.
        layer: See :func:`gradcam`.
        top: See :func:`gradcam`.
        source: See :func:`gradcam`.
        batch_size: See :func:`gradcam`.
        verbose: See :func:`gradcam`.
        steps: See :func:`gradcam`.
        callbacks: See :func:`gradcam`.
        postprocessing: See :func:`gradcam`.
        resizing: See :func:`gradcam`.

    Returns:
        The logits, (images, K), and their maps, (images, space, K), with more as attributes.

    Raises:
        ValueError: As :func:`keras_fullgrad.explain.explain`, and if the model does not end in a pooling
            over all positions and a dense layer.
        TypeError: As :func:`keras_fullgrad.explain.explain`.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3),
        ...                           keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
        >>> cam(model, np.ones([1, 8, 8, 3]), verbose=0).maps.shape
        (1, 8, 8, 1)
    """
    method = cams.cam
    running = (batch_size, verbose, steps, callbacks, postprocessing, resizing)
    return explain(method, model, x, y, *running, target, labels, layer=layer, top=top, source=source)
