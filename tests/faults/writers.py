"""Programs that write a journal until the power goes: `python -m tests.faults.writers`, told by JSON lines on stdin.

Everything is imported once; each order forks, so that a cut costs no start of Python. The child runs the real
`wipline-station run`, or one piece of work on the journal alone; `plant` breaks one thing on purpose first.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlite_utils import Database

import station.daemon  # noqa: F401 - loaded once for all children
from drivers.capture.recorder import CaptureWriter
from station.cli import capture, main
from station.journal import Journal, schema
from station.readers.profile_store import KEYPAD, ProfileStore
from tests.station.fixtures.journals import a_day_passes, a_scan, open_journal

PRUNED_EVENTS = 1_500
TAPED = 300  # lines of a recording: some pages of the medium


def run_daemon(config: str) -> None:
    """The real thing."""
    main(["run", "--config", config])


def fill(journal: Journal) -> None:
    """A log in which 1,500 events are old and durable, and 100 are not."""
    for number in range(1, PRUNED_EVENTS + 1):
        journal.commit(a_scan(number))
    journal.mark(1, PRUNED_EVENTS, PRUNED_EVENTS, "aa")
    a_day_passes(journal, 0)
    for day, number in enumerate(range(PRUNED_EVENTS + 1, PRUNED_EVENTS + 101), 1):
        a_day_passes(journal, day)
        journal.commit(a_scan(number))


def prune(journal: str) -> None:
    """Prune in steps, as the recording thread does when nobody scans."""
    opened = open_journal(Path(journal).parent)
    while opened.prune(most=100):
        opened.tidy(1.0)
    opened.close()


def checkpoint(journal: str) -> None:
    """Fold again and again between scans."""
    opened = open_journal(Path(journal).parent)
    for number in range(12):
        opened.commit(a_scan(9_000 + number))
        opened.mark(1, PRUNED_EVENTS + number, PRUNED_EVENTS, "aa")
        opened.tidy(1.0)
    opened.close()


def birth(journal: str) -> None:
    """Begin a journal."""
    opened = open_journal(Path(journal).parent)
    opened.commit(a_scan(1))
    opened.close()


def salvage(journal: str) -> None:
    """Open a damaged journal."""
    open_journal(Path(journal).parent).close()


def new_log(journal: str) -> None:
    """Begin the next log, sending 100 events again."""
    opened = open_journal(Path(journal).parent)
    opened.new_log("reidentify", again_after=PRUNED_EVENTS)
    opened.close()


def migrate(journal: str) -> None:
    """Open with software that has one migration more."""

    @schema.migrations()
    def version_99(db: Database) -> None:
        db.execute("CREATE TABLE later (seq INTEGER PRIMARY KEY, size INTEGER NOT NULL) STRICT")
        db.execute("INSERT INTO later SELECT seq, length(bytes) FROM event")

    opened = open_journal(Path(journal).parent)
    opened.close()


def teach(file: str) -> None:
    """Keep and forget what readers were taught, and say each time that it is kept."""
    taught = ProfileStore(Path(file))
    for number in range(3):
        taught.keep(f"usb-{number}", KEYPAD)
        print(f"kept usb-{number}", flush=True)
    taught.forget("usb-1")
    print("forgot usb-1", flush=True)


def record(file: str) -> None:
    """Record a reader into a new file, and say that it is kept."""
    with capture.new_file(Path(file)) as write:
        tape = CaptureWriter(write, lambda: None)
        tape.begin("serial_line", "serial-1")
        for number in range(TAPED):
            tape.note("in", b"WO-%d\r" % number)
        tape.end()
    print("kept", flush=True)


def open_hub(db: str) -> None:
    """Open a hub, which brings it up to this version."""
    from server.ops.bootstrap import open_hub

    open_hub(db).close()


def restore(db: str) -> None:
    """Restore the backup beside a hub, and say that it is done."""
    from server.ops.backup import restore

    restore(db, Path(db).with_name("copy.db"))
    print("restored", flush=True)


WORK: dict[str, Callable[[str], None]] = {
    each.__name__: each
    for each in (run_daemon, prune, checkpoint, birth, salvage, new_log, migrate, teach, record, open_hub, restore)
}


def forked(work: str, on: str, log: str, plant: dict[str, Any]) -> int:
    """Start a child at its work; returns its process id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setpgid(0, 0)
        said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(said, 1)
        os.dup2(said, 2)
        schema.PRAGMAS.update(plant)
        WORK[work](on)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException as error:  # noqa: BLE001 - the child ends here, whatever it was
        print(repr(error), flush=True)
    finally:
        os._exit(code)


def obey() -> None:
    """Carry out the orders on stdin: start one, or end one and say how it ended (minus the signal, or its exit code)."""
    for line in sys.stdin:
        order = json.loads(line)
        if "end" in order:
            if order["kill"]:
                os.kill(order["end"], signal.SIGKILL)
            answer = os.waitstatus_to_exitcode(os.waitpid(order["end"], 0)[1])
        else:
            answer = forked(**order)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    obey()
