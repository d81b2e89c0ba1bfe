"""A model and its FullGrad maps as a TensorFlow SavedModel, to be served without this package."""

import contextlib
import io
import os
import shutil
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_fullgrad import _tensorflow
from keras_fullgrad.explanation import Explanation
from keras_fullgrad.maps import filters
from keras_fullgrad.methods import gradient
from keras_fullgrad.methods.meta import Method
from keras_fullgrad.native import libraries, loading
from keras_fullgrad.targets.outputs import as_target
from keras_fullgrad.targets.target import Target


def export(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    top: int = 1,
    target: Any | None = None,
    inputs: Any | None = None,
    method: Method = gradient.full_gradients,
    postprocessing: filters.Filter | None = filters.normalize,
    **method_params: Any,
) -> Path | None:
    """Writes a model and its maps as a SavedModel: images in, logits and maps out.

    It takes batches of any size, and has two functions, which are its signatures too::

        tf.load_op_library(f"{path}/assets.extra/libkeras_fullgrad_ops.so")  # Not with backend="tensorflow".
        explainer = tf.saved_model.load(path)
        explainer.explain(images)  # {"logits": (batch, classes), "maps": (batch, space, top)}
        explainer.explain_classes(images, classes)  # {"logits": (batch, top), "maps": (batch, space, top)}

    The weights are those of now. The op library and its core are copied along; they run in the minor version
    of TensorFlow, and on the kind of machine, that they were built for.

    Args:
        model: Any Keras model, or one from :func:`keras_fullgrad.inspection.expose`.
        path: The folder to write to.
        top: How many classes of each image are explained: its highest, or as many that are given.
        target: What is explained in the place of classes, of all images the same; see
            :func:`keras_fullgrad.explain.explain`. There is no function ``explain_classes`` then.
        inputs: A `tf.TensorSpec` of the inputs, or a list or dictionary of them, such as one that leaves the
            size of images open. None: as the model tells.
        method: The method, such as ``keras_fullgrad.methods.meta.smooth(full_gradients)``.
        postprocessing: A filter of the finished maps. None: none.
        **method_params: Passed on to the method, such as ``preset="paper"``.

    Returns:
        The op library that is to be loaded first; None where none is needed.

    Raises:
        ValueError: If the model does not tell its inputs, or options do not fit; nothing is written then.

    Example:
        >>> import tempfile
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     library = export(model, folder, preset="paper")
        ...     explainer = tf.saved_model.load(folder)
        >>> library.name, explainer.explain(tf.ones([3, 8, 8, 3]))["maps"].shape
        ('libkeras_fullgrad_ops.so', TensorShape([3, 8, 8, 1]))
    """
    if inputs is None:
        inputs = _specs(model)
    if top != 1:  # A method of the user's own need not know it.
        method_params["top"] = top

    wanted = None if target is None else as_target(target)

    def explain(images: Any, classes: tf.Tensor | Target | None) -> dict[str, tf.Tensor]:
        explained = Explanation.of(method(model, images, classes, **method_params), classes)
        if explained.terms is not None:
            raise ValueError(
                "expected a method of logits and maps, got terms too, as return_terms=True gives"
            )
        # A caller who names no class wants to know which were explained.
        logits = explained.logits if classes is not None or explained.outputs is None else explained.outputs
        maps = explained.maps
        if postprocessing is not None:
            maps = postprocessing(maps, axis=tuple(range(1, maps.shape.rank - 1)))
        return {"logits": logits, "maps": maps}

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("explain", lambda images: explain(images, wanted), [inputs])
    if wanted is None:
        classes = tf.TensorSpec([None, top], tf.int64, "classes")
        archive.add_endpoint("explain_classes", explain, [inputs, classes])
    with contextlib.redirect_stdout(io.StringIO()):  # Keras lists every weight.
        archive.write_out(os.fspath(path))
    return _with_library(Path(path))


def _specs(model: keras.Model) -> Any:
    symbolic = getattr(model, "inputs", None)
    if not symbolic:
        raise ValueError(
            f"expected inputs, a tf.TensorSpec, for model '{model.name}', which does not tell the shapes of "
            "its inputs"
        )
    if len(symbolic) == 1:
        return tf.TensorSpec([None, *symbolic[0].shape[1:]], symbolic[0].dtype, "images")
    return [tf.TensorSpec([None, *each.shape[1:]], each.dtype, each.name) for each in symbolic]


def _with_library(folder: Path) -> Path | None:
    """Copies op and core into a SavedModel that needs them, where the format leaves room for such files."""
    operations = _tensorflow.operations_of_saved_model(folder)
    if not any(each.startswith(loading.OPS) for each in operations):
        return None
    extra = folder / "assets.extra"
    extra.mkdir(exist_ok=True)
    library = libraries.ops(loading.tensorflow_minor())
    if library is None:
        raise FileNotFoundError("expected the op library that the model was traced with, found it no more")
    shutil.copy(library.parent / libraries.CORE, extra)
    return Path(shutil.copy(library, extra / "libkeras_fullgrad_ops.so"))
