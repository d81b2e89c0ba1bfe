"""Every public function has a docstring in the house style, and its example runs."""

import doctest
import importlib.util
import inspect
import pkgutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke

pytestmark = pytest.mark.slow

MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(ke.__path__, "keras_fullgrad.")
    if importlib.util.find_spec(name).origin.endswith(".py")  # Not the compiled libraries.
]


def public_functions(module):
    for name, value in vars(module).items():
        if inspect.isfunction(value) and value.__module__ == module.__name__ and name[0] != "_":
            yield value


@pytest.mark.parametrize("name", ["keras_fullgrad", *MODULES])
def test_examples_run(name):
    module = importlib.import_module(name)
    names = vars(module) | {"keras": keras, "np": np, "tf": tf, "ke": ke}
    results = doctest.testmod(module, extraglobs=names, verbose=False)
    assert results.failed == 0


@pytest.mark.parametrize("name", [m for m in MODULES if ".demo" not in m and "._" not in m])
def test_public_functions_are_documented_and_typed(name):
    for function in public_functions(importlib.import_module(name)):
        docstring = inspect.getdoc(function) or ""
        assert docstring, function
        signature = inspect.signature(function)
        assert signature.return_annotation is not inspect.Signature.empty, function
        for parameter in signature.parameters.values():
            assert parameter.annotation is not inspect.Parameter.empty, (function, parameter)
        if "\n" in docstring and not docstring.startswith(("Takes absolute", "Retains")):
            assert ">>>" in docstring, function
            assert "Args:" in docstring or not signature.parameters, function
