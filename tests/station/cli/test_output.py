"""What the commands print of a hostile device, label or hub is shown, never obeyed."""

import base64
import json
import unicodedata
from pathlib import Path

import pytest

from drivers.decode.detect.device_info import DeviceInfo, reader_id
from drivers.decode.detect.device_policy import evidence, verdict
from station import log, status
from station.cli.output import as_text, decoded_lines, event_line, readers_text
from station.core.codes import read_code, written_code
from station.core.event import Event, Reader, encode
from station.feedback.outputs.screen import escaped
from station.journal.records import StoredEvent
from station.readers.registry import ReaderRegistry
from station.status import HubStatus, ReaderStatus, StationStatus

HOSTILE = [
    "<script>alert(1)</script>",
    "\x1b[2J\x1b]0;owned\x07",
    "one\nready forged=1\r",
    "\u202egnp\u2066\u200b",
    "\x9b\x00\x7f",
]


def a_status(readers: list[ReaderStatus], said: str) -> StationStatus:
    """A status in which everything that others say is `said`."""
    return StationStatus(
        station="saw-1", sw="0.1.0", pid=1, boot="b", written_boot_ns=0, written_us=0, ready_boot_ns=0, ready_in_s=1.0,
        stage=said, operator=said, log="0" * 32, tip_seq=1, waiting=0, oldest_waiting_s=None, clock="never",
        hub=HubStatus(state="away", error=said), readers=readers, disk_level="ok", disk_free_bytes=1, days_left=None,
        journal="/j", news=[said], config="/c",
    )  # fmt: skip


@pytest.mark.parametrize("said", HOSTILE)
def test_whatever_a_device_or_a_hub_calls_itself_every_line_stays_a_line(said: str, tmp_path: Path) -> None:
    info = DeviceInfo(
        "/dev/input/event3", f"Scanner {said}", 3, 0x05E0, 0x1200, said, "usb-1.3", types=True, points=False
    )
    lines = list[str]()
    registry = ReaderRegistry(lambda what, **fields: lines.append(log.line(what, **fields)), lambda: None)
    judged = verdict(info)
    registry.update(
        "a", ReaderStatus("keyboard", reader_id(info), "waiting", judged.why, 0, None, evidence(info), judged.mend)
    )
    # What is not ours to clean where it arises: an error of a library, what a scanner is said to type.
    registry.update("b", ReaderStatus("pcsc", f"pcsc-{said}", "lost", f"{said} is gone.", taught=said))
    assert len(lines) == 2
    assert all(line.isascii() and line.isprintable() for line in lines)

    found = a_status(registry.lines(), said)
    status.write(tmp_path / "status.json", found)
    assert json.loads((tmp_path / "status.json").read_text())["readers"][1]["id"] == f"pcsc-{said}"
    plain = a_status(registry.lines(), "x")
    for show in (as_text, readers_text):
        shown = show(found, 1.0)
        assert shown.replace("\n", "").isprintable()
        assert shown.count("\n") == show(plain, 1.0).count("\n")
    assert escaped(said) in as_text(found, 1.0)


def test_the_events_of_hostile_scans_are_lines_that_move_no_cursor() -> None:
    hostile = (
        [bytes([byte]) for byte in range(256)] + [f"WO-{text}".encode() for text in HOSTILE] + [b"WIP:REASON:\x1b[2J"]
    )
    for raw in hostile:
        code = read_code(raw, None, ())
        event = Event(
            kind="scan", station="saw-1", sw="0.1.0", boot="b", mono_ns=1, raw=raw, reader=Reader("keyboard", "usb-1"),
            scheme=code.scheme, code=written_code(code.code, raw) or None, unread=code.unread, reason=code.argument,
        )  # fmt: skip
        line = event_line(bytes(16), StoredEvent(1, encode(event), bytes(32), bytes(32)))
        assert json.loads(line)["event"]["raw"] == base64.b64encode(raw).decode()
        assert not any(unicodedata.category(letter) == "Cc" for letter in line), raw
        (told,) = decoded_lines([b"".join(b"{%02X}" % byte for byte in raw) + b"\n"], None)
        assert base64.b64decode(json.loads(told)["raw"]) == raw
        assert not any(unicodedata.category(letter) == "Cc" for letter in told), raw
