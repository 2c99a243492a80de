"""Plug to first scan answered green, of each kind of reader alone and of nine that are plugged in at once.

The station is the real one, its devices are umockdev's. The hand scans a moment after the station has said that it reads;
a tag or card lies there from the start. The floor is a bare pyudev monitor that opens the same device and reads the same
scan. What the kernel and udev need for a device, and libccid for a card reader, is in neither.
"""

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from figure import Figure, bound, median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from plug_devices import Cards, Device, Plug, bench, no_reader, plugs, taught_one
from plug_setup import HAND_S, Floor, Machine, Station, wait

from station.core.codes.setup_sheet import SQUARE_TEXT
from tests.drivers.fixtures.typing_scanners import Typist

PLUGS = 8  # of each kind alone
ROUNDS = 6  # of all at once, each with a station that has just started
MOST_S = 2.0
TAUGHT = "readers.json"


def floor_of(machine: Machine, wanted: Sequence[Plug]) -> Floor:
    """The floor on this machine, which knows how each of these is read."""
    hows = {each.seen.node: each.device.how for each in wanted}
    machine.program = Floor(machine.folder, machine.root, machine.pcscd.path, hows)
    return machine.program


def station_of(machine: Machine, taught: Path | None) -> Station:
    """A station on this machine that was taught as this file says, and has looked round."""
    if taught is not None:
        shutil.copy(taught, machine.folder / TAUGHT)
    other = no_reader()
    machine.plug(other)
    machine.program = station = Station(machine.folder, machine.root, machine.pcscd.path)
    wait(lambda: station.is_left_alone(other), "The station does not look round.")
    return station


def teach(folder: Path, devices: list[Device]) -> Path:
    """The file of a station to which the unknown scanner has typed the setup sheet."""
    with Machine(folder) as machine:
        station = station_of(machine, None)
        (plug,) = plugs([taught_one(devices)])
        machine.plug(plug)
        wait(lambda: station.is_open(plug), "The unknown scanner is not heard.")
        time.sleep(HAND_S)
        machine.tell(node=plug.seen.node, **(plug.device.sends(SQUARE_TEXT) or {}))
        wait((folder / TAUGHT).exists, "The setup sheet taught nothing.")
    return folder / TAUGHT


def alone(folder: Path, devices: list[Device], taught: Path, count: int, *, bare: bool) -> dict[str, list[float]]:
    """Seconds of each plug, one device at a time. pcscd forgets no virtual reader, so each needs a machine of its own."""
    kept = [each for each in devices if not isinstance(each, Cards)]
    wanted = plugs([each for each in kept for _ in range(count)])
    with Machine(folder) as machine:
        _ = floor_of(machine, wanted) if bare else station_of(machine, taught)
        took: dict[str, list[float]] = {each.what: [] for each in devices}
        for plug in wanted:
            took[plug.device.what] += machine.scanned([plug])
            machine.pull(plug)
    for each in set(devices) - set(kept):
        for number in range(1, count // 2 + 1):
            with Machine(folder.with_name(f"{folder.name}-{number}")) as machine:
                (plug,) = plugs([each])
                _ = floor_of(machine, [plug]) if bare else station_of(machine, taught)
                took[each.what] += machine.scanned([plug])
    return took


def at_once(folder: Path, devices: list[Device], taught: Path, *, bare: bool) -> dict[str, float]:
    """Seconds from the first plug, of each device, where all are plugged in right behind one another."""
    with Machine(folder) as machine:
        wanted = plugs(devices)
        _ = floor_of(machine, wanted) if bare else station_of(machine, taught)
        return dict(zip((each.what for each in devices), machine.scanned(wanted), strict=True))


def figure(name: str, took: Sequence[float], floor: Sequence[float], note: str = "") -> Figure:
    """The median; met where the worst is."""
    found, base = median(took), median(floor)
    told = bound(name, found, "s", at_most=MOST_S, note=f"the worst of {len(took)}: {max(took):.3f} s{note}")
    return msgspec.structs.replace(told, met=max(took) <= MOST_S, floor=base, ratio=found / base)


def figures(folder: Path, long: bool) -> Iterator[Figure]:
    """A figure for each kind, then all at once."""
    place, times = folder / "plug", 5 if long else 1
    shutil.rmtree(place, ignore_errors=True)
    typist = Typist()
    devices = bench(typist)
    taught = teach(place / "taught", devices)
    bare = alone(place / "bare", devices, taught, PLUGS * times, bare=True)
    took = alone(place / "alone", devices, taught, PLUGS * times, bare=False)
    for each in devices:
        yield figure(f"plug to green, {each.what}", took[each.what], bare[each.what])
    rounds = range(ROUNDS * times)
    base = [at_once(place / f"floor-{n}", devices, taught, bare=True) for n in rounds]
    found = [at_once(place / f"all-{n}", devices, taught, bare=False) for n in rounds]
    last = max(found, key=lambda each: max(each.values()))
    slowest = max(last, key=lambda what: last[what])
    name = f"plug to green, the last of {len(devices)} at once"
    yield figure(name, [max(each.values()) for each in found], [max(each.values()) for each in base], f", {slowest}")
    typist.end()
