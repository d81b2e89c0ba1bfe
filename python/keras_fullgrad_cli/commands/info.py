"""`keras-fullgrad info`."""

import json
import warnings

from rich.console import Console
from rich.table import Table

from keras_fullgrad_cli.options import AsJson
from keras_fullgrad_cli.startup import start


def info(as_json: AsJson = False) -> None:
    """Tells what the library was built for, what it runs on, and what to do where something is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # What they say stands under advice.
        start()
        from keras_fullgrad.native import environment

        facts = environment.facts()
    if as_json:
        print(json.dumps(facts))
        return
    table = Table(show_header=False)
    for name, value in facts.items():
        if name != "advice":
            table.add_row(name, _text(value))
    console = Console()
    console.print(table)
    for advice in facts["advice"]:
        console.print(f"- {advice}", soft_wrap=True, markup=False)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return "none" if value is None else str(value)
