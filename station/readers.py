"""Readers under supervision: a thread each, opened again with patience, plugged and unplugged while the station runs.

Readers with a path are opened until they are there. Scanners that type come and go with their plug: the configuration
names them, or any scanner is taken, but never a person's keyboard (`drivers.hotplug` tells them apart).
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from drivers import DeviceLost, Driver, DriverError, Dropped, Read, open_driver
from station.answers import TOO_FAST, Answer, Red, Why
from station.config import Config, Reader
from station.inbox import Inbox
from station.scan import ReaderPlace

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
KEYBOARD = "keyboard"


@dataclass(frozen=True, slots=True)
class ReaderStatus:
    """One line of `wipline-station readers`. `state`: ready, lost, waiting, ended; `why` where it is not ready."""

    kind: str
    id: str
    state: str
    why: str = ""
    reads: int = 0
    last_boot_ns: int | None = None


class Readers:
    """All readers of a station."""

    def __init__(
        self,
        config: Config,
        inbox: Inbox[Read | Dropped],
        say: Callable[[Answer], None],
        log: Callable[..., None],
        changed: Callable[[], None],
    ) -> None:
        self._config, self._inbox, self._say, self._log, self._changed = config, inbox, say, log, changed
        self._rows = [{"kind": row.kind, "path": row.path, "match": row.match} for row in config.reader]
        self._places: dict[str, ReaderPlace] = {}
        self._default = ReaderPlace(stage=config.stage)
        self._status: dict[str, ReaderStatus] = {}
        self._open: dict[str, Driver] = {}
        self._row_of: dict[str, Reader] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._hotplug_close: Callable[[], None] | None = None

    def place_of(self, reader: str) -> ReaderPlace:
        """Where a reader stands: its own row's bench, stage and action, else the station's."""
        return self._places.get(reader, self._default)

    def status(self) -> list[ReaderStatus]:
        """Every reader, as it is now."""
        with self._lock:
            known = list(self._status.values())
            here = [self._row_of[name] for name in self._open if name in self._row_of]
        awaited = [row for row in self._config.reader if row.kind == KEYBOARD and row not in here]
        none = "No such scanner is plugged in."
        return known + [
            ReaderStatus(KEYBOARD, row.path or row.match or "any scanner", "waiting", none) for row in awaited
        ]

    def start(self) -> None:
        """Begin reading; returns at once."""
        for index, row in enumerate(self._config.reader):
            if row.kind != KEYBOARD:
                baud = None if row.baud is None else str(row.baud)
                settings = {"path": row.path, "match": row.match, "baud": baud, "parity": row.parity}
                self._thread(f"{row.kind}-{index}", row.kind, settings, row, lambda: True)
        if not self._config.reader or any(row.kind == KEYBOARD for row in self._config.reader):
            threading.Thread(target=self._watch_plugs, name="hotplug", daemon=True).start()

    def close(self) -> None:
        """End all readers; scans that are complete have been handed over."""
        self._stopping.set()
        if self._hotplug_close is not None:
            self._hotplug_close()
        with self._lock:
            drivers = list(self._open.values())
        for driver in drivers:
            driver.close()

    def _thread(
        self, name: str, kind: str, settings: Mapping[str, str | None], row: Reader | None, there: Callable[[], bool]
    ) -> None:
        def supervise() -> None:
            pause_s = FIRST_PAUSE_S
            while there() and not self._stopping.is_set():
                if self._read_all(name, kind, settings, row):
                    pause_s = FIRST_PAUSE_S
                self._stopping.wait(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

        threading.Thread(target=supervise, name=f"reader-{name}", daemon=True).start()

    def _read_all(self, name: str, kind: str, settings: Mapping[str, str | None], row: Reader | None) -> bool:
        """Open a reader and hand over its scans until it goes; whether it could be opened."""
        try:
            driver = open_driver(kind, settings)
        except DriverError as error:
            self._note(name, ReaderStatus(kind, settings.get("path") or kind, "waiting", str(error)))
            return False
        except Exception as error:  # noqa: BLE001 - one reader's fault is not the station's
            self._note(name, ReaderStatus(kind, settings.get("path") or kind, "waiting", repr(error)))
            return False
        if row is not None:
            self._places[driver.reader] = ReaderPlace(row.bench, row.stage or self._config.stage, row.action)
            self._row_of[name] = row
        with self._lock:
            self._open[name] = driver
        self._note(name, ReaderStatus(kind, driver.reader, "ready"))
        try:
            self._hand_over(name, driver)
            state, why = "ended", ""
        except DeviceLost as error:
            state, why = "lost", str(error)
        except Exception as error:  # noqa: BLE001 - one reader's fault is not the station's
            state, why = "lost", repr(error)
        finally:
            driver.close()
            with self._lock:
                self._open.pop(name, None)
        self._note(name, replace(self._status[name], state=state, why=why))
        return True

    def _hand_over(self, name: str, driver: Driver) -> None:
        if self._stopping.is_set():
            driver.close()
        for read in driver.reads():
            if not self._inbox.put(read, wait=driver.lossless):
                self._log("a scan came too fast", reader=driver.reader)
                self._say(Red(Why.NOT_SAVED, TOO_FAST))
            if isinstance(read, Dropped):
                self._log("a reader lost a scan", reader=driver.reader, why=read.why)
                continue
            with self._lock:
                before = self._status[name]
                self._status[name] = replace(before, reads=before.reads + 1, last_boot_ns=read.boot_ns)

    def _note(self, name: str, status: ReaderStatus) -> None:
        """Keep a reader's state; a change is logged once, however often it is tried again."""
        with self._lock:
            before = self._status.get(name)
            if before is not None:
                status = replace(status, reads=before.reads, last_boot_ns=before.last_boot_ns)
            if status.state == "ready":  # plugged in again, it may be another node: it is the same reader all the same
                for other in [other for other, each in self._status.items() if each.id == status.id and other != name]:
                    del self._status[other]
            self._status[name] = status
        if before is None or (before.state, before.why) != (status.state, status.why):
            why = {"why": status.why} if status.why else {}
            self._log(f"a reader is {status.state}", reader=status.id, kind=status.kind, **why)
            self._changed()

    def _watch_plugs(self) -> None:
        """Take each scanner that is plugged in, and let go of it when it is pulled out."""
        from drivers.hotplug import Added, Hotplug, Removed, verdict

        pause_s = FIRST_PAUSE_S
        plugged: dict[str, threading.Event] = {}
        while not self._stopping.is_set():
            try:
                hotplug = Hotplug()
                self._hotplug_close = hotplug.close
                for change in hotplug.watch():
                    node = change.facts.node
                    if isinstance(change, Removed):
                        if node in plugged:
                            plugged.pop(node).set()
                        continue
                    judged = verdict(change.facts, self._rows)
                    if isinstance(change, Added) and judged.take and node not in plugged:
                        gone = plugged[node] = threading.Event()
                        # The ids too: by the time of a retry the node's name may have gone to somebody's keyboard.
                        row = self._config.reader[judged.row] if judged.row is not None else None
                        at = {"path": node, "match": change.facts.ids, "layout": row.layout if row else None}
                        self._thread(node, judged.kind, at, row, lambda gone=gone: not gone.is_set())  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001 - without hotplug the other readers still read
                self._note("hotplug", ReaderStatus(KEYBOARD, "hotplug", "waiting", str(error)))
            self._stopping.wait(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
