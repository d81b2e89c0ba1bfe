"""Random numbers that layers draw at inference, as the sampling of a variational autoencoder does."""

import collections
import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras

from keras_fullgrad import _keras


@contextlib.contextmanager
def repeated() -> Iterator[None]:
    """Lets each call of a model draw the same random numbers of Keras, and leaves its generators as they are.

    Terms come of several passes through a model, which must all see the same signals. Other threads draw
    what they always do meanwhile.

    Yields:
        Nothing; this thread draws so until the context is left.

    Example:
        >>> seed = keras.random.SeedGenerator(0)
        >>> drawn = []
        >>> for _ in range(2):
        ...     with repeated():
        ...         drawn.append(float(keras.random.normal([], seed=seed)))
        >>> drawn[0] == drawn[1]
        True
    """
    outer = _HERE.drawn
    with _keras.replaced(keras.random.SeedGenerator, "next", _next):
        _HERE.drawn = collections.Counter()
        try:
            yield
        finally:
            _HERE.drawn = outer


class _Here(threading.local):
    """How many seeds this thread drew of each generator since it began to repeat; None: it does not."""

    drawn: "collections.Counter[int] | None" = None


_HERE = _Here()


def _next(draw: Callable[..., Any]) -> Callable[..., Any]:
    """A generator's ``next`` that counts from where the generator is, where this thread repeats."""

    @functools.wraps(draw)
    def drawn(generator: keras.random.SeedGenerator, *args: Any, **kwargs: Any) -> Any:
        if _HERE.drawn is None:
            return draw(generator, *args, **kwargs)
        count = _HERE.drawn[id(generator)]
        _HERE.drawn[id(generator)] += 1
        state = generator.state.value
        return state + keras.ops.convert_to_tensor([0, count], dtype=state.dtype)

    return drawn
