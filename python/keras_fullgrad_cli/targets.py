"""Targets as text: the call that one would write in Python, of names and numbers alone."""

import ast
from typing import Any

from keras_fullgrad import targets


def read(text: str) -> targets.Target:
    """Reads a target.

    Args:
        text: Such as ``Contrast(3, 5)`` or ``Output("scores", Box(0, 2))``; no code is run.

    Returns:
        The target.

    Raises:
        ValueError: If it is no such call, or the target does not take what it is given.
    """
    try:
        node = ast.parse(text, mode="eval").body
        if not isinstance(node, ast.Call):
            raise ValueError("it is no call")
        return _made(node)
    except (SyntaxError, ValueError, TypeError) as error:
        known = ", ".join(name for name in targets.__all__ if name != "Target")
        raise ValueError(
            f"expected --target to be a call of one of {known}, such as 'Contrast(3, 5)', got {text!r}: "
            f"{error}"
        ) from error


def _made(node: ast.expr) -> Any:
    if not isinstance(node, ast.Call):
        return ast.literal_eval(node)
    name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
    if name not in targets.__all__ or name == "Target":
        raise ValueError(f"there is no target {name}")
    if any(keyword.arg is None for keyword in node.keywords):
        raise ValueError("** is not taken")
    options = {str(keyword.arg): _made(keyword.value) for keyword in node.keywords}
    return getattr(targets, name)(*map(_made, node.args), **options)
