"""The shop's codes from the folder to the ledger: import, snapshot, a scan at a real station, its event, the hub's fold."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running_hub import RunningHub

from station.core.event import Event, decode
from station.journal import JournalReader
from tests.station.fixtures.station_process import Daemon

DEMO = Path(__file__).parents[3] / "config" / "demo"


class Shop:
    """A hub with the demo's shop, and a station at its saw."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hub = RunningHub(folder / "hub.db")
        self.hub.command("import", str(DEMO))
        self.station = Daemon(folder)
        self._office = ""

    def open(self) -> None:
        """Start the hub; the station is started by a test, once everything is bound."""
        self.hub.start().ready()
        (self.folder / "token").write_text(self.hub.command("station", "add", "saw-1").stdout)
        self._office = self.hub.command("token", "add", "office", "--role", "supervise").stdout.strip()
        self.station = Daemon(self.folder, f'[hub]\nurl = "{self.hub.url}"\ntoken_file = "{self.folder}/token"\n')

    def bind(self, code: str, as_: str, to: str | None) -> None:
        """Bind a code at the API."""
        data = {"code": code, "as": as_} | ({"to": to} if to else {})
        asked = urllib.request.Request(  # noqa: S310  loopback
            f"{self.hub.url}/api/v1/entries",
            json.dumps({"what": "code.bind", "data": data}).encode(),
            {"Authorization": f"Bearer {self._office}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310  loopback
            assert answer.status == 200

    def codes(self) -> dict[str, str]:
        """The kind of each bound code in the station's own snapshot."""
        with_snapshot = JournalReader(self.station.folder / "journal.db")
        try:
            snapshot = with_snapshot.snapshot()
        finally:
            with_snapshot.close()
        return {each["code"]: each["as"] for each in json.loads(snapshot[1])["codes"]} if snapshot else {}

    def scan(self, text: str) -> dict[str, Any]:
        """One scan; its answer."""
        before = len(self.station.answers())
        self.station.scan(text)
        return self.station.answered(before + 1)[-1]

    def events(self) -> list[Event]:
        """The scans that the station recorded."""
        reader = JournalReader(self.station.folder / "journal.db")
        try:
            events = [decode(each.encoded) for each in reader.events(after=0)]
        finally:
            reader.close()
        return [each for each in events if each.kind == "scan"]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """The shop, running."""
    made = Shop(tmp_path)
    try:
        made.open()
        yield made
    finally:
        made.station.end()
        made.hub.stop()


def test_the_codes_of_the_demo_act_at_the_bench_and_in_the_ledger(shop: Shop) -> None:
    shop.bind("0012345678", "badge", "K7")
    shop.bind("OLD-CARD", "item", "WO-1001")
    shop.bind("TOTE-7", "carrier", "TOTE-7")
    shop.station.start()
    shop.station.until(lambda: len(shop.codes()) == 5)

    answers = [shop.scan(text) for text in ("0012345678", "NEXT-IS-SCRAP", "OLD-CARD", "BRACKET-BIN", "TOTE-7")]
    assert [(each["state"], each["why"]) for each in answers] == [
        ("green", "card"), ("green", "card"), ("amber", "ask"), ("amber", "look"), ("amber", "look"),
    ]  # fmt: skip
    assert "A. Kim" in answers[0]["text"] or "K7" in answers[0]["text"]
    assert answers[1]["text"] == "SCRAP: scan the sheet"
    assert "WO-1001 SCRAP" in answers[2]["text"]
    assert "not counted yet: BRK-20 is a product" in answers[3]["text"]
    events = shop.events()
    assert [(each.scheme, each.action, each.operator) for each in events] == [
        ("badge", None, "K7"), ("command", None, "K7"), ("text", "scrap", "K7"), ("own", None, "K7"), ("own", None, "K7"),
    ]  # fmt: skip

    def scrapped() -> str | None:
        return shop.hub.get("/api/v1/items/WO-1001").get("accounts", {}).get("scrapped@20")

    shop.station.until(lambda: scrapped() == "1")
    for code in ("0012345678", "NEXT-IS-SCRAP", "BRACKET-BIN", "TOTE-7", "BRK-20"):
        assert "error" in shop.hub.get(f"/api/v1/items/{code}"), code  # none of them became an item

    shop.bind("NEXT-IS-SCRAP", "command", None)
    shop.station.until(lambda: len(shop.codes()) == 4)
    assert shop.scan("NEXT-IS-SCRAP")["state"] == "amber"  # not known here
    shop.station.until(lambda: "error" not in shop.hub.get("/api/v1/items/NEXT-IS-SCRAP"))


def test_a_card_that_no_bench_has_is_refused_where_it_is_bound(shop: Shop) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        shop.bind("X", "command", "WIP:NOTHING")
    with refused.value as answer:
        assert json.load(answer)["error"]["came"] == "code.bind to 'WIP:NOTHING': no such card"
