"""Both database engines: the same events give the same state, and the suites of the ledger run on both."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from engines import POSTGRESQL, SQLITE

ROOT = Path(__file__).resolve().parents[3]
SUITES = ("ledger", "projection", "queries")
SEEDS = range(20)


@pytest.mark.host
def test_twenty_seeded_shops_have_the_same_state_on_both_engines(
    hub_on: Callable[[str], Any], story: Callable[[int], list[Any]]
) -> None:
    def state(name: str, seed: int) -> str:
        hub = hub_on(name)
        rows = story(seed)
        for start in range(0, len(rows), 40):
            hub.deliver(*rows[start : start + 40])
            hub.drain()
        return sha256(repr(hub.everything()).encode()).hexdigest()

    states = {name: [state(name, seed) for seed in SEEDS] for name in (SQLITE, POSTGRESQL)}
    print(f"{len(SEEDS)} shops: {len(set(states[SQLITE]))} states, the same on both engines")
    assert states[SQLITE] == states[POSTGRESQL]
    assert len(set(states[SQLITE])) == len(SEEDS)


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_of_the_ledger_has_as_many_tests_on_each_engine(suite: str) -> None:
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", f"tests/server/{suite}"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    tests = [line.partition("[")[2] for line in collected.stdout.splitlines() if "::" in line]
    counts = Counter(name for test in tests for name in (SQLITE, POSTGRESQL) if test.startswith(name))
    print(f"{suite}: {counts[SQLITE]} tests on SQLite, {counts[POSTGRESQL]} on PostgreSQL")
    assert counts[SQLITE] == counts[POSTGRESQL] > 0
