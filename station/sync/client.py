"""HTTP client of the hub: five calls, each with a decoded answer or a `HubError`. See docs/design/protocol.md.

An answer that is not exactly what was promised (a page with status 200, half a JSON, the wrong verdicts) counts as none.
"""

import gzip
import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from station.core.protocol import (
    ErrorAnswer,
    EventsAnswer,
    EventsRequest,
    HeartbeatAnswer,
    HeartbeatRequest,
    ItemsAnswer,
    SessionAnswer,
    SessionRequest,
    SnapshotPosition,
)
from station.sync.transport import HttpReply, HubTransport, TransportError

GZIP_FROM_BYTES = 1024
OK, NOT_MODIFIED, CONFLICT = 200, 304, 409
REFUSED = frozenset({401, 403})
MOST_RETRY_S = 3600.0
MAX_SENTENCE = 1_000  # characters of what a hub says of an error
_VERSION = re.compile(r"[\x21\x23-\x7e]{1,200}")


class HubError(Exception):
    """The hub gave no usable answer. `refused`: it does not let this station in; `retry_s`: when it asked to be tried."""

    def __init__(self, sentence: str, *, refused: bool = False, retry_s: float | None = None) -> None:
        super().__init__(sentence)
        self.refused, self.retry_s = refused, retry_s


class BatchConflict(HubError):
    """The hub took nothing of a batch: `seq` is the first event that does not fit."""

    def __init__(self, sentence: str, seq: int) -> None:
        super().__init__(sentence)
        self.seq = seq


Answer = TypeVar("Answer")


class HubClient:
    """One hub, reached with this station's token. Used by one thread."""

    def __init__(self, url: str, token: str, wire: HubTransport, agent: str = "wipline-station") -> None:
        self._base = url.rstrip("/") + "/api/v1"
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": agent, "Accept": "application/json"}
        self._wire = wire

    def session(self, body: SessionRequest) -> SessionAnswer:
        """Open a session for a log."""
        return self._post("/session", body, SessionAnswer)

    def events(self, log: str, body: EventsRequest) -> EventsAnswer:
        """Send a batch; raises `BatchConflict` where its chain does not fit."""
        return self._post(f"/logs/{log}/events", body, EventsAnswer)

    def heartbeat(self, body: HeartbeatRequest) -> HeartbeatAnswer:
        """Say how the station is."""
        return self._post("/heartbeat", body, HeartbeatAnswer)

    def snapshot(self, version: str | None) -> tuple[str | None, bytes, SnapshotPosition]:
        """The definitions: (version, body, where the hub's ledger is); version None where `version` still holds."""
        headers = {"If-None-Match": f'"{version}"'} if version is not None else {}
        reply = self._ask("GET", "/snapshot", None, headers)
        if reply.status == NOT_MODIFIED:
            return None, b"", SnapshotPosition()
        place = self._decode(reply.body, SnapshotPosition)
        found = reply.headers.get("ETag", "").removeprefix("W/").strip('"')
        if not _VERSION.fullmatch(found):
            msg = f"The hub at {self._base} sent definitions with the version {found[:80]!r}; expected an ETag."
            raise HubError(msg)
        return found, reply.body, place

    def items(self, after: str) -> ItemsAnswer:
        """Open items that changed since a cursor ("" for all)."""
        query = "/items/changes" + (f"?after={after}" if after else "")
        return self._decode(self._ask("GET", query, None, {}).body, ItemsAnswer)

    def close(self) -> None:
        """Let go of the connection."""
        self._wire.close()

    def _post(self, path: str, body: msgspec.Struct, kind: type[Answer]) -> Answer:
        content = msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"}
        if len(content) >= GZIP_FROM_BYTES:
            content, headers["Content-Encoding"] = gzip.compress(content, 1), "gzip"
        return self._decode(self._ask("POST", path, content, headers).body, kind)

    def _decode(self, body: bytes, kind: type[Answer]) -> Answer:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            msg = f"What answers at {self._base} is no hub: {error}. Correct the hub's url, or look at what stands between."
            raise HubError(msg) from error

    def _ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> HttpReply:
        try:
            reply = self._wire.request(method, self._base + path, body, {**self._headers, **headers})
        except TransportError as error:
            msg = f"The hub at {self._base} cannot be reached: {error}."
            raise HubError(msg) from error
        if reply.status in (OK, NOT_MODIFIED):
            return reply
        raise self._error(reply)

    def _error(self, reply: HttpReply) -> HubError:
        try:
            body = msgspec.json.decode(reply.body, type=ErrorAnswer).error
        except (msgspec.MsgspecError, ValueError, RecursionError):
            body = None
        sentence = f"The hub answers {reply.status}"
        if body is not None:
            sentence += f": {body.came}; expected {body.expected}. {body.do}"[:MAX_SENTENCE]
        if reply.status == CONFLICT and body is not None and body.seq is not None:
            return BatchConflict(sentence, body.seq)
        retry = reply.headers.get("Retry-After", "")
        retry_s = min(float(retry), MOST_RETRY_S) if re.fullmatch(r"[0-9]{1,9}", retry) else None
        return HubError(sentence, refused=reply.status in REFUSED, retry_s=retry_s)
