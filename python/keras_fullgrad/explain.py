"""A method run over data of any size, batch by batch, with NumPy arrays as results."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_fullgrad.explanation import Explanation
from keras_fullgrad.maps import filters
from keras_fullgrad.methods import finishing, gradient, warning
from keras_fullgrad.methods.meta import Method
from keras_fullgrad.model.info import ModelInfo
from keras_fullgrad.model.inputs import all_drawable, drawn_input, named
from keras_fullgrad.running import agreement, batches, traces
from keras_fullgrad.running.rows import Rows
from keras_fullgrad.targets.classes import Labels


def explain(
    method: Method,
    model: keras.Model,
    x: Any,
    y: Any | None = None,
    batch_size: int | None = None,
    verbose: str | int = "auto",
    steps: int | None = None,
    callbacks: Sequence[keras.callbacks.Callback] | None = None,
    postprocessing: filters.Filter | None = None,
    resizing: bool | Sequence[int] | None = True,
    target: Any | None = None,
    labels: Labels = True,
    **method_params: Any,
) -> Explanation:
    """Explains a model's logits over a set of inputs.

    The method is traced once for each model, its configuration, shape of inputs and set of parameters;
    further calls, and a last, smaller batch, use the same trace. Weights are read at each call.

    Its defaults are those of :func:`keras_fullgrad.full_gradients` and its sisters, but that these
    rescale maps to [0, 1].

    Args:
        method: The method, such as :func:`keras_fullgrad.methods.gradient.full_gradients`.
        model: Any Keras model, or one from :func:`keras_fullgrad.inspection.expose`.
        x: Inputs, (images, space, channels): an array of any type, a tensor, a `tf.data.Dataset`, a
            Keras `PyDataset`, or an iterable of batches; the latter three may hold classes too.
        y: Classes: (images, K), (images,), or one for all; one-hot labels stand for one class each, and of a
            single unit behind a sigmoid 1 is the unit, 0 its negative. None: each image's top class.
        batch_size: Images computed at a time. None: by their size and the machine's memory.
        verbose: 0 for no progress bar, 1 or "auto" for one.
        steps: At most as many batches.
        callbacks: Keras callbacks, called as in `predict`.
        postprocessing: A filter of the finished maps, such as :func:`keras_fullgrad.filters.normalize`.
        resizing: True: maps of a size other than the inputs' are resized to it; a size: to that;
            False or None: not.
        target: What to explain in the place of classes' logits: one of ``keras_fullgrad.targets``, such as
            ``ke.targets.Contrast(3, 5)``, or a function from the model's outputs to (images,) or (images, K).
            The outputs are the model's, in its structure, before a softmax or sigmoid that ends one of them.
        labels: The names of the classes, if ``y`` holds names: in their order, or with their numbers; False:
            labels that a dataset holds are not used.
        **method_params: Passed on to the method.

    Returns:
        The logits, (images, K), and their maps, (images, space, K), with more as attributes, all as NumPy
        arrays of float32 or float64.

    Raises:
        ValueError: If shapes, classes or options do not fit; the message says what was expected.
        TypeError: If the data or the classes are of a wrong type.

    Example:
        >>> from keras_fullgrad.methods.gradient import gradients
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> logits, maps = explain(gradients, model, np.ones([5, 8, 8, 3]), y=1, verbose=0)
        >>> logits.shape, maps.shape
        ((5, 1), (5, 8, 8, 1))
    """
    info, data = batches.for_model(model, x, y, batch_size, steps, target=target, labels=labels)
    warning.of_preprocessor(info)
    warning.of_simple(method_params)
    progress = keras.callbacks.CallbackList(
        list(callbacks or []),
        add_progbar=verbose != 0,
        verbose=1 if verbose == "auto" else verbose,
        model=model,
        epochs=1,
        steps=data.steps,
    )
    results: Any = None
    progress.on_predict_begin()
    for index, batch in enumerate(batches.ahead(data.batches)):
        progress.on_predict_batch_begin(index)
        for found in _explain_batch(method, info, batch, postprocessing, resizing, method_params):
            if results is None:
                results = tf.nest.map_structure(lambda part: Rows(part, data.images), found)
            tf.nest.map_structure(Rows.add, results, found)
        progress.on_predict_batch_end(index)
    if results is None:
        raise ValueError("expected at least one batch, got an iterable without any")
    progress.on_predict_end()
    return warning.of_nan(Explanation(**tf.nest.map_structure(Rows.array, results)))


def explain_iter(
    method: Method,
    model: keras.Model,
    x: Any,
    y: Any | None = None,
    batch_size: int | None = None,
    steps: int | None = None,
    postprocessing: filters.Filter | None = None,
    resizing: bool | Sequence[int] | None = True,
    target: Any | None = None,
    labels: Labels = True,
    **method_params: Any,
) -> Iterator[Explanation]:
    """Explains a model's logits batch by batch, for data and maps larger than memory.

    One batch is computed at a time, when it is asked for, while the next is read; what was yielded is yours,
    whatever comes after.

    Args:
        method: The method, such as :func:`keras_fullgrad.methods.gradient.full_gradients`.
        model: Any Keras model, or one from :func:`keras_fullgrad.inspection.expose`.
        x: Inputs; see :func:`explain`.
        y: Classes; see :func:`explain`.
        batch_size: Images computed at a time. None: by their size and the machine's memory.
        steps: At most as many batches.
        postprocessing: A filter of the finished maps.
        resizing: See :func:`explain`.
        target: What to explain in the place of classes' logits; see :func:`explain`.
        labels: See :func:`explain`.
        **method_params: Passed on to the method.

    Returns:
        An iterator of what :func:`explain` returns, a batch of it at a time.

    Raises:
        ValueError: As :func:`explain`; at once where it can be told without a batch.
        TypeError: As :func:`explain`.

    Example:
        >>> from keras_fullgrad.methods.gradient import gradients
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> [len(maps) for _, maps in explain_iter(gradients, model, np.ones([5, 8, 8, 3]), batch_size=2)]
        [2, 2, 1]
    """
    info, data = batches.for_model(model, x, y, batch_size, steps, target=target, labels=labels)
    warning.of_preprocessor(info)
    warning.of_simple(method_params)
    return (
        warning.of_nan(Explanation(**found))
        for batch in batches.ahead(data.batches)
        for found in _explain_batch(method, info, batch, postprocessing, resizing, method_params)
    )


def _explain_batch(
    method: Method,
    info: ModelInfo,
    batch: batches.Batch,
    postprocessing: filters.Filter | None,
    resizing: bool | Sequence[int] | None,
    params: dict[str, Any],
) -> Iterator[dict[str, Any]]:
    """The parts of a batch's explanation, in as many pieces as its memory asks for."""
    inputs, wanted = batch
    if method is gradient.full_gradients:
        warning.of_left_out(info, inputs, wanted, params)
    if "source" in params:
        params = params | {"source": named(inputs, params["source"], info.names)}
    # The model itself must not be kept with what is traced.
    channels_first = info.layout == "channels_first"

    def over_one(model: keras.Model, inputs: Any, indices: Any, **params: Any) -> Explanation:
        found = Explanation.of(method(model, inputs, indices, **params), indices)
        source = drawn_input(inputs, params.get("source"))
        return finishing.finished(found, inputs, source, postprocessing, resizing, channels_first)

    def compute(model: keras.Model, inputs: Any, indices: Any, **params: Any) -> dict[str, Any]:
        if params.get("source") != "all":
            return over_one(model, inputs, indices, **params).parts
        sources = all_drawable(inputs)
        each = [over_one(model, inputs, indices, **params | {"source": source}).parts for source in sources]
        over_all = {
            name: dict(zip(sources, parts, strict=True)) if isinstance(inputs, dict) else parts
            for name in ("maps", "terms", "left_out")
            if name in each[0] and (parts := [found[name] for found in each])
        }
        return each[0] | over_all

    key = (method, postprocessing, tuple(resizing) if isinstance(resizing, Sequence) else resizing)
    agreement.tell_of_probabilities(info)
    yield from traces.traced(info, compute, key, inputs, wanted, params).results()
