"""HTTP client of the hub: five requests, each with a decoded answer or a `HubError`. See docs/design/protocol.md.

An answer that deviates from the protocol (an HTML page with status 200, incomplete JSON, a wrong field) raises `HubError`.
"""

import gzip
import re
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import quote

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
OK, NOT_MODIFIED, BAD_REQUEST, CONFLICT = 200, 304, 400, 409
REFUSED = frozenset({401, 403})
TOO_LARGE = 413
SMALLER = frozenset({408, TOO_LARGE, 502, 504})  # the last two: a proxy that got no reply in its time
MOST_RETRY_S = 3600.0
MAX_SENTENCE = 1_000  # characters of the hub's error text
_CURSOR = re.compile(r"[\x21-\x7e]{0,200}")
_VERSION = re.compile(r"[\x21\x23-\x7e]{1,200}")


class HubError(Exception):
    """No usable answer of the hub.

    `refused`: it rejects the token (401, 403). `retry_s`: the value of `Retry-After`. `status`: the HTTP status, None
    without a complete reply. `smaller`: fewer events in one request may succeed. `events`: the events of the failed
    batch, 0 for another request.
    """

    def __init__(
        self,
        sentence: str,
        *,
        refused: bool = False,
        retry_s: float | None = None,
        status: int | None = None,
        smaller: bool = False,
    ) -> None:
        super().__init__(sentence)
        self.refused, self.retry_s, self.status, self.smaller = refused, retry_s, status, smaller
        self.events = 0


class BatchConflict(HubError):
    """The hub rejects a whole batch: `seq` is the first event that does not continue its chain."""

    def __init__(self, sentence: str, seq: int) -> None:
        super().__init__(sentence)
        self.seq = seq


Answer = TypeVar("Answer")


class HubClient:
    """The requests to one hub, with this station's token. Used by one thread."""

    def __init__(self, url: str, token: str, transport: HubTransport, agent: str = "wipline-station") -> None:
        self._base = url.rstrip("/") + "/api/v1"
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": agent, "Accept": "application/json"}
        self._transport = transport

    def session(self, body: SessionRequest) -> SessionAnswer:
        """Open a session for a log."""
        return self._post("/session", body, SessionAnswer)

    def events(self, log: str, body: EventsRequest) -> EventsAnswer:
        """Send a batch. Raises `BatchConflict` where it does not continue the hub's chain."""
        try:
            return self._post(f"/logs/{log}/events", body, EventsAnswer)
        except HubError as error:
            error.events = len(body.events)
            raise

    def heartbeat(self, body: HeartbeatRequest) -> HeartbeatAnswer:
        """Send the station's status."""
        return self._post("/heartbeat", body, HeartbeatAnswer)

    def snapshot(self, version: str | None) -> tuple[str | None, bytes, SnapshotPosition]:
        """Fetch the definitions: (version, body, position of the hub's ledger); version None where `version` is current."""
        headers = {"If-None-Match": f'"{version}"'} if version is not None else {}
        reply = self._request("GET", "/snapshot", None, headers)
        if reply.status == NOT_MODIFIED:
            return None, b"", SnapshotPosition()
        position = self._decode(reply.body, SnapshotPosition)
        etag = reply.headers.get("ETag", "").removeprefix("W/").strip('"')
        if not _VERSION.fullmatch(etag):
            msg = f"The hub at {self._base} sent definitions with the version {etag[:80]!r}; expected an ETag."
            raise HubError(msg)
        return etag, reply.body, position

    def items(self, after: str, log: str) -> ItemsAnswer:
        """Fetch the items that changed after a cursor; "" fetches all. `log`: this station's log, in hex."""
        query = f"/items/changes?log={log}" + (f"&after={quote(after, safe=':')}" if after else "")
        answer = self._decode(self._request("GET", query, None, {}).body, ItemsAnswer)
        if not _CURSOR.fullmatch(answer.cursor):  # the station would send it with every later request
            came = ascii(answer.cursor[:80])
            msg = f"The hub at {self._base} sent items with the cursor {came}; expected the one for the next request."
            raise HubError(msg)
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def _post(self, path: str, body: msgspec.Struct, kind: type[Answer]) -> Answer:
        content = msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"}
        if len(content) >= GZIP_FROM_BYTES:
            content, headers["Content-Encoding"] = gzip.compress(content, 1), "gzip"
        return self._decode(self._request("POST", path, content, headers).body, kind)

    def _decode(self, body: bytes, kind: type[Answer]) -> Answer:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            msg = f"What answers at {self._base} is no hub: {error}. Correct the hub's url, or look at what stands between."
            raise HubError(msg, status=OK, smaller=True) from error

    def _request(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> HttpReply:
        try:
            reply = self._transport.request(method, self._base + path, body, {**self._headers, **headers})
        except TransportError as error:
            msg = f"The hub at {self._base} cannot be reached: {error}."
            raise HubError(msg, smaller=error.cut) from error
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
        return HubError(
            sentence,
            refused=reply.status in REFUSED,
            retry_s=retry_s,
            status=reply.status,
            smaller=reply.status in SMALLER,
        )
