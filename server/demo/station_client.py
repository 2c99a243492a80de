"""Demo client: send past events to the demo's hub as a station, and release orders as the office.

It uses the HTTP protocol of `docs/design/protocol.md`. Every answer is checked; a refusal ends the demo with the hub's
message.
"""

import base64
from typing import Any, NamedTuple

import msgspec
import urllib3

from server.demo.days import StationLog
from station.core.hash_chain import genesis, link

BATCH_EVENTS = 500
TIMEOUT_S = 20.0
CLOSING = {"Connection": "close"}


class LogEnd(NamedTuple):
    """The sequence number and the hash of the last event of a log."""

    seq: int
    tip: bytes


class DemoRequestFailed(RuntimeError):
    """The demo's hub refused a request; the message has its answer."""


class DemoClient:
    """A client with one token. `url`: the hub's address without a trailing slash."""

    def __init__(self, url: str, token: str) -> None:
        self._pool = urllib3.PoolManager(timeout=TIMEOUT_S, retries=False)
        self._url = url
        # An open connection would delay the hub's stop at the end of the demo.
        self._headers = {**CLOSING, "Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def get(self, path: str) -> dict[str, Any]:
        """Read JSON. Raises `DemoRequestFailed` for any other status than 2xx."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send JSON and return the JSON answer. Raises `DemoRequestFailed` for any other status than 2xx."""
        return self._ask("POST", path, msgspec.json.encode(body))

    def _ask(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        try:
            answer = self._pool.request(method, self._url + path, body=body, headers=self._headers)
        except urllib3.exceptions.HTTPError as error:
            msg = f"{method} {path}: {error}"
            raise DemoRequestFailed(msg) from error
        if not 200 <= answer.status < 300:
            msg = f"{method} {path} was answered {answer.status}: {answer.data[:500].decode('utf-8', 'replace')}"
            raise DemoRequestFailed(msg)
        decoded: dict[str, Any] = msgspec.json.decode(answer.data)
        return decoded

    def send(self, log: StationLog) -> LogEnd:
        """Send a station's log, for each boot a session and then its events in batches. Returns its end."""
        seq, tip = 0, genesis(log.log_id)
        for boot in log.boots:
            session = {"log": log.log_id.hex(), "tip_seq": seq, "tip_hash": tip.hex(), "pruned_thru": 0}
            answer = self.post("/api/v1/session", {**session, "boot": boot.boot, "t1": boot.t1_ns})
            if answer.get("do") or answer.get("accepted_thru") != seq:
                accepted, do = answer.get("accepted_thru"), answer.get("do")
                msg = f"The hub has accepted {log.station}'s log up to {accepted} (do: {do}); expected {seq}."
                raise DemoRequestFailed(msg)
            for start in range(0, len(boot.events), BATCH_EVENTS):
                events = boot.events[start : start + BATCH_EVENTS]
                seq, tip = self.append(log, LogEnd(seq, tip), events)
        return LogEnd(seq, tip)

    def append(self, log: StationLog, end: LogEnd, events: tuple[bytes, ...]) -> LogEnd:
        """Send more events of the last boot of a log. Returns its new end."""
        seq, tip = end
        prev = tip
        for encoded in events:
            tip = link(tip, encoded)
        batch = {
            "from_seq": seq + 1,
            "prev": prev.hex(),
            "tip": tip.hex(),
            "events": [base64.b64encode(encoded).decode() for encoded in events],
        }
        answer = self.post(f"/api/v1/logs/{log.log_id.hex()}/events", batch)
        if any(verdict["verdict"] != "ok" for verdict in answer["verdicts"]):
            msg = f"The hub did not accept all of {log.station}'s events from {seq + 1} on: {answer['verdicts']}"
            raise DemoRequestFailed(msg)
        return LogEnd(seq + len(events), tip)

    def enter(self, what: str, data: dict[str, Any]) -> None:
        """Make an entry with the office's token."""
        self.post("/api/v1/entries", {"what": what, "data": data})
