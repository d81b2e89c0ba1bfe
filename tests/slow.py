"""Which cases of a test are not among those of a plain pytest."""

from collections.abc import Iterable

import pytest


def slow_but(quick: str, names: Iterable[str]) -> list:
    """The names as parameters of a test, all but one of them marked as slow."""
    return [name if name == quick else pytest.param(name, marks=pytest.mark.slow) for name in names]
