"""The demo as a client of its own hub: the past goes in as stations send it, new orders as the office enters them.

Plain HTTP over the protocol that `docs/design/protocol.md` describes; every answer is looked at, and what is not taken ends
the demo with the hub's own words.
"""

import base64
from typing import Any

import msgspec
import urllib3

from server.demo.days import StationLog
from station.core.hash_chain import genesis, link

BATCH_EVENTS = 500
TIMEOUT_S = 20.0
CLOSING = {"Connection": "close"}


class DemoRequestFailed(RuntimeError):
    """The demo's hub did not take what the demo sent; the message has its answer."""


class DemoClient:
    """One caller with one token. `url`: the hub's address without a trailing slash."""

    def __init__(self, url: str, token: str) -> None:
        self._pool = urllib3.PoolManager(timeout=TIMEOUT_S, retries=False)
        self._url = url
        # A connection that is kept open would keep the hub waiting when the demo ends.
        self._headers = {**CLOSING, "Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send JSON, give back JSON. Raises `DemoRequestFailed` for any answer but success."""
        try:
            answer = self._pool.request("POST", self._url + path, body=msgspec.json.encode(body), headers=self._headers)
        except urllib3.exceptions.HTTPError as error:
            msg = f"POST {path}: {error}"
            raise DemoRequestFailed(msg) from error
        if not 200 <= answer.status < 300:
            msg = f"POST {path} was answered {answer.status}: {answer.data[:500].decode('utf-8', 'replace')}"
            raise DemoRequestFailed(msg)
        said: dict[str, Any] = msgspec.json.decode(answer.data)
        return said

    def send(self, log: StationLog) -> int:
        """Send a station's past, boot after boot: a session, then its events in batches; how many were taken."""
        seq, tip = 0, genesis(log.log_id)
        for boot in log.boots:
            session = {"log": log.log_id.hex(), "tip_seq": seq, "tip_hash": tip.hex(), "pruned_thru": 0}
            met = self.post("/api/v1/session", {**session, "boot": boot.boot, "t1": boot.t1_ns})
            if met.get("do") or met.get("accepted_thru") != seq:
                msg = f"The hub wants {log.station} to {met.get('do')} at {met.get('accepted_thru')}, not at {seq}."
                raise DemoRequestFailed(msg)
            for start in range(0, len(boot.events), BATCH_EVENTS):
                events = boot.events[start : start + BATCH_EVENTS]
                seq, tip = self._send_batch(log, seq, tip, events)
        return seq

    def _send_batch(self, log: StationLog, seq: int, tip: bytes, events: tuple[bytes, ...]) -> tuple[int, bytes]:
        prev = tip
        for encoded in events:
            tip = link(tip, encoded)
        batch = {
            "from_seq": seq + 1,
            "prev": prev.hex(),
            "tip": tip.hex(),
            "events": [base64.b64encode(encoded).decode() for encoded in events],
        }
        taken = self.post(f"/api/v1/logs/{log.log_id.hex()}/events", batch)
        if any(verdict["verdict"] != "ok" for verdict in taken["verdicts"]):
            msg = f"The hub did not take all of {log.station}'s events from {seq + 1} on: {taken['verdicts']}"
            raise DemoRequestFailed(msg)
        return seq + len(events), tip

    def enter(self, what: str, data: dict[str, Any]) -> None:
        """Make an entry as a person in the office would."""
        self.post("/api/v1/entries", {"what": what, "data": data})
