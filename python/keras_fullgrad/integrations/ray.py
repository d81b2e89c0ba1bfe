"""FullGrad as a callable class for Ray Data, which runs it on the machines of a cluster."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fullgrad.shortcuts import full_gradients


class FullGrad:
    """Explains batches in the actors of `ray.data.Dataset.map_batches`, each of which loads the model once.

    Of the columns ``image``, (images, space, channels), as the model takes them, and, if there is one,
    ``class``, (images,) or (images, K), it makes ``logits`` and ``classes``, (images, K), and ``map``,
    (images, space, K), in [0, 1]; other columns are kept, and of a target that is of no class there are no
    ``classes``::

        images.map_batches(
            FullGrad,
            fn_constructor_args=["net.keras"],
            fn_constructor_kwargs={"preset": "paper"},
            batch_size=32,
            compute=ray.data.ActorPoolStrategy(size=4),
            num_gpus=1,
        )

    An actor without ``num_gpus`` computes on CPUs, and two that share a GPU share its memory. A map depends,
    by rounding, on the images beside it in a batch, and Ray cuts batches at the ends of its blocks.

    Args:
        model: A ``.keras`` file that every machine can read, loaded without running code that it may hold; or
            a function that returns a model, called in each actor.
        **params: Further arguments of :func:`keras_fullgrad.full_gradients`, but for ``return_terms``.

    Raises:
        ValueError: If ``return_terms`` is asked for, the file is of another kind, or does not load.

    Example:
        >>> def net():
        ...     return keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3),
        ...                              keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> batch = FullGrad(net)({"path": np.array(["a", "b"]), "image": np.ones([2, 8, 8, 3])})
        >>> {name: column.shape for name, column in batch.items()}
        {'path': (2,), 'image': (2, 8, 8, 3), 'logits': (2, 1), 'classes': (2, 1), 'map': (2, 8, 8, 1)}
    """

    def __init__(self, model: str | os.PathLike[str] | Callable[[], keras.Model], **params: Any) -> None:
        if params.get("return_terms"):
            raise ValueError("expected no return_terms, whose maps are no columns, got return_terms=True")
        if not callable(model) and Path(model).suffix != ".keras":
            # Some releases of Keras run the code that an .h5 file holds.
            raise ValueError(f"expected a .keras file or a function that returns a model, got {model}")
        use_granted_gpus()
        self.model = model() if callable(model) else keras.models.load_model(model, compile=False)
        self._params = {"verbose": 0} | params

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Explains a batch.

        Args:
            batch: The columns.

        Returns:
            The columns, and those of the explanation.

        Raises:
            ValueError: As :func:`keras_fullgrad.explain.explain`.
            TypeError: As :func:`keras_fullgrad.explain.explain`.
        """
        images, classes = batch["image"], batch.get("class")
        params: dict[str, Any] = {"batch_size": len(images)} | self._params
        explained = full_gradients(self.model, images, classes, **params)
        found = {"logits": explained.logits, "classes": explained.classes, "map": explained.maps}
        return batch | {name: column for name, column in found.items() if column is not None}


def use_granted_gpus() -> None:
    """Keeps an actor off GPUs that it was not granted, and from taking all memory of those that it was.

    Example:
        >>> use_granted_gpus()
    """
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        context = ray.get_runtime_context()
        # From 2.60 on Ray itself hides them no more.
        if context.get_actor_id() is not None and not context.get_accelerator_ids()["GPU"]:
            tf.config.set_visible_devices([], "GPU")
    for gpu in tf.config.get_visible_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
