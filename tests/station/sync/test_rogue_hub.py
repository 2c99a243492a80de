"""A hub that answers anything: recording goes on, the journal stays right, and a hub that is right again gets everything.

Each field of each answer has every extreme. For each the station is started anew from its journal.
"""

import random
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from station.journal import JournalReader
from tests.simulation.world import S
from tests.station.fixtures.rogue_hub import FIELDS, Alter, Answer, altered, endpoint, etags, refusals, with_field
from tests.station.fixtures.simulated_station import SimRoom

CASES = 24  # of each endpoint in an ordinary run; `nightly` has all of them


class Rogue(SimRoom):
    """A hub whose answers are altered, and a count of what it was asked."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.alter: Alter | None = None
        self.asked: list[str] = []
        self.anew = self.hits = 0
        self._honest = self.hub.answer

    def answer(self, *request: object) -> Any:
        path = str(request[1])
        self.asked.append(path)
        method, _, body, headers = request
        kept = {name: value for name, value in headers.items() if name != "If-None-Match" or not self.anew}  # type: ignore[attr-defined]
        found: Answer | None = self._honest(method, path, body, kept)  # type: ignore[arg-type]
        if self.alter is None or found is None:
            return found
        if self.anew and endpoint(path) in ("/session", "/heartbeat"):  # each start fetches the definitions
            found = (found[0], found[1], with_field(found[2], ("snapshot_version",), f'"{self.anew}"'))
        told = self.alter(path, found)
        self.hits += told is not found  # altered, be it to the value that was there
        return told

    def journal_is_right(self) -> None:
        """The marks are within the log, and the chain holds."""
        with closing(JournalReader(self.station.folder / "journal.db")) as reader:
            state = reader.state()
            assert reader.verify() == []
        mark = state.mark
        if mark is not None:
            assert 0 <= mark.durable_thru <= mark.accepted_thru <= state.tip.seq
        assert 0 <= state.pruned_thru <= state.tip.seq

    def lives_through(self, name: str, alter: Alter) -> None:
        """One start with altered answers: scans are green, and nothing ends."""
        self.alter, self.hits = alter, 0
        self.anew += 1
        if self.station.on:
            self.station.power_off()
        self.station.boot()
        self.world.advance(S)
        for number in range(2):
            self.station.read(f"{name}-{number}".encode())
            self.world.advance(2 * S)
        assert self.hits, "no such answer came"
        assert self.station.on, name
        assert self.station.reds == 0, name
        self.journal_is_right()

    def is_right_again(self) -> None:
        """The hub answers as it is: all arrives, after one start and no scan."""
        self.alter = None
        self.station.power_off()
        self.station.boot()
        self.settle()
        self.all_counted_once()


@pytest.fixture
def rogue(tmp_path: Path) -> Rogue:
    """A hub that is right until it is altered, with definitions and open items; the station has sent three scans."""
    room = Rogue(tmp_path)
    room.station.boot()
    room.scan("FIRST", 3)
    room.settle()
    return room


def some(cases: Iterable[tuple[str, Alter]], count: int | None) -> list[tuple[str, Alter]]:
    """So many of them, drawn by a seed that is printed; all where `count` is None."""
    every = list(cases)
    if count is None or count >= len(every):
        return every
    seed = random.randrange(10**6)
    print(f"seed {seed}: {count} of {len(every)} cases")
    return random.Random(seed).sample(every, count)


def attack(rogue: Rogue, cases: list[tuple[str, Alter]]) -> None:
    """Each of these, then a hub that is right again."""
    for number, (name, alter) in enumerate(cases):
        try:
            rogue.lives_through(f"R{number}", alter)
        except BaseException:
            print(f"at case {name}")
            raise
    rogue.is_right_again()


@pytest.mark.parametrize("at", FIELDS)
def test_no_value_in_an_answer_ends_a_station_or_loses_a_scan(rogue: Rogue, at: str) -> None:
    attack(rogue, some(altered(at), CASES))


def test_no_refusal_ends_a_station_or_loses_a_scan(rogue: Rogue) -> None:
    attack(rogue, some(refusals(), CASES))


def test_no_version_of_the_definitions_ends_a_station_or_loses_a_scan(rogue: Rogue) -> None:
    attack(rogue, some(etags(), None))


@pytest.mark.nightly
@pytest.mark.parametrize("at", [*FIELDS, "refusals"])
def test_no_value_at_all_ends_a_station_or_loses_a_scan(rogue: Rogue, at: str) -> None:
    attack(rogue, some(refusals() if at == "refusals" else altered(at), None))
