"""The examples in the docstrings of the drivers run."""

import doctest
import importlib
import pkgutil

import pytest

import drivers

FOUND = list(pkgutil.walk_packages(drivers.__path__, "drivers."))
MODULES = ["drivers", *(module.name for module in FOUND)]
DECODERS = {module.name for module in FOUND if module.name.startswith("drivers.decode.") and not module.ispkg}


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name):
    module = importlib.import_module(name)
    done = doctest.testmod(module)
    assert done.failed == 0
    if name in DECODERS:
        assert done.attempted > 0
