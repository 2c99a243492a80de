"""Waiting for what another thread or process does: a test goes on as soon as it is true, and fails where it never is."""

import time
from collections.abc import Callable

HANG_S = 60.0  # a guard against what never comes: on a machine with other work each thread may stall for seconds


def until(true: Callable[[], object], within_s: float = HANG_S) -> None:
    """Wait until this is true; fail where it never is."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)
