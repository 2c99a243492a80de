"""The station as a process: scans in through a FIFO, answers out as lines, whatever happens to it in between."""

import os
import pty
import shutil
import signal
import socket
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from station.core.event import decode
from station.journal import JournalReader
from tests.station.fixtures.station_process import Daemon

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("daemon")]


def test_a_scan_is_committed_and_then_answered(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        daemon.start().scan("WO-1042", "wip:scrap", "WO-1042", "]C1WO-7{GS}x")
        answers = daemon.answered(4)
        assert [(each["state"], each["why"], each["seq"], each["code"]) for each in answers] == [
            ("green", "saved", 1, "WO-1042"),
            ("green", "card", 2, "WIP:SCRAP"),
            ("amber", "ask", 3, "WO-1042"),
            ("green", "saved", 4, "WO-7{GS}x"),
        ]
        with closing(JournalReader(tmp_path / "journal.db")) as reader:
            events, log = [decode(stored.encoded) for stored in reader.events()], reader.log_id.hex()
        assert [(event.raw, event.action, event.stage) for event in events] == [
            (b"WO-1042", None, "saw"), (b"wip:scrap", None, "saw"), (b"WO-1042", "scrap", "saw"),
            (b"]C1WO-7\x1dx", None, "saw"),
        ]  # fmt: skip
        assert [each["log"] for each in answers] == [log] * 4
        assert all(
            answer["boot_ns"] >= event.mono_ns for answer, event in zip(answers, events, strict=True) if event.mono_ns
        )
        assert daemon.end() == 0


def test_a_thousand_scans_through_a_pipe_are_all_there_and_in_order(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        daemon.start().scan(*(f"WO-{number}" for number in range(1000)))
        answers = daemon.answered(1000, 60)
        assert [each["code"] for each in answers] == [f"WO-{number}" for number in range(1000)]
        assert [each["seq"] for each in answers] == list(range(1, 1001))
        assert daemon.end() == 0
        assert daemon.start().command("verify").returncode == 0


def test_after_kill_9_every_answered_scan_is_there_and_the_scan_before_it_is_no_second_one(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        daemon.start().scan("WO-1")
        daemon.answered(1)
        daemon.end(signal.SIGKILL)
        daemon.start().scan("WO-1", "WO-1")
        answers = daemon.answered(3)
        assert [(each["why"], each["seq"]) for each in answers] == [("saved", 1), ("repeat", 2), ("repeat", 3)]


def test_a_second_daemon_ends_with_1_and_names_the_first(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon, Daemon(tmp_path) as second:
        daemon.start()
        second.start(ready=False)
        assert second.process is not None
        assert daemon.process is not None
        assert second.process.wait(15) == 1
        assert str(daemon.process.pid) in second.log.read_text()


def test_the_commands_say_how_it_is_while_it_runs(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        daemon.start().scan("WIP:BADGE:7", "WO-1")
        daemon.answered(2)
        daemon.until(lambda: daemon.status()["tip_seq"] == 2)
        status, readers = daemon.command("status"), daemon.command("readers")
        assert "station   saw-1 (" in status.stdout
        assert "operator  7\n" in status.stdout
        assert "no hub is configured, 0 waiting" in status.stdout
        assert f"reader    replay-{tmp_path}/scans (replay): ready, 2 scans\n" in readers.stdout
        assert daemon.command("doctor").returncode == 0
        daemon.end()
        assert "is not running" in daemon.command("status").stdout


def test_systemd_is_told_ready_alive_and_stopping(tmp_path: Path) -> None:
    name = f"wipline-notify-{os.getpid()}"  # without a path: those of sockets are short, those of test folders long
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        manager.settimeout(15)
        environment = {"NOTIFY_SOCKET": f"@{name}", "WATCHDOG_USEC": "200000"}
        with Daemon(tmp_path, **environment) as daemon:
            daemon.start()
            assert [manager.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
            daemon.end()
            told = manager.recv(100)
            while told == b"WATCHDOG=1":
                told = manager.recv(100)
            assert told == b"STOPPING=1"


def test_a_station_whose_folder_is_taken_away_ends_in_order(tmp_path: Path) -> None:
    home = tmp_path / "journal"
    home.mkdir()
    with Daemon(tmp_path) as daemon:
        daemon.config.write_text(daemon.config.read_text().replace(f"{tmp_path}/journal.db", f"{home}/journal.db"))
        daemon.start()
        shutil.rmtree(home)
        daemon.scan("WO-1")  # a change: the station looks at itself
        assert daemon.process is not None
        assert daemon.process.wait(20) == 1


def test_the_screen_shows_what_is_scanned(tmp_path: Path) -> None:
    main, terminal = pty.openpty()
    shown: list[bytes] = []
    threading.Thread(target=lambda: drain(main, shown), daemon=True).start()
    with Daemon(tmp_path, f'[[signal]]\nkind = "console"\npath = "{os.ttyname(terminal)}"') as daemon:
        daemon.start()
        daemon.until(lambda: "ready to scan" in b"".join(shown).decode("utf-8", "replace"))
        daemon.scan("WIP:STAGE:\x1b]0;forged")
        daemon.answered(1)
        daemon.until(lambda: "{1B}]0;forged" in b"".join(shown).decode("utf-8", "replace"))
        daemon.end()
    assert b"\x1b]" not in b"".join(shown)
    os.close(terminal)


def drain(descriptor: int, into: list[bytes]) -> None:
    """Read a terminal until it closes."""
    while True:
        try:
            into.append(os.read(descriptor, 65536))
        except OSError:
            return


def test_it_is_ready_soon_small_and_quiet(tmp_path: Path) -> None:
    """Figures for a look; the floor and the verdict stand in the bench."""
    with Daemon(tmp_path) as daemon:
        began = time.monotonic()
        daemon.start()
        ready_s = time.monotonic() - began
        assert daemon.process is not None
        proc = Path(f"/proc/{daemon.process.pid}")
        rss = next(row for row in (proc / "status").read_text().splitlines() if row.startswith("VmRSS"))
        ticks = lambda: sum(map(int, (proc / "stat").read_text().rpartition(")")[2].split()[11:13]))  # noqa: E731
        before = ticks()
        time.sleep(6)
        used = (ticks() - before) / os.sysconf("SC_CLK_TCK") / 6
        print(f"ready in {ready_s:.2f} s, {rss}, idle {100 * used:.2f} % of a core")
        assert used < 0.02  # a loop that polls would use far more


def test_reads_that_are_complete_are_recorded_before_it_ends(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        daemon.start().scan("WO-1")
        daemon.answered(1)
        assert daemon.end() == 0
        assert not (tmp_path / "journal.db-wal").exists()
