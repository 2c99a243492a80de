"""Past days of the demo: station logs of the simulated scans of ten days.

Each station has one log with one boot for each day: it is switched on in the morning, gets an anchor from the hub, and
records scans until the evening. What was scanned before the ten days is in one long boot, with an anchor before each scan.
The events have the form of a station's events and are sent with the station protocol. One thing differs from a real station:
a hub seals anchors with its present time. **The demo created the hub and has its key, so it seals the anchors of past days
itself**, with the time that the hub would have had. Only an owner of the hub's key can do that.

Each day's shift ends at the hour of the demo's start, so today's shift is always in progress.

>>> at_us(SHIFT_S - 1.0, end_us=0), at_us(SHIFT_S * DAYS - 1.0, end_us=0)
(-777601000000, -1000000)
"""

import random
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from server.demo.simulated_shop import SimulatedScan
from station.core.event import Event, Reader, encode
from station.core.hash_chain import LOG_ID_BYTES, anchor_mac, boot_bytes
from station.system.version import version

DAYS = 10
SHIFT_S = 9 * 3_600
DAY_S = 86_400
ANCHOR_EVERY_S = 3 * 3_600  # the protocol allows one an hour
IDLE_S = 900  # a badge expires after this time without a scan, as in station.toml
EARLY_US = 60 * 1_000_000  # from the begin of the boot before the ten days to its first scan
CARD_S = 1.5  # between two reads of one act
_ROUND_TRIP_NS = 3_000_000
_UP_S = 40  # from the kernel's start to the station's first anchor
_BADGED = 0.7  # share of operators who scan their badge after a pause


@dataclass(frozen=True, slots=True)
class StationBoot:
    """A day of one station: the boot id, CLOCK_BOOTTIME (ns) of its session, and the encoded events."""

    boot: str
    t1_ns: int
    events: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class StationLog:
    """The log of one station with its boots in order."""

    station: str
    log_id: bytes
    boots: tuple[StationBoot, ...]


def at_us(work_s: float, end_us: int) -> int:
    """UTC (us) of a time of work, where the tenth shift ends at `end_us`."""
    day, into = divmod(work_s, SHIFT_S)
    return end_us - round(((DAYS - 1 - day) * DAY_S + SHIFT_S - into) * 1_000_000)


def work_s(utc_us: int, end_us: int) -> float:
    """The inverse of `at_us`: the first time of work at or after a UTC (us); 0 before the first shift.

    >>> work_s(at_us(5_000.0, 0), 0)
    5000.0
    """
    since_s = (utc_us - at_us(0.0, end_us)) / 1_000_000
    day, into = divmod(since_s, DAY_S)
    return max(0.0, day * SHIFT_S + min(into, SHIFT_S))


def split(scans: Iterator[SimulatedScan], end_s: float) -> tuple[list[SimulatedScan], Iterator[SimulatedScan]]:
    """The scans before a time of work, and an iterator of the later ones, which are not computed yet."""
    past: list[SimulatedScan] = []
    for scan in scans:
        if scan.at_s >= end_s:
            return past, chain([scan], scans)
        past.append(scan)
    return past, iter(())


def logs(
    scans: Iterable[SimulatedScan],
    benches: Mapping[str, str],
    badges: tuple[str, ...],
    *,
    end_us: int,
    key: bytes,
    seed: int,
    readers: Mapping[str, str],
) -> list[StationLog]:
    """The station logs of these scans, which are in order of time and before the end of the tenth shift.

    `benches`: stage -> station; `badges`: the operators' badges; `key`: the hub's key for the anchors.
    `readers`: stage -> the name of its scanner.
    """
    by_station: dict[str, list[SimulatedScan]] = {station: [] for station in benches.values()}
    for scan in scans:
        by_station[benches[scan.stage]].append(scan)
    chance = random.Random(seed)  # noqa: S311 - a plausible past, no secret
    return [_log(station, its_scans, badges, end_us, key, chance, readers) for station, its_scans in by_station.items()]


def _log(
    station: str,
    scans: list[SimulatedScan],
    badges: tuple[str, ...],
    end_us: int,
    key: bytes,
    chance: random.Random,
    readers: Mapping[str, str],
) -> StationLog:
    log_id = chance.randbytes(LOG_ID_BYTES)
    earlier = [scan for scan in scans if scan.at_s < 0]
    spans = [(at_us(earlier[0].at_s, end_us) - EARLY_US, earlier)] if earlier else []
    for day in range(DAYS):
        of_day = [scan for scan in scans if scan.at_s // SHIFT_S == day]
        spans.append((at_us(float(day * SHIFT_S), end_us), of_day))
    boots = []
    for start_us, its_scans in spans:
        shift = _Shift(station, log_id, str(uuid.UUID(bytes=chance.randbytes(16), version=4)), start_us, key, readers)
        events = tuple(_events(shift, its_scans, badges, chance, end_us))
        boots.append(StationBoot(shift.boot, _UP_S * 10**9, events))
    return StationLog(station, log_id, tuple(boots))


def after_last_shift(
    log: StationLog,
    scans: Iterable[SimulatedScan],
    operator: str,
    *,
    end_us: int,
    key: bytes,
    readers: Mapping[str, str],
) -> tuple[bytes, ...]:
    """More events of the last boot of a log; the scans are after the end of the tenth shift."""
    begin_s = (DAYS - 1) * SHIFT_S
    shift = _Shift(log.station, log.log_id, log.boots[-1].boot, at_us(float(begin_s), end_us), key, readers)
    return tuple(event for scan in scans for event in _act(shift, scan.at_s - begin_s, scan, operator))


@dataclass(frozen=True, slots=True)
class _Shift:
    """One boot of one station: its clocks and its encoder of events."""

    station: str
    log_id: bytes
    boot: str
    start_us: int
    key: bytes
    readers: Mapping[str, str]

    def event(self, kind: str, into_s: float, **fields: Any) -> bytes:
        mono_ns = round((into_s + _UP_S) * 10**9)
        own: dict[str, Any] = {"station": self.station, "sw": version(), "boot": self.boot, "mono_ns": mono_ns}
        return encode(Event(kind=kind, wall_us=self.utc_us(into_s), clk="synced", **own, **fields))

    def utc_us(self, into_s: float) -> int:
        return self.start_us + round(into_s * 1_000_000)

    def anchor(self, into_s: float) -> bytes:
        """An anchor of one round trip, sealed with the hub's key."""
        t1 = round((into_s + _UP_S) * 10**9)
        t2 = self.utc_us(into_s) + _ROUND_TRIP_NS // 2_000
        mac = anchor_mac(self.key, self.log_id, boot_bytes(self.boot), t2, t2)
        times = {"t1": t1, "t4": t1 + _ROUND_TRIP_NS, "t2": t2, "t3": t2}
        return self.event("anchor", into_s + _ROUND_TRIP_NS / 10**9, **times, hub_clk="synced", mac=mac)


def _events(
    shift: _Shift, scans: list[SimulatedScan], badges: tuple[str, ...], chance: random.Random, end_us: int
) -> Iterator[bytes]:
    """The events of one boot in order: anchors, badges, cards and scans."""
    yield shift.anchor(0.0)
    now_s, anchored_s, operator = 1.0, 0.0, None
    for scan in scans:
        last_s, now_s = now_s, max(now_s + 4, (at_us(scan.at_s, end_us) - shift.start_us) / 1_000_000)
        if now_s - anchored_s > ANCHOR_EVERY_S:
            yield shift.anchor(now_s)
            anchored_s, now_s = now_s, now_s + 1
        if now_s - last_s > IDLE_S or operator is None:
            operator = chance.choice(badges) if chance.random() < _BADGED else None
            if operator is not None:
                yield _read(shift, now_s, scan.stage, f"WIP:BADGE:{operator}", operator)
                now_s += chance.uniform(1, 4)
        yield from _act(shift, now_s, scan, operator)
        now_s += CARD_S * (len(scan.texts) - 1)


def _act(shift: _Shift, into_s: float, scan: SimulatedScan, operator: str | None) -> Iterator[bytes]:
    """The events of one act: its cards, then the traveller."""
    *cards, sheet = scan.texts
    for number, text in enumerate(cards):
        yield _read(shift, into_s + number * CARD_S, scan.stage, text, operator)
    fields = {"action": scan.action, "qty_milli": scan.qty_milli, "reason": scan.reason, "to": scan.to}
    yield _read(shift, into_s + len(cards) * CARD_S, scan.stage, sheet, operator, **fields)


def _read(shift: _Shift, into_s: float, stage: str, text: str, operator: str | None, **fields: Any) -> bytes:
    scheme = "badge" if text.startswith("WIP:BADGE:") else "command" if text.startswith("WIP:") else "own"
    reader = Reader("replay", f"replay-{shift.readers[stage]}")
    return shift.event(
        "scan", into_s, raw=text.encode(), reader=reader, scheme=scheme, stage=stage, operator=operator, **fields
    )
