"""The library speaks of Python's arguments; on the command line they are options."""

import re

_LAYER = "--target \"Output('LAYER')\""
_OPTIONS = {
    r"target=ke\.targets\.(\w+\([^()]*\))": r'--target "\1"',
    r"implicit_biases=True": "--implicit-biases",
    r"completeness\(model\)": "keras-fullgrad completeness",
    r"expose\(model, outputs=\.\.\.\) names": f"{_LAYER} names",
    r": expose\(model, outputs=\.\.\.\)": f": {_LAYER}",
    r"simple=True": "--simple",
    r"preset='paper'": "--preset paper",
    r"expected simple or implicit_biases": "expected --simple or --implicit-biases",
}


def as_options(message: str) -> str:
    """A message of the library, in the words of the command line."""
    for said, meant in _OPTIONS.items():
        message = re.sub(said, meant, message)
    return message
