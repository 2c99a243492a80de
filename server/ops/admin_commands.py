"""The office: what a command on this machine asks of a hub, whether it runs or not.

On SQLite one process writes. While the hub runs, a command's request is sent to it over a local socket
(`server.ops.control_protocol`) and executed there; otherwise the command takes the lock and executes it itself. Both ways
call the same function.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from server.auth import accounts, devices
from server.auth.roles import granted
from server.clock import audit, watch
from server.db.store import Store, as_url
from server.db.writer_lock import HubLocked
from server.ledger import hub_log
from server.ledger.entries import Entry, EntryRefused, Recorded, record_all, write_all
from server.ops.bootstrap import open_hub
from server.ops.control_protocol import ControlReply, ControlRequest, ask
from server.ops.durability import note_breaks, note_copy


class CommandFailed(RuntimeError):
    """The wish could not be granted; the message says what came, what was expected and what to do."""


def execute(db: str, name: str, /, **arguments: Any) -> Any:
    """Have the hub in this database do something, running or not.

    Raises `CommandFailed`, `EntryRefused`, `NoHub`, or `HubLocked` where another process holds the database and does
    not answer.
    """
    try:
        store = open_hub(db)
    except HubLocked as error:
        path = as_url(db).database
        assert path is not None
        reply = ask(path, ControlRequest(name, arguments))
        if reply is None:
            raise error from None
    else:
        try:
            reply = handle(store, ControlRequest(name, arguments))
        finally:
            store.close()
    if reply.refused is not None:
        raise EntryRefused(*reply.refused)
    if reply.error is not None:
        raise CommandFailed(reply.error)
    return reply.value


def enter(db: str, entries: Sequence[Entry]) -> list[Recorded]:
    """Write entries, all or none, in a hub that runs or not. Raises as `execute`."""
    plain = [msgspec.to_builtins(entry) for entry in entries]
    written = execute(db, "enter", entries=plain)
    return [Recorded(bytes.fromhex(log), seq, pos) for log, seq, pos in written]


def handle(store: Store, wish: ControlRequest) -> ControlReply:
    """Do what is wished, in this process."""
    do = _WISHES.get(wish.name)
    if do is None:
        return ControlReply(error=f"Unknown wish {wish.name!r}. The running hub is of another version: restart it.")
    try:
        return ControlReply(do(store, **wish.arguments))
    except EntryRefused as refused:
        return ControlReply(refused=(refused.came, refused.expected, refused.do))
    except (devices.StationError, accounts.AccountError) as error:
        return ControlReply(error=str(error))
    except (TypeError, ValueError) as error:
        return ControlReply(error=f"{wish.name} with {sorted(wish.arguments)}: {error}. Look at its --help.")


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
    """Without a password: the secret of a sign-in link."""
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
    """The hub's UTC, why it is in doubt (None: it is not), and the anchors that were given while it was wrong."""
    now_us = store.clock.utc_us()
    with store.read() as connection:
        found = audit.find(connection, now_us)
        return {
            "utc_us": now_us,
            "doubt": watch.why_in_doubt(connection, store.clock),
            "anchors": [each._asdict() for each in found],
        }


def _void_anchors(store: Store, by: str) -> int:
    """Void the anchors that cannot be right where the hub's clock is right now, and confirm the clock; how many."""
    with store.write() as connection:
        found = audit.find(connection, store.clock.utc_us())
        doubted = watch.why_in_doubt(connection, store.clock) is not None
        if found or doubted:
            hub_log.confirm_clock(connection, store.clock)
        write_all(connection, audit.void_entries(found, by), store.clock)
        watch.note_suspects(connection, 0)
    return len(found)


def _enter(store: Store, entries: list[dict[str, Any]]) -> list[tuple[str, int, int]]:
    written = record_all(store, [msgspec.convert(entry, Entry) for entry in entries])
    return [(one.log_id.hex(), one.seq, one.pos) for one in written]


def _backed_up(store: Store, path: str, epoch: int, pos: int, *, off_disk: bool) -> bool:
    """A backup up to `pos` of this epoch was verified; whether it makes anything durable."""
    return note_copy(store, Path(path), epoch=epoch, pos=pos, off_disk=off_disk)


_WISHES: dict[str, Callable[..., Any]] = {
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
    "backed up": _backed_up,
    "ledger checked": note_breaks,
}
