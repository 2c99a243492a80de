"""A running hub with a full floor in it, one station that sends to it as stations do, and what it says of itself."""

import base64
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import urllib3
from counted_shop import counted, decide, opened
from floor_full import full_floor
from running_hub import RunningHub
from shop_writer import ShopWriter

from server.auth import accounts
from server.db.store import Store
from server.ops.bootstrap import initialise
from station.core.event import Event, encode
from station.core.hash_chain import genesis, link
from station.system import clock

LEAVE_S = 10.0
LOG_ID = b"\x07" * 16


def _counted(shop: ShopWriter) -> None:
    """A finished count of two stages: a line of each kind, one that cannot be booked, and decisions."""
    opened(shop, hours=3, ended=0.5, stages=["saw", "deburr"], why="End of the month")
    at = {"station": "walk-1"}  # the logs of the others end later
    counted(shop, "WO-1002", "saw", 2.9, qty_milli=7_000, **at)
    counted(shop, "WO-1007", "saw", 2.8, **at)
    counted(shop, "WO-1007", "deburr", 2.7, **at)
    counted(shop, "WO-1003", "deburr", 2.6, qty_milli=90_000, **at)
    counted(shop, "NOTHING-KNOWN-1", "deburr", 2.5, **at)
    decide(shop, ("WO-1002", "saw"))
    decide(shop, ("WO-1003", "deburr"), how="rejected", why="counted with the sheet of another order")


class LiveHub:
    """`person_link` signs in somebody who administers, once."""

    def __init__(self, folder: Path) -> None:
        self._database = folder / "hub.db"
        store = Store(self._database)
        initialise(store)
        shop_writer = ShopWriter(store)
        full_floor(shop_writer)
        _counted(shop_writer)
        self._token = shop_writer.station("live-1")
        with store.write() as connection:
            person = accounts.add_person(connection, "Mara Weiss", "administer", None, shop_writer.now_us)
            secret = accounts.make_link(connection, person, shop_writer.now_us)
            self._office = accounts.add_token(connection, "office", "supervise", shop_writer.now_us)
        store.close()
        self.running = RunningHub(self._database).start()
        self.url = self.running.url
        self.person_link = f"{self.url}/sign-in/{secret}"
        self._http = urllib3.PoolManager(timeout=10, retries=False)
        self._sent: list[bytes] = []
        self._tracked: set[str] = set()

    def get(self, path: str) -> str:
        """The body of an answer."""
        return self._http.request("GET", self.url + path).data.decode()

    def take_a_seat(self) -> urllib3.BaseHTTPResponse:
        """An open event stream, or the refusal."""
        return self._http.request("GET", f"{self.url}/api/v1/events", preload_content=False)

    def csp_reports(self) -> float:
        """How many content policy reports the hub has counted."""
        return self._count("wipline_csp_reports_total")

    @contextmanager
    def at_long_work(self, title: str) -> Iterator[str]:
        """While another process of this hub is a minute into long work: its first words on every page."""
        now_us = clock.utc_us()
        row = ("other", title, "event", 1, 4, now_us - 60_000_000, now_us)
        with closing(sqlite3.connect(self._database, isolation_level=None)) as database:
            database.execute("INSERT INTO long_work VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            try:
                yield f"{title}: 1 of 4 events"
            finally:
                database.execute("DELETE FROM long_work WHERE work = 'other'")

    def empty_house(self) -> None:
        """Wait until the pages of earlier tests have given their seats back."""
        deadline = time.monotonic() + LEAVE_S
        while self._count("wipline_streams"):
            assert time.monotonic() < deadline, "pages that are gone still hold seats"
            time.sleep(0.1)

    def _count(self, name: str) -> float:
        found = re.search(rf"^{name} ([\d.]+)$", self.get("/metrics"), re.MULTILINE)
        assert found, f"no such counter: {name}"
        return float(found[1])

    def _track(self, code: str) -> None:
        """Bind a code to the item of its name: a code that the office does not know is not in process."""
        if code in self._tracked or code.startswith(("WIP:", "WO-")):
            return
        self._tracked.add(code)
        entry = {"what": "code.bind", "data": {"code": code, "as": "item", "to": code}}
        self._post("/api/v1/entries", entry, self._office)

    def scan(self, raw: bytes, stage: str, **fields: Any) -> None:
        """One scan of a known code; before the first one a session and an anchor."""
        self._track(raw.decode())
        own = {"station": "live-1", "sw": "t", "boot": clock.boot_id()}
        first = len(self._sent) + 1
        if first == 1:
            body = {"log": LOG_ID.hex(), "boot": clock.boot_id(), "t1": clock.boot_ns()}
            met, now_ns = self._post("/api/v1/session", body), clock.boot_ns()
            times = {"t1": now_ns, "t4": now_ns, "t2": met["t2"], "t3": met["t3"], "mac": met["mac"]}
            self._sent.append(encode(Event(kind="anchor", mono_ns=now_ns, hub_clk="synced", **times, **own)))
        now_ns = clock.boot_ns()
        said = {"scheme": "text", **own, **fields}
        self._sent.append(encode(Event(kind="scan", mono_ns=now_ns, raw=raw, stage=stage, **said)))
        hashes = [genesis(LOG_ID)]
        for event in self._sent:
            hashes.append(link(hashes[-1], event))
        new = [base64.b64encode(event).decode() for event in self._sent[first - 1 :]]
        body = {"from_seq": first, "prev": hashes[first - 1].hex(), "tip": hashes[-1].hex(), "events": new}
        answer = self._post(f"/api/v1/logs/{LOG_ID.hex()}/events", body)
        assert {each["verdict"] for each in answer["verdicts"]} == {"ok"}

    def _post(self, path: str, body: dict[str, Any], token: str = "") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token or self._token}"}
        answer = self._http.request("POST", self.url + path, json=body, headers=headers)
        assert answer.status == 200, answer.data
        return dict(answer.json())
