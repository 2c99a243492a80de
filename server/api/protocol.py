"""Station protocol: session, events, heartbeat, snapshot and open items.

The token of a request identifies the station, which may access only its own logs. Events are acknowledged after the commit
and the flush to disk. The content of an event is not decoded here.
"""

from typing import Any

import msgspec
from flask import Blueprint, Response, request
from sqlalchemy import Connection

from server.api import open_items
from server.api.openapi import documented
from server.api.request_body import MAX_BODY_BYTES, MAX_DEPTH, depth_of, read_json
from server.api.schemas import ItemsQuery, readers_json
from server.api_errors import ApiError, json_answer
from server.auth.devices import Device
from server.auth.gate import caller, confirm_device, devices, known_devices, readers
from server.clock.readings import stepped
from server.clock.watch import expected_by_boottime, unsure, why_in_doubt
from server.context import current_hub
from server.ledger import heartbeats, station_logs
from server.ledger.hub_log import compare_station_clock, epoch_and_head, hub_row
from server.ledger.ingest import BatchAppended, BatchRefused, EventBatch, append
from server.text import counted
from station.core.event import MAX_SALVAGE_BYTES
from station.core.hash_chain import anchor_mac, boot_bytes, genesis
from station.core.protocol import (
    MAX_EVENTS,
    EventsAnswer,
    EventsRequest,
    HeartbeatAnswer,
    HeartbeatRequest,
    ItemsAnswer,
    Limits,
    SessionAnswer,
    SessionRequest,
)

blueprint = Blueprint("protocol", __name__, url_prefix="/api/v1")
BEAT_MS = 30_000
NEWS_BEAT_MS = 5_000
LIMITS = Limits(events=MAX_EVENTS, body_bytes=MAX_BODY_BYTES, event_bytes=MAX_SALVAGE_BYTES)


@blueprint.post("/session")
@documented(SessionAnswer, json=SessionRequest, errors=(400, 401, 403, 413), tag="station")
@devices
def session() -> Response:
    """Open a session for one log. The answer has the accepted part of the log and the hub's time."""
    clock = current_hub().clock
    received = clock.read()
    t2 = received.utc_us
    body = read_json(SessionRequest)
    device = _device(body.station)
    log_id = bytes.fromhex(body.log)
    if body.tip_seq and body.tip_hash is None:
        raise ApiError(
            400, f"tip_seq {body.tip_seq} without tip_hash", "both", "Send the hash of the log's last event."
        )
    tip_hash = bytes.fromhex(body.tip_hash) if body.tip_hash and body.tip_seq else genesis(log_id)
    tip = station_logs.LogTip(body.tip_seq, tip_hash, min(body.pruned_thru, body.tip_seq))
    parent = None if body.parent is None else bytes.fromhex(body.parent.log)
    with current_hub().store.write() as connection:
        log = _own_log(connection, log_id, device, t2, parent)
        if not isinstance(log, ApiError):
            compared = station_logs.compare_tips(connection, log, tip, t2)
            if unsure(connection) and body.boot is not None and body.t1 is not None:
                compare_station_clock(
                    connection, clock, device.station, expected_by_boottime(connection, body.boot, body.t1), t2
                )
            hub = hub_row(connection)
            trusted = why_in_doubt(connection, clock) is None
            version = current_hub().definitions(connection)[0]
    if isinstance(log, ApiError):
        raise log
    sent = clock.read()
    # If the clock stepped between t2 and t3, the anchor would map one boottime to two times.
    sealed = trusted and body.boot is not None and not stepped(received, sent)
    t3 = sent.utc_us
    mac = anchor_mac(hub.mac_key, log_id, boot_bytes(body.boot), t2, t3) if sealed and body.boot else None
    return json_answer(
        SessionAnswer(
            hub_epoch=hub.epoch,
            accepted_thru=compared.accepted_thru,
            accepted_hash=compared.accepted_hash.hex(),
            durable_thru=compared.durable_thru,
            limits=LIMITS,
            snapshot_version=version,
            t2=t2 if mac else None,
            t3=t3 if mac else None,
            hub_clk=clock.state(),
            mac=mac,
            do=compared.do,
        )
    )


@blueprint.post("/logs/<log_id>/events")
@documented(EventsAnswer, json=EventsRequest, errors=(400, 401, 403, 409, 413, 429), tag="station")
@known_devices
def events(log_id: str) -> Response:
    """Append a batch of events to the ledger; the answer is sent after the commit."""
    log_key = _log_id(log_id)
    body = read_json(EventsRequest)
    device, now_us = _device(body.station), current_hub().clock.utc_us()
    batch = _batch(log_key, body)

    def execute(connection: Connection) -> BatchAppended | BatchRefused | ApiError:
        invalid = confirm_device(connection, device)
        if invalid is not None:
            return invalid
        log = _own_log(connection, log_key, device, now_us, None)
        if isinstance(log, ApiError):
            return log
        return append(connection, batch, recv_us=now_us, device=device.id, log=log)

    result = current_hub().store.write_with_others(execute)
    if isinstance(result, ApiError):
        raise result
    counts = current_hub().counts
    if isinstance(result, BatchRefused):
        counts.refused.inc()
        status = 429 if result.full else 409
        raise ApiError(status, result.came, result.expected, result.do, seq=result.seq)
    for verdict in result.verdicts:
        counts.events.labels(verdict.verdict).inc()
    return json_answer(
        EventsAnswer(
            verdicts=list(result.verdicts),
            accepted_thru=result.accepted_thru,
            durable_thru=result.durable_thru,
            hub_epoch=result.epoch,
            head=result.head.hex(),
            wait_ms=0,
        )
    )


@blueprint.post("/heartbeat")
@documented(HeartbeatAnswer, json=HeartbeatRequest, errors=(400, 401, 403, 413), tag="station")
@known_devices
def heartbeat() -> Response:
    """Store the state that a station reports. It replaces the previous heartbeat of the station."""
    body = read_json(HeartbeatRequest)
    device, clock = _device(body.station), current_hub().clock
    name = device.station
    now_us = clock.utc_us()
    # The decoder is recursive. A page decodes this text deeper in its call stack than this view, so the depth is bounded.
    if depth_of(body.readers) > MAX_DEPTH:
        raise ApiError(400, f"readers nested deeper than {MAX_DEPTH}", "a list of flat objects", "Send one a device.")
    row: dict[str, Any] = {
        "station": name,
        "log_id": None if body.log is None else bytes.fromhex(body.log),
        "seen_us": now_us,
        "tip_seq": body.tip_seq,
        "waiting": body.waiting,
        "oldest_waiting_s": None if body.oldest_waiting_s is None else int(body.oldest_waiting_s),
        "clock": body.clock if isinstance(body.clock, str) and len(body.clock) <= 64 else None,
        "sw": body.sw,
        "disk_free": body.disk_free,
        "boot": body.boot,
        "readers": readers_json(body.readers),
        "aside": body.aside,
    }
    hub_context = current_hub()
    with hub_context.store.read() as connection:
        invalid = confirm_device(connection, device)
        epoch, head = epoch_and_head(connection)
        reached = (None, None) if row["log_id"] is None else station_logs.reached(connection, row["log_id"])
        of_use = body.clock == "synced" and unsure(connection)
        version = hub_context.definitions(connection)[0]
    if invalid is not None:
        raise invalid
    if of_use:
        with hub_context.store.write() as connection:
            compare_station_clock(connection, clock, name, body.wall_us, now_us)
    if hub_context.heartbeats is None:
        heartbeats.write(hub_context.store, [row])
    else:
        hub_context.heartbeats.keep(row)
    answer = HeartbeatAnswer(NEWS_BEAT_MS if body.waiting else BEAT_MS, version, epoch, head.hex(), *reached)
    counts = hub_context.counts
    counts.seen.labels(name).set(now_us / 1_000_000)
    counts.waiting.labels(name).set(body.waiting or 0)
    return json_answer(answer)


@blueprint.get("/snapshot")
@documented(dict[str, Any], tag="station")
@readers
def snapshot() -> Response:
    """The current snapshot of the master data; 304 if its version equals the ETag in If-None-Match."""
    with current_hub().store.read() as connection:
        version, body = current_hub().definitions(connection)
        hub = hub_row(connection)
    position = {"epoch": hub.epoch, "head": bytes(hub.head).hex()}
    # The ETag excludes the position: it changes with each scan, the definitions do not.
    response = Response(_with(body, position), mimetype="application/json")
    response.set_etag(version)
    response.headers["Wipline-Epoch"], response.headers["Wipline-Head"] = str(position["epoch"]), position["head"]
    response.headers["Cache-Control"] = "private, no-cache"
    response.make_conditional(request)
    return response


@blueprint.get("/items/changes")
@documented(ItemsAnswer, query=ItemsQuery, tag="station", errors=(400, 401, 403))
@readers
def item_changes() -> Response:
    """The items that changed since `after`; all open items if `after` is absent or of another epoch.

    `log`: the station's log, for `thru` in the answer.
    """
    now_us = current_hub().clock.utc_us()
    after, log = (request.args.get(name, "") for name in ("after", "log"))
    with current_hub().store.read() as connection:
        return json_answer(open_items.changes(connection, after, now_us, log))


def _with(body: bytes, fields: dict[str, Any]) -> bytes:
    """Append fields to an encoded JSON object.

    >>> _with(b'{"rules":[]}', {"epoch": 1})
    b'{"rules":[],"epoch":1}'
    """
    return body[:-1] + b"," + msgspec.json.encode(fields)[1:]


def _device(station: str | None) -> Device:
    """The device of the token. Raises `ApiError` 403 if the body names another station."""
    device = caller().device
    assert device is not None  # the gate permits only devices
    if station not in (None, device.station):
        raise ApiError(403, f"station {station!r}", f"{device.station!r}, whose token this is", "Use your own token.")
    return device


def _log_id(text: str) -> bytes:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != 16 or text != text.lower():
        raise ApiError(
            404, f"log {text[:80]!r}", "32 lower-case hexadecimal digits", "Send the log id of your journal."
        )
    return raw


def _batch(log_id: bytes, body: EventsRequest) -> EventBatch:
    count = len(body.events)
    if not 1 <= count <= MAX_EVENTS:
        raise ApiError(413 if count else 400, f"{count} events", f"1 to {MAX_EVENTS}", "Send the others next.")
    longest = max(map(len, body.events))
    if longest > MAX_SALVAGE_BYTES:
        raise ApiError(
            413, f"an event of {longest} bytes", f"at most {MAX_SALVAGE_BYTES}", "Check the journal of that log."
        )
    hashes = [bytes.fromhex(claimed) for claimed in body.hashes or ()]
    if hashes and len(hashes) != count:
        came = f"{counted(len(hashes), 'hash', 'hashes')} for {counted(count, 'event')}"
        raise ApiError(400, came, "one for each", "Send all of them or none.")
    return EventBatch(log_id, body.from_seq, bytes.fromhex(body.prev), bytes.fromhex(body.tip), body.events, hashes)


def _own_log(connection: Connection, log_id: bytes, device: Device, now_us: int, parent: bytes | None) -> Any:
    """The row of a log, or the 403 error. The caller raises the error after it has committed the clone warning."""
    try:
        return station_logs.log_of(
            connection, log_id, device=device.id, station=device.station, now_us=now_us, parent=parent
        )
    except station_logs.ForeignLog as error:
        station_logs.note_clone(connection, device.id, now_us)
        return ApiError(
            403,
            f"{error}; this token is of station {device.station!r}",
            "a log of your own",
            "If this is a copied card, give it a token and a journal of its own; the supervisor sees both.",
        )
