"""Commands beside a station that runs as another user: each works, or prints one sentence that says what to do."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from station import status
from station.status import HubStatus, StationStatus
from station.system.clock import boot_ns
from tests.station.fixtures.journals import a_scan, open_journal
from tests.support.other_user import Answer, as_other_user, visible_folder

DO = "Expected the station's user, a member of its group, or root. Repeat the command with sudo."
BODY = b'{"definitions":[{"what":"stage.define","data":{"stage":"saw","name":"Saw"}}]}'
CHECKED_ALL = "Check all: sudo wipline-station doctor"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A running station: its journal, status and token are closed to other users, its configuration is not."""
    with visible_folder() as folder:
        private = folder / "lib"
        for name in ("lib", "run"):
            (folder / name).mkdir()
        with open_journal(private) as journal:
            journal.commit(a_scan())
            journal.save_snapshot("v1", BODY)
        now = StationStatus(
            station="saw-1", sw="1", pid=1, boot="b", written_boot_ns=boot_ns(), written_us=0, ready_boot_ns=0,
            ready_in_s=0, stage=None, operator=None, log="", tip_seq=0, waiting=0, oldest_waiting_s=None, clock="never",
            hub=HubStatus(), readers=[], disk_level="fine", disk_free_bytes=0, days_left=None,
            journal=str(private / "journal.db"), news=[], config="",
        )  # fmt: skip
        status.write(folder / "run" / "status.json", now)
        (folder / "token").write_text("abc\n")
        (folder / "station.toml").write_text(
            f'station = "saw-1"\nstage = "saw"\njournal = "{private}/journal.db"\nstatus = "{folder}/run/status.json"\n'
            f'[hub]\nurl = "http://127.0.0.1:1"\ntoken_file = "{folder}/token"\n'
            f'[[reader]]\nkind = "replay"\npath = "{private}/scans"\n'
        )
        for path in (folder / "token", folder / "run" / "status.json", private):
            path.chmod(0)
        yield folder


def ran(folder: Path, *commands: tuple[str | Path, ...], given: str = "") -> list[Answer]:
    """The answers of commands with this station's configuration."""
    rows = [(*command, "--config", folder / "station.toml") for command in commands]
    return as_other_user("station", *rows, given=given)


def test_a_command_that_needs_what_is_closed_says_what_and_how_to_read_it(folder: Path) -> None:
    of_status = Answer(
        1, "", f"wipline-station: The status {folder}/run/status.json may not be read by this user. {DO}\n"
    )
    of_readers = Answer(1, "", f"wipline-station: {folder}/lib/readers.json may not be read by this user. {DO}\n")
    of_journal = Answer(
        1, "", f"wipline-station: The journal {folder}/lib/journal.db may not be read by this user. {DO}\n"
    )
    assert ran(
        folder, ("status",), ("status", "--json"), ("readers",), ("readers", "--keypad", "x"),
        ("readers", "--forget", "x"), ("verify",), ("events",),
    ) == [of_status, of_status, of_status, of_readers, of_readers, of_journal, of_journal]  # fmt: skip
    (answer,) = ran(folder, ("run",))
    assert answer.code == 1
    assert f"{folder}/lib/journal.db.lock may not be used by this user." in answer.err
    assert "Traceback" not in answer.err


def test_the_doctor_reports_what_it_may_not_see_as_not_checked(folder: Path) -> None:
    (answer,) = ran(folder, ("doctor",))
    rows = answer.out.splitlines()
    assert [row for row in rows if row.startswith("WRONG")] == []
    assert (answer.code, answer.err) == (0, "")
    hidden = [row for row in rows if row.startswith("-      not checked: ")]
    assert [row.rpartition(": ")[2] for row in hidden] == [
        f"{folder}/{name})"
        for name in (
            "run/status.json", "lib", "lib", "lib/journal.db", "lib/earlier", "lib/journal.db", "lib/journal.db",
            "lib/journal.db.ballast", "lib/journal.db", "lib/scans", "token", "token",
        )
    ]  # fmt: skip
    assert hidden[0] == (
        "-      not checked: the station runs and updates its status (no access for this user:"
        f" {folder}/run/status.json)"
    )
    assert rows[-1] == f"nothing is wrong; {len(hidden)} not checked. {CHECKED_ALL}"


def test_the_doctor_still_finds_what_every_user_may_see(folder: Path) -> None:
    path = folder / "station.toml"
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{port.getsockname()[1]}"
        path.write_text(path.read_text().replace("http://127.0.0.1:1", url))
        (folder / "token").chmod(0o644)
        (answer,) = ran(folder, ("doctor",))
    wrong = [row for row in answer.out.splitlines() if row.startswith("WRONG")]
    assert answer.code == 1
    assert len(wrong) == 2
    assert wrong[0] == f"WRONG  every user of this device may read the token {folder}/token"
    assert wrong[1].startswith(f"WRONG  The hub at {url}/api/v1 cannot be reached: ")


def test_decode_record_and_sheet_work_without_the_journal_and_say_so(folder: Path) -> None:
    why = f"The journal {folder}/lib/journal.db may not be read by this user. {DO}"
    decoded, sheet, cards = ran(
        folder, ("decode",), ("sheet", "--svg", "-"), ("sheet", "--cards", "--pdf", "/dev/null"), given="WO-7\n"
    )
    assert msgspec.json.decode(decoded.out)["code"] == "WO-7"
    assert (decoded.code, decoded.err) == (0, f"Decoded without the shop's patterns and bindings. {why}\n")
    assert (sheet.code, sheet.err) == (0, "")
    assert sheet.out.startswith("<svg")
    assert (cards.code, cards.err) == (
        0,
        f"{why} The shop of this station is not known: these are the cards of every shop, and those that you named.\n",
    )


def test_record_leaves_a_running_station_alone_whose_readers_it_may_not_see(folder: Path) -> None:
    command = ("record", "--kind", "keyboard", folder / "new.rec")
    (answer,) = ran(folder, command)
    assert answer.code == 2
    assert answer.err.endswith(
        f"wipline-station: The station runs, and its status {folder}/run/status.json may not be read by this user: it may"
        " be reading this reader. A reader is read by one program alone. Repeat the command with sudo, or stop the station"
        " for as long as you record: sudo systemctl stop wipline-station\n"
    )
    (folder / "run" / "status.json").unlink()
    (answer,) = ran(folder, command)
    assert answer.code == 2
    assert "wipline-station: No scanner is plugged in." in answer.err


def test_record_reads_a_reader_without_the_journal(folder: Path) -> None:
    (folder / "run" / "status.json").unlink()
    (folder / "new").mkdir()
    (folder / "new").chmod(0o777)
    closed, line = os.openpty()
    try:
        device = os.ttyname(line)
        Path(device).chmod(0o666)
        command = ("record", "--kind", "serial_line", "--path", device, "--seconds", "1", folder / "new" / "a.rec")
        (answer,) = ran(folder, command)
        Path(device).chmod(0)
        (refused,) = ran(folder, command)
    finally:
        os.close(closed)
        os.close(line)
    assert answer.code == 0, answer.err
    note = f"Decoded without the reader's stored profile: {folder}/lib/readers.json may not be read by this user. {DO}"
    assert msgspec.json.decode(answer.out) == {"note": note}
    assert refused.code == 2
    assert refused.err.endswith(
        "Repeat the command with sudo. For the station itself: Let the station's user read it, then start the station"
        " again: sudo usermod -aG dialout wipline\n"
    )


def test_a_configuration_that_is_closed_is_said_to_be(folder: Path) -> None:
    (folder / "station.toml").chmod(0)
    why = f"{folder}/station.toml may not be read by this user. {DO}\n"
    names = ("run", "status", "readers", "verify", "events", "decode")
    answers = ran(
        folder, *((name,) for name in names), ("record", "/dev/null"), ("sheet", "--cards", "--pdf", "/dev/null")
    )
    assert answers == [Answer(2, "", f"wipline-station: {why}")] * len(answers)
    assert ran(folder, ("doctor",)) == [
        Answer(
            2,
            f"-      not checked: the configuration can be used (no access for this user: {folder}/station.toml)\n"
            f"nothing was checked. {DO}\n",
            "",
        )
    ]


def test_what_needs_no_station_works_where_the_default_configuration_is_closed(folder: Path) -> None:
    (folder / "station.toml").chmod(0)
    config = folder / "station.toml"
    decoded, sheet, cards = as_other_user(
        "station", ("decode",), ("sheet", "--svg", "-"), ("sheet", "--cards", "--pdf", "/dev/null"),
        given="WO-7\n", default_config=config,
    )  # fmt: skip
    why = f"{config} may not be read by this user. {DO}"
    assert (decoded.code, decoded.err) == (0, f"Decoded without the shop's patterns and bindings. {why}\n")
    assert (sheet.code, sheet.err, cards.code) == (0, "", 0)
    assert cards.err.startswith(f"{why} The shop of this station is not known: ")
