"""Recordings in tests: a device in a hand is recorded, and what the file plays is compared with what was read."""

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from drivers import DeviceLost, Driver, Dropped, Gone, Known, Note, Outcome, Read
from drivers.decode.recording import Event, Head, Recorded, head_line
from drivers.recorded import RecordedReader
from drivers.tape import Tape

FOLDER = Path(__file__).parent / "recordings"
SAMPLES = {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.rec"))}
HEAD = head_line(Head("serial_line", "r"))
HALF = "was unplugged in mid-scan, and half a scan was dropped (bytes: "
ACR = "pcsc-ACS ACR122U PICC Interface"


def a_read(raw: bytes, sym: str | None = None, **more: Any) -> Read:
    return Read(raw, sym, "", "", 0, len(raw), **more)


TAG = b"3A76340030751FEB705C5904E3D50D70"
SAID: dict[str, list[Outcome]] = {
    "keyboard": [
        a_read(b"WO-1042/7"),
        a_read(b"]d20109506000134352\x1d10AB#7", "]d2"),
        a_read(b"WIP:BADGE:kim"),
        Dropped("", "", 0, "The reader sent keys faster than they were taken, and some were lost."),
        a_read(b"WO-1044"),
        Note("", "", 0, f"usb-05e0-1200-SN77 (Symbol Bar Code Scanner) {HALF}4)."),
    ],
    "serial_line": [
        a_read(b"]C10109506000134352\x1d10AB", "]C1"),
        a_read(b"WO-1042"),
        a_read(b"WO-1043"),
        a_read(b"WIP:IN"),
        Note("", "", 0, f"usb-0c2e-0720-SN1 {HALF}5)."),
    ],
    "serial_rfid": [a_read(TAG, tag=True), Gone("", "", 0, 0, TAG, 2, -55), a_read(TAG, tag=True)],
    "hidpos": [
        a_read(b"]C1010950600013435210AB", "]C1"),
        a_read(b"]Q1" + b"WO-1042 " * 16, "]Q1"),
        Dropped("", "", 0, "The scanner stopped in the middle of a scan. Half a scan was dropped (bytes: 4)."),
        a_read(b"]A0WO-7", "]A0"),
        Note("", "", 0, f"usb-05e0-1300-SN77 (Zebra POS Scanner) {HALF}4)."),
    ],
    "pcsc": [
        a_read(b"04A1B2C3", tag=True, texts=(b"WO-1042",)),
        Gone("", "", 0, 0, b"04A1B2C3", 1),
        Dropped("", "", 0, "The card shows a random number, another one each time (08A1B2C3)."),
        a_read(b"04112233445566", tag=True),
        Gone("", "", 0, 0, b"04112233445566", 2),
        Note("", "", 0, f"{ACR} was unplugged."),
    ],
}
"""What each sample says. Where a decoder changes on purpose, change it here, and say so in the changelog."""


def spans(said: list[Outcome]) -> list[float]:
    """When each was said, from the first on, in milliseconds."""
    return [(each.boot_ns - said[0].boot_ns) / 1e6 for each in said]


@dataclass
class Take:
    """One recording: what the driver said, the error that it ended with, and the tape."""

    said: list[Outcome]
    lost: DeviceLost | None
    tape: Tape


def record(driver: Driver, path: Path, hand: Callable[[list[Outcome]], None]) -> Take:
    """Record this driver into a file while the hand does its work; `hand` sees what has been said so far."""
    with path.open("wb", buffering=0) as file:
        take = Take([], None, Tape(file.write, driver.close, "1.2.3"))
        driver.record(take.tape)  # type: ignore[attr-defined]

        def listen() -> None:
            try:
                for outcome in driver.reads():
                    take.said.append(outcome)
            except DeviceLost as lost:
                take.lost = lost

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            hand(take.said)
        finally:
            driver.close()
            thread.join(10)
            take.tape.end()
    assert not thread.is_alive()
    return take


def play(recording: bytes, sheets: Any = None, begun_ns: int = 0) -> list[Outcome]:
    """What a recording says."""
    reader = RecordedReader(io.BytesIO(recording), "replay-x", begun_ns, stays=False)
    if sheets is not None:
        reader.teach(sheets)
    return list(reader.reads())


def bare(said: list[Outcome]) -> list[Outcome]:
    """The same without what a replay says in its own words: kind, reader, times, and the profile that was learned."""
    plain = [replace(each, kind="", reader="", boot_ns=0) for each in said]
    return [
        replace(each, since_ns=0) if isinstance(each, Gone) else
        replace(each, profile=None) if isinstance(each, Known) else each
        for each in plain
    ]  # fmt: skip


def raws(said: list[Outcome]) -> list[bytes]:
    """The scans alone."""
    return [each.raw for each in said if isinstance(each, Read)]


def notes(said: list[Outcome]) -> list[str]:
    """What the replay says of itself."""
    return [each.text for each in said if isinstance(each, Note)]


def lines_of(recording: bytes) -> list[Head | Event]:
    """The head and the events."""
    recorded = Recorded()
    return [*recorded.feed(recording), *recorded.end()]
