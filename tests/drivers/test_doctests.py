"""The examples in the drivers' documentation run."""

import doctest
import importlib
import pkgutil

import pytest

import drivers

MODULES = ["drivers", *(found.name for found in pkgutil.walk_packages(drivers.__path__, "drivers."))]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name):
    module = importlib.import_module(name)
    done = doctest.testmod(module)
    assert done.failed == 0
    if name.startswith("drivers.decode."):
        assert done.attempted > 0
