"""The power of the whole station goes while two scanners type: kernel, file system and service come back with every promise.

QEMU is killed, so what the guest had not flushed to its disk is gone. Disks that lie about flushing and sectors torn in
half are the fault lane's part (`tests/faults`), where a file system of ours takes the disk's place.
"""

import base64
import json
from collections.abc import Callable

import pytest

from tests.guest.bench import STATUS, Bench
from tests.guest.machine import Machine
from tests.guest.scanner import Scanner, type_together

# 50 s a cut on a machine with little else to do: each comes back by a cold boot.
pytestmark = [pytest.mark.guest, pytest.mark.nightly]

FIRST, SECOND = "usb-05e0-1200-SN77", "usb-05e0-1200-SN78"
BURSTS = 4
SCANS = 6  # of each scanner in a burst
PAUSE_MS = 15


@pytest.mark.parametrize("cut", range(3))
def test_after_a_power_cut_every_answered_scan_is_in_the_journal(start: Callable[..., Machine], cut: int) -> None:
    bench = Bench(start()).set_up()
    bench.guest.sh("sync")  # it was installed long ago; what the station writes from now on is its own care
    scanners = Scanner(bench.guest).add(), Scanner(bench.guest, name="second", serial="SN78").add()
    bench.has(FIRST, SECOND)
    for burst in range(BURSTS):
        texts = ["".join(f"{hand}{burst}-{n}\n" for n in range(SCANS)) for hand in "LR"]
        type_together(list(zip(scanners, texts, strict=True)), PAUSE_MS)
    for scanner, hand in zip(scanners, "LR", strict=True):
        # Nobody waits for these: the cut falls among them.
        bench.guest.background(scanner.line("type", "".join(f"{hand}-{n}\n" for n in range(99)).encode().hex(), "10"))
    bench.guest.sh(f"sleep 1.{cut * 3}")
    promises = {answer["seq"]: answer["code"] for answer in bench.answers() if answer["seq"] is not None}
    bench.guest.power_cut()

    again = Bench(start(snapshot=None))
    assert again.guest.ask(f"timeout 120 sh -c 'until [ -e {STATUS} ]; do sleep 1; done'", 150)[0] == 0, again.log()
    events = [json.loads(line) for line in again.command("events").splitlines()]
    kept = {each["seq"]: base64.b64decode(each["event"].get("raw", "")).decode() for each in events}
    print(f"\npower: {len(promises)} promises before the cut, {len(kept)} events after it")
    assert len(promises) > BURSTS * SCANS
    assert {seq: kept.get(seq) for seq in promises} == promises
    assert again.command("verify").endswith(f"{len(kept)} events, tip {events[-1]['hash']}")
