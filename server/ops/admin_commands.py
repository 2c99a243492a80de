"""Administration commands of this machine, executed by the running hub or by the command itself.

On SQLite only one process writes. While the hub runs, a command sends its request over a local socket
(`server.ops.control_protocol`) and the hub executes it. Otherwise the command takes the lock and executes the request
itself. Both ways call the same function.
"""

import dataclasses
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from server.auth import accounts, devices
from server.auth.roles import granted
from server.clock import audit, watch
from server.db.long_work import IMPORT, published
from server.db.store import Store, as_url
from server.db.writer_lock import HubLocked
from server.ledger import hub_log
from server.ledger.entries import Entry, EntryRefused, Recorded, record_changes, write_all
from server.ops.bootstrap import open_hub
from server.ops.control_protocol import CONNECT_S, TIMEOUT_S, ControlReply, ControlRequest, ask
from server.ops.durability import note_breaks, note_copy
from station.system.progress import Listener, Progress

RUNNING = "running"  # answered beside other requests, because it is about them
WATCH_S = 1.0
LONG_S = 6 * 3600  # seconds: an import of many entries is one request


class CommandFailed(RuntimeError):
    """The request failed; the message has what came, what was expected and what to do."""


def execute(
    db: str, name: str, connect_s: float = CONNECT_S, listener: Listener | None = None, /, **arguments: Any
) -> Any:
    """Execute a named request for the hub in this database, whether it runs or not. Returns its value.

    `connect_s`: the wait for the socket of a hub that has just started. `listener`: gets the progress of long work.

    Raises `CommandFailed`, `EntryRefused`, `NoHub`, or `HubLocked` where another process holds the database and does
    not answer.
    """
    try:
        store = open_hub(db)
    except HubLocked as error:
        path = as_url(db).database
        assert path is not None
        with _watching(path, listener):
            reply = ask(path, ControlRequest(name, arguments), connect_s, TIMEOUT_S if listener is None else LONG_S)
        if reply is None:
            raise error from None
    else:
        store.listeners += [] if listener is None else [listener]
        try:
            reply = handle(store, ControlRequest(name, arguments))
        finally:
            store.close()
    if reply.refused is not None:
        raise EntryRefused(*reply.refused)
    if reply.error is not None:
        raise CommandFailed(reply.error)
    return reply.value


@contextmanager
def _watching(path: str, listener: Listener | None) -> Iterator[None]:
    """Ask the running hub for its progress every second until the end of the block, and pass it to `listener`."""
    over = threading.Event()

    def poll() -> None:
        while listener is not None and not over.wait(WATCH_S):
            with suppress(OSError, msgspec.MsgspecError):
                reply = ask(path, ControlRequest(RUNNING, {}), 0)
                for work in (reply.value or []) if reply is not None else []:
                    listener(Progress(**work))

    thread = threading.Thread(target=poll, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def enter(db: str, entries: Sequence[Entry], listener: Listener | None = None) -> list[Recorded | None]:
    """Write entries, all or none, whether the hub runs or not. `listener` gets the progress. Raises as `execute`.

    For each its place; None for one that the hub has so already, which is left out.
    """
    encoded = [msgspec.to_builtins(entry) for entry in entries]
    written = execute(db, "enter", CONNECT_S, listener, entries=encoded)
    return [None if place is None else Recorded(bytes.fromhex(place[0]), *place[1:]) for place in written]


def handle(store: Store, request: ControlRequest) -> ControlReply:
    """Execute a request in this process. Returns the value, a refused entry, or an error message."""
    command = _COMMANDS.get(request.name)
    if command is None:
        return ControlReply(error=f"Unknown request {request.name!r}. The running hub has another version: restart it.")
    try:
        return ControlReply(command(store, **request.arguments))
    except EntryRefused as refused:
        return ControlReply(refused=(refused.came, refused.expected, refused.do))
    except (devices.StationError, accounts.AccountError) as error:
        return ControlReply(error=str(error))
    except (TypeError, ValueError) as error:
        return ControlReply(error=f"{request.name} with {sorted(request.arguments)}: {error}. See its --help.")


def _add_station(store: Store, name: str) -> str:
    with store.write() as connection:
        return devices.add(connection, name, store.clock.utc_us())


def _revoke_station(store: Store, name: str) -> None:
    with store.write() as connection:
        devices.revoke(connection, name, store.clock.utc_us())


def _add_token(store: Store, name: str | None, roles: str) -> str:
    granted(roles)
    with store.write() as connection:
        return accounts.add_token(connection, name, roles, store.clock.utc_us())


def _revoke_token(store: Store, name: str) -> None:
    with store.write() as connection:
        accounts.end_token(connection, name, store.clock.utc_us())


def _add_person(store: Store, name: str, roles: str, password: str | None) -> str | None:
    """Returns the secret of a sign-in link for a person without a password, else None."""
    with store.write() as connection:
        person = accounts.add_person(connection, name, roles, password, store.clock.utc_us())
        return None if password else accounts.make_link(connection, person, store.clock.utc_us())


def _link_person(store: Store, name: str) -> str:
    with store.write() as connection:
        return accounts.make_link(connection, accounts.known_person(connection, name).id, store.clock.utc_us())


def _set_password(store: Store, name: str, password: str) -> None:
    with store.write() as connection:
        accounts.set_password(connection, accounts.known_person(connection, name).id, password)


def _end_person(store: Store, name: str) -> None:
    with store.write() as connection:
        accounts.end_person(connection, name, store.clock.utc_us())


def _confirm_clock(store: Store) -> None:
    with store.write() as connection:
        hub_log.confirm_clock(connection, store.clock)
        watch.note_suspects(connection, len(audit.find(connection, store.clock.utc_us())))


def _clock_state(store: Store) -> dict[str, Any]:
    """The hub's UTC, the reason of a doubt (None: no doubt), and the anchors that were issued with a wrong time."""
    now_us = store.clock.utc_us()
    with store.read() as connection:
        suspicious = audit.find(connection, now_us)
        return {
            "utc_us": now_us,
            "doubt": watch.why_in_doubt(connection, store.clock),
            "anchors": [anchor._asdict() for anchor in suspicious],
        }


def _void_anchors(store: Store, by: str) -> int:
    """Void the anchors that are wrong if the hub's clock is right now, and confirm the clock. Returns their number.

    1. Find the anchors before the clock is confirmed, which would change the reference.
    2. Confirm the clock, so that the voids get a certain time.
    3. Write the voids.
    """
    with store.write() as connection:
        suspicious = audit.find(connection, store.clock.utc_us())
        doubted = watch.why_in_doubt(connection, store.clock) is not None
        if suspicious or doubted:
            hub_log.confirm_clock(connection, store.clock)
        write_all(connection, audit.void_entries(suspicious, by), store.clock)
        watch.note_suspects(connection, 0)
    return len(suspicious)


def _enter(store: Store, entries: list[dict[str, Any]]) -> list[tuple[str, int, int] | None]:
    with published(store, IMPORT, "Import", "entry") as advance:
        written = record_changes(store, [msgspec.convert(entry, Entry) for entry in entries], advance)
    return [None if entry is None else (entry.log_id.hex(), entry.seq, entry.pos) for entry in written]


def _running(store: Store) -> list[dict[str, Any]]:
    """The long work of this process, as the fields of `Progress`."""
    return [dataclasses.asdict(progress) for progress in store.running.values()]


def _backed_up(store: Store, path: str, epoch: int, pos: int, *, off_disk: bool) -> bool:
    """Record a verified backup up to `pos` of this epoch. Returns whether it makes events durable."""
    return note_copy(store, Path(path), epoch=epoch, pos=pos, off_disk=off_disk)


_COMMANDS: dict[str, Callable[..., Any]] = {
    "station add": _add_station,
    "station revoke": _revoke_station,
    "token add": _add_token,
    "token revoke": _revoke_token,
    "user add": _add_person,
    "user link": _link_person,
    "user password": _set_password,
    "user end": _end_person,
    "clock": _clock_state,
    "clock confirm": _confirm_clock,
    "clock void": _void_anchors,
    "enter": _enter,
    RUNNING: _running,
    "backed up": _backed_up,
    "ledger checked": note_breaks,
}
