"""What a test needs and this machine has not: skipped on a developer's machine, a failure in the pipeline."""

import os
from typing import NoReturn

import pytest


def not_here(why: str) -> NoReturn:
    """End the test: `why` names what is missing, and how it is installed. Where CI is set at all, it has failed."""
    if os.environ.get("CI"):
        pytest.fail(why, pytrace=False)
    pytest.skip(why)
