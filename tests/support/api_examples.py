"""The examples of the OpenAPI document: a small shop at a fixed time, a request for each operation, and its answer.

`.venv/bin/python tests/support/api_examples.py` writes the answers to `server/api/examples.json`, after a change of an
answer. The reading operations come first, so that no other one changes what they answer.
"""

import base64
import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from fake_host import FakeMachine
from shop_writer import ShopWriter

from server.accounting.period_close import record_entries
from server.api.examples import EXAMPLES
from server.app import create_app
from server.auth import accounts
from server.config import HubConfig
from server.db.store import Store
from server.ledger.entries import Entry
from server.ops.bootstrap import initialise
from station.core.hash_chain import genesis, link

NOW_US = round(datetime(2026, 11, 30, 14, tzinfo=UTC).timestamp() * 1e6)
BOOT = "6f8f57a5-1c5f-4f0e-9f6f-2f1c9d2b7a10"
LOG = "00112233445566778899aabbccddeeff"
LINES = ("material", "labour", "overhead", "outside", "finished", "normal_scrap", "abnormal_scrap", "counts", "closes",
         "revaluation", "late", "rounding")  # fmt: skip
STATION, PROGRAM, ACCOUNTING = "station", "program", "accounting"


class Request(NamedTuple):
    """`operation`: method and address as in the document. `by`: whose token is sent; None: none, because the hub is open."""

    operation: str
    path: str
    body: Any = None
    by: str | None = None

    @property
    def method(self) -> str:
        """GET or POST."""
        return self.operation.partition(" ")[0]


class ExampleShop:
    """The shop of the examples, and its hub."""

    def __init__(self, folder: Path) -> None:
        machine = FakeMachine()
        machine.clock.now_us = NOW_US
        self.store = Store(folder / "examples.db", host=machine.host)
        initialise(self.store)
        self._writer = ShopWriter(self.store, now_us=NOW_US)
        self._tokens = {STATION: self._writer.station("saw-2")}
        self.period = self._grow()
        with self.store.write() as connection:
            self._tokens[PROGRAM] = accounts.add_token(connection, None, "supervise", NOW_US)
            self._tokens[ACCOUNTING] = accounts.add_token(connection, None, "account", NOW_US)
        self.app = create_app(HubConfig(db=str(self.store.path)), self.store)

    def _grow(self) -> int:
        """Write the shop; the position of the close of a period."""
        writer = self._writer
        writer.small_shop()
        self._enter("routing.define", writer.ago(days=40), routing="line", operations=[
            {"op": 10, "stage": "saw"}, {"op": 20, "stage": "deburr", "scrap_ppm": 20_000}, {"op": 30, "stage": "test"},
            {"op": 40, "stage": "pack"}])  # fmt: skip
        for number, line in enumerate(LINES, 4000):
            self._enter("account.map", 0, line=line, account=str(number))
        self._enter("account.map", 0, line="wip", account="1300")
        writer.release("WO-1", qty=40, at_us=writer.ago(days=9), customer="Acme", due="2026-12-04")
        writer.release("WO-2", product="tube", qty=25, at_us=writer.ago(days=8), due="2026-12-11")
        scan = writer.scan
        scan("WO-1", "saw", writer.ago(days=6), operator="kim")
        writer.settle()
        period = self._enter("period.close", writer.ago(days=5), why="end of the week")
        scan("WO-1", "deburr", writer.ago(days=4), operator="kim")
        scan("WO-1", "deburr", writer.ago(days=3), action="scrap", qty_milli=2_000, reason="burr")
        scan("WO-2", "saw", writer.ago(days=2))
        scan("4006381333931", "saw", writer.ago(days=1))
        scan("CALL", "saw", writer.ago(hours=3), action="call")
        self._enter("count.open", writer.ago(hours=2), count="C-1", stages=["deburr"], why="end of the month")
        scan("WO-1", "deburr", writer.ago(hours=1), action="count", qty_milli=37_000)
        self._enter("count.open", writer.ago(minutes=40), count="C-2", stages=["saw"], why="a look at the saw")
        scan("WO-2", "saw", writer.ago(minutes=30), action="count", qty_milli=24_000)
        self._enter("count.end", writer.ago(minutes=20), count="C-2", how="finished")
        writer.settle()
        return period

    def _enter(self, what: str, at_us: int | None = None, **data: Any) -> int:
        (place,) = record_entries(self.store, [Entry(what, data, "Kim", at_us)])
        self._writer.settle()
        return place.pos

    def answer(self, request: Request) -> Any:
        """The answer of the hub, as its client gets it."""
        headers = {} if request.by is None else {"Authorization": f"Bearer {self._tokens[request.by]}"}
        more = {} if request.body is None else {"json": request.body}
        return self.app.test_client().open(request.path, method=request.method, headers=headers, **more)

    def requests(self) -> Iterator[Request]:
        """A request for each operation, those that read first."""
        month = "from=2026-11-25T14:00:00Z&to=2026-11-30T13:00:00Z"
        for path, address in {
            "/healthz": "",
            "/api/v1/site": "",
            "/api/v1/stages?limit=2": "",
            "/api/v1/stations": "",
            "/api/v1/wip?by=stage": "",
            "/api/v1/wip/change?against=2026-11-25T14:00:00Z&as_of=2026-11-30T13:00:00Z": "",
            "/api/v1/value?by=component&across=stage": "",
            f"/api/v1/rollforward?{month}&by=stage": "",
            f"/api/v1/rollforward/expense?{month}": "",
            "/api/v1/obsolete?days=2": "",
            "/api/v1/orders?status=open": "",
            "/api/v1/items/WO-1": "/api/v1/items/{item}",
            "/api/v1/calls?open=1": "",
            "/api/v1/unknown-codes?limit=10": "",
            "/api/v1/counts": "",
            "/api/v1/counts/C-1": "/api/v1/counts/{count}",
            "/api/v1/count-accuracy": "",
            "/api/v1/periods": "",
            f"/api/v1/periods/{self.period}": "/api/v1/periods/{period}",
            f"/api/v1/journal?period={self.period}": "",
            "/api/v1/print/traveller/WO-1?paper=a4": "/api/v1/print/traveller/{order}",
            "/api/v1/print/kit/saw?paper=a4": "/api/v1/print/kit/{stage}",
            "/api/v1/print/label/item/WO-1?format=svg": "/api/v1/print/label/{kind}/{name}",
        }.items():
            yield Request(f"GET {address or path.partition('?')[0]}", path)
        yield Request("GET /api/v1/snapshot", "/api/v1/snapshot", by=STATION)
        yield Request("GET /api/v1/items/changes", "/api/v1/items/changes?after=0", by=STATION)
        yield from _writing()
        lines = self.app.test_client().get("/api/v1/counts/C-2").json["lines"]
        decided = {"how": "accepted", "lines": [line["booking"]["etag"] for line in lines if line["booking"]]}
        yield Request("POST /api/v1/counts/{count}/decisions", "/api/v1/counts/C-2/decisions", decided, ACCOUNTING)


def _writing() -> Iterator[Request]:
    event = {"v": 1, "kind": "scan", "station": "saw-2", "sw": "0.1.0", "boot": BOOT, "mono_ns": 5_000_000_000,
             "reader": {"kind": "keyboard", "id": "usb-05e0-1200-SN77"}, "scheme": "text", "stage": "saw",
             "raw": base64.b64encode(b"WO-2").decode()}  # fmt: skip
    encoded, first = json.dumps(event, separators=(",", ":")).encode(), genesis(bytes.fromhex(LOG))
    tip = link(first, encoded).hex()
    for path, body, by in (
        ("/api/v1/session", {"log": LOG, "tip_seq": 1, "tip_hash": tip, "boot": BOOT, "t1": 4_000_000_000}, STATION),
        (f"/api/v1/logs/{LOG}/events", {"from_seq": 1, "prev": first.hex(), "tip": tip,
                                        "events": [base64.b64encode(encoded).decode()]}, STATION),
        ("/api/v1/heartbeat", {"log": LOG, "tip_seq": 1, "waiting": 0, "clock": "synced", "wall_us": NOW_US,
                               "readers": [{"id": "usb-05e0-1200-SN77", "kind": "keyboard", "state": "ok"}],
                               "sw": "0.1.0", "disk_free": 10**9, "boot": BOOT, "aside": 0}, STATION),
        ("/api/v1/entries", {"what": "order.release", "holds_from_us": NOW_US,
                             "data": {"order": "WO-3", "product": "bracket", "qty_milli": 12_000}}, PROGRAM),
        ("/api/v1/print/kit", {"stage": "saw", "paper": "a4"}, PROGRAM),
        ("/api/v1/print/travellers", {"orders": ["WO-1"], "paper": "a4"}, PROGRAM),
        ("/api/v1/print/labels", {"kind": "item", "names": ["WO-1", "WO-2"], "format": "zpl", "sheet": "roll-50x30"},
         PROGRAM),
    ):  # fmt: skip
        yield Request(f"POST {path.replace(LOG, '{log_id}')}", path, body, by)


def examples(folder: Path) -> dict[str, dict[str, Any]]:
    """Each example by operation, with the answer of this tree; of a file that is answered None."""
    shop, found = ExampleShop(folder), dict[str, dict[str, Any]]()
    for request in shop.requests():
        answer = shop.answer(request)
        assert answer.status_code == 200, (request, answer.get_data(as_text=True))
        found[request.operation] = {
            "path": request.path,
            "body": request.body,
            "answer": answer.json if answer.is_json else None,
        }
    shop.store.close()
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        EXAMPLES.write_text(json.dumps(examples(Path(made)), indent=1, ensure_ascii=False) + "\n")
