"""What the guest and the station wrote down of a bench: held against what was done there, and told as figures."""

import base64
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from tests.guest.bench import UNIT
from tests.guest.fixtures.station_guest import Plug, Room

MS = 1_000_000
SHEET, CARD_READER = "WIP:SETUP:", "08e6:4433"
_STATE = re.compile(r"a reader is (?P<state>\w+) reader=(?P<reader>'[^']*'|\S+) kind=")


@dataclass(frozen=True, slots=True)
class Scanned:
    """An event of a scan: what it says, by which reader, and when the read was complete."""

    code: str
    raw: bytes
    reader: str
    read_ns: int


def scans(room: Room) -> list[Scanned]:
    """Every scan in the journal, the sheet's and the ends of presences apart."""
    journal = "sqlite3 -readonly /var/lib/wipline/journal.db 'SELECT bytes FROM event ORDER BY seq'"
    events = [json.loads(line) for line in room.bench.guest.sh(journal).splitlines()]
    found = []
    for each in events:
        if each["kind"] == "scan" and "seen" not in each:
            raw = base64.b64decode(each["raw"])  # a code that is what came is not written twice
            found.append(Scanned(each.get("code") or raw.decode(), raw, each["reader"]["id"], each["mono_ns"]))
    return [each for each in found if not each.code.startswith(SHEET)]


def assert_each_scan_once_and_nothing_else(room: Room, kept: list[Scanned]) -> None:
    """What was scanned whole and answered stands in the journal, once, by its reader; nothing else does, no half above all.

    A scan without a light may stand there: the operator went on before it came.
    """
    done, codes = room.done, Counter(each.code for each in kept)
    greens = Counter(answer["code"] for answer in room.bench.answers() if answer["state"] == "green")
    answered = done.scanned.keys() - done.again
    wrong = {
        "never scanned, or in half": [each for each in kept if each.code not in done.scanned],
        "by another reader": [each for each in kept if done.scanned.get(each.code, each.reader) != each.reader],
        "more than once": [code for code, count in codes.items() if count > 1],
        "answered and not kept": sorted(answered - codes.keys()),
        "answered more than once": [code for code in answered if greens[code] != 1],
    }
    if any(wrong.values()):
        msg = f"What stands in the journal is not what was scanned: {wrong}"
        raise AssertionError(msg)


def told(room: Room, kept: list[Scanned]) -> Iterator[str]:
    """The figures, a line each."""
    states, took = readers_states(room), defaultdict(list)
    for plug in room.done.plugs:
        took[plug.seat.what].append(from_plug(room, states, plug))
    yield "plug -> udev + -> usable, all plugged in at once; then half of them (the median of n)"
    for what, (at_once, *later) in took.items():
        yield f"  {what:24} {at_once.words()};  {_median(later).words() if later else '-'} (n={len(later)})"
    answered = {answer["code"]: answer["boot_ns"] for answer in room.bench.answers() if answer["state"] == "green"}
    waits = {each.code: (answered[each.code] - each.read_ns) / MS for each in kept if each.code in answered}
    done = room.done
    for when, codes in (
        ("at rest", waits.keys() - done.meanwhile),
        ("others being pulled and plugged", done.meanwhile),
    ):
        some = sorted(waits[code] for code in codes if code in waits)
        p99 = some[int(len(some) * 0.99)]
        yield f"read -> answer, {when}: median {median(some):.0f} ms, p99 {p99:.0f} ms (n={len(some)})"
    yield f"scans that had to be made again: {len(done.again)} of {len(done.scanned)}"
    yield f"half scans that became events: 0 of {done.unplugs} unplugs"


@dataclass(frozen=True, slots=True)
class FromPlug:
    """Milliseconds from the plug until udev was done with the device, and from there until it could be scanned with."""

    udev_ms: float
    usable_ms: float

    def words(self) -> str:
        return f"{self.udev_ms:5.0f} + {self.usable_ms:4.0f} ms"


def _median(each: list[FromPlug]) -> FromPlug:
    return FromPlug(median(one.udev_ms for one in each), median(one.usable_ms for one in each))


def from_plug(room: Room, states: list[tuple[int, str, str]], plug: Plug) -> FromPlug:
    """How long it took from this plug on."""
    udev_ns = next(fact["at_ns"] for fact in room.devices.info if fact["at_ns"] > plug.at_ns and is_last_of(fact, plug))
    usable_ns = next(
        at_ns
        for at_ns, reader, state in states
        if at_ns > plug.at_ns and reader == plug.reader and state in plug.states
    )
    return FromPlug((udev_ns - plug.at_ns) / MS, (usable_ns - udev_ns) / MS)


def is_last_of(fact: dict[str, Any], plug: Plug) -> bool:
    """Whether udev speaks of the part of this reader that the station opens."""
    if not fact.get("udev", "").startswith(plug.seat.shows):
        return False
    if plug.seat.shows == "usb":
        return bool(fact["ids"] == CARD_READER)
    name = f"usb-{fact['ids'].replace(':', '-')}-"
    return plug.reader.startswith(name + fact["serial"]) or plug.reader.startswith(name + "at-")


def readers_states(room: Room) -> list[tuple[int, str, str]]:
    """What the station logged of its readers: when, which, and how it then was."""
    log = room.bench.guest.sh(f"journalctl --unit {UNIT} --output json --output-fields MESSAGE --no-pager")
    lines = [json.loads(line) for line in log.splitlines()]
    found = [(int(line["__MONOTONIC_TIMESTAMP"]) * 1000, _STATE.search(str(line["MESSAGE"]))) for line in lines]
    return [(at_ns, said["reader"].strip("'"), said["state"]) for at_ns, said in found if said]
