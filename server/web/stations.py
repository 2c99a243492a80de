"""Stations page: last contact, unsent and missing scans, clock, version and readers of each station."""

from typing import Any
from urllib.parse import quote

import msgspec
from flask import Blueprint, Response, render_template, request
from sqlalchemy import Connection

from server.api_errors import ApiError
from server.auth import devices
from server.auth.gate import readers
from server.clock.watch import why_in_doubt
from server.context import current_hub
from server.queries.station_alerts import ahead, is_silent, last_seen_us
from server.query_words import query_words
from server.web.listing import Listing, page_number
from server.web.table_file import FORMS, Cell, moment, table_file
from server.web.template_filters import reader_name

blueprint = Blueprint("stations", __name__)
PATH = "/stations"
COLUMNS = (
    "station", "revoked", "last_contact", "waiting", "oldest_unsent_s", "missing", "gaps", "not_here_yet", "of_earlier_logs",
    "written_twice", "clock", "readers", "version",
)  # fmt: skip
DEVICE_COLUMNS = ("station", "device", "kind", "state", "taught", "because", "remedy")
CLOCKS = {"synced": "set by the network", "holdover": "runs by itself", "never": "set only by this hub"}


@blueprint.get(PATH)
@readers
@query_words("page", "devices")
def page() -> str:
    """The stations by name, revoked ones last, 100 on a page; and their devices, 100 on a page of their own."""
    numbers = {word: page_number(word) for word in ("page", "devices")}
    now_us = current_hub().clock.utc_us()
    with current_hub().store.read() as connection:
        shown = _stations(connection, now_us)
        doubt = why_in_doubt(connection, current_hub().clock)
    devices_of = [(row["station"], reader) for row in shown for reader in row["readers"]]
    listing, of_devices = (
        Listing(numbers[word], len(listed), _other(word), PATH, word)
        for word, listed in (("page", shown), ("devices", devices_of))
    )
    return render_template(
        "stations.html",
        page="stations",
        now_us=now_us,
        stations=shown[listing.start : listing.last],
        listing=listing,
        devices=devices_of[of_devices.start : of_devices.last],
        of_devices=of_devices,
        CLOCKS=CLOCKS,
        doubt=doubt,
    )


@blueprint.get(f"{PATH}.{FORMS}")
@readers
@query_words("list")
def file(form: str) -> Response:
    """All stations, or all their devices, as a file. Raises `ApiError` 400."""
    name, now_us = request.args.get("list", "stations"), current_hub().clock.utc_us()
    if name not in ("stations", "devices"):
        raise ApiError(400, f"list {name[:40]!r}", "one of stations, devices", "Use the link of the page.")
    with current_hub().store.read() as connection:
        rows = _stations(connection, now_us)
    if name == "devices":
        read = [_device_cells(row["station"], reader) for row in rows for reader in row["readers"]]
        return table_file(form, name, DEVICE_COLUMNS, read)
    return table_file(form, name, COLUMNS, [_cells(row) for row in rows])


def _stations(connection: Connection, now_us: int) -> list[dict[str, Any]]:
    rows = (_row(row, now_us) for row in devices.overview(connection))
    return sorted(rows, key=lambda row: (row["revoked"], row["station"]))


def _cells(row: dict[str, Any]) -> list[Cell]:
    readers = ", ".join(reader["text"] for reader in row["readers"] if reader["counts"])
    return [
        row["station"], "yes" if row["revoked"] else "no", moment(row["seen_us"]), row["waiting"], row["oldest_s"],
        row["missing"], row["gaps"], row["ahead"], row["aside"], row["forks"], row["clock"], readers, row["sw"],
    ]  # fmt: skip


def _device_cells(station: str, reader: dict[str, Any]) -> list[Cell]:
    name = reader_name(reader["name"])
    return [station, name, reader["kind"], reader["state"], reader["taught"], reader["because"], reader["mend"]]


def _other(word: str) -> dict[str, str]:
    """The page of the other list, which stays as it is."""
    return {name: request.args[name] for name in ("page", "devices") if name != word and name in request.args}


def _row(row: dict[str, Any], now_us: int) -> dict[str, Any]:
    heartbeat = row["heartbeat"] or {}
    logs = row["logs"]
    seen_us = last_seen_us(row)
    gaps = [gap for log in logs for gap in log["gaps"]]
    waiting = heartbeat.get("waiting")
    return {
        "station": row["station"],
        "anchor": quote(row["station"], safe=""),
        "revoked": row["revoked_us"] is not None,
        "seen_us": seen_us,
        "silent": is_silent(row, now_us),
        "waiting": waiting,
        "oldest_s": heartbeat.get("oldest_waiting_s") if waiting else None,
        "gaps": len(gaps),
        "missing": sum(gap["to_seq"] - gap["from_seq"] + 1 for gap in gaps),
        "forks": sum(log["forks"] for log in logs),
        "ahead": ahead(row),
        "aside": heartbeat.get("aside") or 0,
        "accepted": sum(log["accepted_thru"] for log in logs),
        "clock": heartbeat.get("clock"),
        "sw": heartbeat.get("sw"),
        "readers": readers_of(heartbeat.get("readers")),
        "mark": f"{waiting} {len(gaps)} {ahead(row)} {heartbeat.get('aside') or 0}",
    }


def readers_of(text: str | None) -> list[dict[str, Any]]:
    """The readers of a heartbeat for the page: text, state, reason, and how to correct a wrong state.

    >>> one, = readers_of('[{"kind": "keyboard", "id": "usb-05e0-1200-SN77", "state": "ready", "evidence": "usb 05e0"}]')
    >>> one["text"], one["trouble"], one["state"], one["because"]
    ('keyboard usb-05e0-1200-SN77', False, 'read', 'usb 05e0')
    """
    try:
        readers = msgspec.json.decode(text or "[]")
    except msgspec.DecodeError:
        return []
    return [_reader(reader) for reader in readers] if isinstance(readers, list) else []


STATES = {
    "ready": "read", "listening": "listened to", "refusing": "answered red", "ignored": "left alone", "lost": "lost",
    "waiting": "not there",
}  # fmt: skip
NO_TROUBLE = frozenset({"ready", "listening", "ignored"})


def _reader(reader: Any) -> dict[str, Any]:
    reported = reader if isinstance(reader, dict) else {"id": str(reader)}
    state, kind, name, why, because, mend, taught = (
        str(reported.get(field) or "") for field in ("state", "kind", "id", "why", "evidence", "mend", "taught")
    )
    state = state or "ready"
    text = reader_name(name) if name.startswith(kind) else f"{kind} {name}".strip()
    ready = state in NO_TROUBLE
    return {
        "text": text if ready else f"{text} {state}",
        "trouble": not ready,
        "counts": state not in ("ignored", "listening"),
        "name": name,
        "kind": kind,
        "state": STATES.get(state, state),
        "because": ". ".join(sentence.rstrip(".") for sentence in (why, because) if sentence),
        "taught": taught,
        "mend": mend,
    }
