"""The commands: exit 0, or say what came, what was expected, what to do."""

import sqlite3
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from station.cli.commands import main
from station.core.event import decode
from station.system.version import version
from tests.station.fixtures.journals import a_scan, open_journal

HOW = "Expected one that a running station writes. Start it: sudo systemctl start wipline-station"
COMMANDS = ("run", "status", "readers", "doctor", "verify", "events", "decode", "record", "sheet")


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    """A station.toml whose journal holds three scans."""
    with open_journal(tmp_path) as journal:
        for number in range(1, 4):
            journal.commit(a_scan(number))
    path = tmp_path / "station.toml"
    path.write_text(f'station = "saw-1"\njournal = "{tmp_path}/journal.db"\nstatus = "{tmp_path}/status.json"\n')
    return path


def command(*words: str | Path, stdin: bytes = b"") -> Result:
    """What a command says."""
    return CliRunner().invoke(main, [str(word) for word in words], input=stdin)


def test_these_are_the_commands_and_each_has_help() -> None:
    assert set(main.commands) == set(COMMANDS)
    for name in COMMANDS:
        asked = command(name, "--help")
        assert asked.exit_code == 0
        assert "--config" in asked.output


def test_the_version_is_said() -> None:
    assert command("--version").output == f"wipline-station, version {version()}\n"


def test_a_missing_configuration_is_told_in_three_sentences(tmp_path: Path) -> None:
    asked = command("run", "--config", tmp_path / "x.toml")
    assert asked.exit_code == 2
    assert asked.stderr == (
        f"wipline-station: {tmp_path}/x.toml cannot be read: No such file or directory. Expected a station.toml. "
        f"Name another with --config, or create it: sudo install -D -m 644 station.toml {tmp_path}/x.toml\n"
    )


def test_an_unknown_signal_is_told(toml: Path) -> None:
    toml.write_text(toml.read_text() + '[[signal]]\nkind = "bell"\n')
    asked = command("run", "--config", toml)
    assert asked.exit_code == 2
    assert asked.stderr == (
        "wipline-station: There is no signal of kind 'bell'. Expected one of console, gpio, lines, sound. "
        "Correct the signal's kind.\n"
    )


def test_verify_walks_the_chain(toml: Path) -> None:
    asked = command("verify", "--config", toml)
    assert asked.exit_code == 0
    assert ": whole, 3 events, tip " in asked.output


def test_a_break_that_verify_saw_is_salvaged_by_the_next_start_though_it_was_walked_before(
    toml: Path, tmp_path: Path
) -> None:
    db = sqlite3.connect(tmp_path / "journal.db")
    (trigger,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'event_stays_as_it_is'").fetchone()
    db.execute("DROP TRIGGER event_stays_as_it_is")
    db.execute("UPDATE event SET bytes = x'00' WHERE seq = 2")
    db.execute(trigger)
    db.commit()
    db.close()
    asked = command("verify", "--config", toml)
    assert asked.exit_code == 1
    assert asked.stderr == (
        "wipline-station: The chain breaks at 1 place(s). Expected none. "
        "Restart the station: it moves the files aside and saves what can be read.\n"
    )
    with open_journal(tmp_path) as journal:
        assert [news.split(" The files", maxsplit=1)[0] for news in journal.news] == [
            "Event 2 is not as it was recorded: its hash differs."
        ]
    with open_journal(tmp_path) as journal:
        assert journal.news == ()
    assert not (tmp_path / "journal.db.doubt").exists()


def test_a_missing_journal_is_told(toml: Path, tmp_path: Path) -> None:
    asked = command("verify", "--config", toml, "--journal", tmp_path / "none.db")
    assert asked.exit_code == 1
    assert asked.stderr.startswith(f"wipline-station: There is no journal at {tmp_path}/none.db.")


def test_events_are_lines_of_json_with_the_recorded_bytes(toml: Path) -> None:
    rows = [msgspec.json.decode(row) for row in command("events", "--config", toml).output.splitlines()]
    assert [row["seq"] for row in rows] == [1, 2, 3]
    assert set(rows[0]) == {"log", "seq", "hash", "event"}
    assert decode(msgspec.json.encode(rows[1]["event"])).raw == b"WO-0002"
    some = command("events", "--config", toml, "--after", "1", "--limit", "1").output
    assert msgspec.json.decode(some)["seq"] == 2


def test_decode_says_what_each_line_is(toml: Path) -> None:
    said = command("decode", "--config", toml, stdin=b"]C1WO-7\nwip:qty:2.5\nWIP:QTY:x\na{1D}{7B}\n").output
    assert [msgspec.json.decode(row) for row in said.splitlines()] == [
        {"raw": "XUMxV08tNw==", "sym": "]C1", "scheme": "text", "code": "WO-7", "fields": {}, "error": None},
        {"raw": "d2lwOnF0eToyLjU=", "sym": None, "scheme": "command", "code": "WIP:QTY:2.5",
         "fields": {"card": "QTY", "argument": "2.5"}, "error": None},
        {"raw": "V0lQOlFUWTp4", "sym": None, "scheme": None, "code": "WIP:QTY:x", "fields": {},
         "error": "no quantity: expected 0.001 to 1000000000, at most three digits behind a point"},
        {"raw": "YR17", "sym": None, "scheme": "text", "code": "a{GS}{7B}", "fields": {}, "error": None},
    ]  # fmt: skip


def test_status_says_where_there_is_none(toml: Path, tmp_path: Path) -> None:
    for name in ("status", "readers"):
        asked = command(name, "--config", toml)
        assert (asked.exit_code, asked.stderr) == (
            1,
            f"wipline-station: There is no status in {tmp_path}/status.json. {HOW}\n",
        )
