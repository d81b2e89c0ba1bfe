"""Warnings at the line of the user's that they are about."""

import inspect
import warnings


def warn(message: str) -> None:
    """Warns at the line that called this package.

    Args:
        message: What to say.

    Example:
        >>> with warnings.catch_warnings(record=True) as said:
        ...     warnings.simplefilter("always")
        ...     warn("this net has 41 layers")
        >>> str(said[0].message)
        'this net has 41 layers'
    """
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("keras_fullgrad."):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)
