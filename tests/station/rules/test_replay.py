"""After a restart the station knows its own scans that the hub's items do not include yet."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from station.core.codes import read_code
from station.core.event import Event, LogPosition, encode
from station.core.protocol import OpenItem
from station.journal import Journal
from station.rules.engine import ShopRules
from station.rules.snapshot import stored_shop
from station.rules.station_items import MOST_OWN
from station.sync.master_data_sync import ROWS_A_CHORE, item_parts
from tests.station.fixtures.journals import open_journal

LINE = [{"op": 10 * number, "stage": stage} for number, stage in enumerate(("saw", "weld", "test", "pack"), start=1)]
SHOP = msgspec.json.encode(
    {
        "definitions": [
            {"what": "routing.define", "data": {"routing": "line", "operations": LINE}},
            {"what": "product.define", "data": {"product": "bracket", "routing": "line"}},
            *({"what": "stage.define", "data": {"stage": line["stage"]}} for line in LINE),
        ]
    }
)


def a_row(item: str = "WO-1", thru: int = 0, **fields: Any) -> OpenItem:
    """An order of 40 that was released and not started."""
    given = {"product": "bracket", "state": "released", "qty_milli": 40_000, "routing": "line", "released": True}
    return OpenItem(item, thru=thru, **(given | {"since_us": 1, "outer": {"ordered": -40_000}} | fields))


def scan(journal: Journal, stage: str, item: str = "WO-1", **fields: Any) -> int:
    """Record a scan as the station does; its sequence number."""
    event = Event(
        kind="scan", station="saw-1", sw="t", boot="b", mono_ns=1, raw=item.encode(), scheme="text", code=item,
        stage=stage, **fields,
    )  # fmt: skip
    return journal.commit(encode(event)).seq


def undo(journal: Journal, seq: int) -> int:
    """Record an UNDO of a scan."""
    event = Event(
        kind="scan", station="saw-1", sw="t", boot="b", mono_ns=1, raw=b"WIP:UNDO", scheme="command", stage="saw",
        action="void", ref=LogPosition(journal.log_id.hex(), seq),
    )  # fmt: skip
    return journal.commit(encode(event)).seq


def places(journal: Journal, item: str = "WO-1") -> dict[str, int | None]:
    """Where the item is for a station that starts now."""
    _, context = stored_shop(journal, lambda *_, **__: None)
    assert isinstance(context.engine, ShopRules)
    return {parcel.stage or parcel.state: parcel.qty_milli for parcel in context.engine.items.state(item).parcels}


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    """A journal with the shop's definitions."""
    with open_journal(tmp_path) as opened:
        opened.save_snapshot("v1", SHOP)
        yield opened


def test_own_scans_behind_the_hubs_items_are_applied_at_a_start(journal: Journal) -> None:
    before = scan(journal, "saw")
    journal.save_items(["WO-1"], [a_row(thru=before, state="here", operation=10, stage="saw")], "1:1", thru=before)
    assert places(journal) == {"saw": 40_000}
    scan(journal, "weld", qty_milli=10_000)
    assert places(journal) == {"saw": 30_000, "weld": 10_000}
    scan(journal, "weld", item="WO-2")
    assert places(journal, "WO-2") == {"weld": None}


def test_a_row_that_is_newer_than_the_others_has_its_own_place_in_the_log(journal: Journal) -> None:
    journal.save_items(["WO-1", "WO-2"], [a_row(), a_row("WO-2")], "1:1", thru=journal.tip.seq)
    scan(journal, "saw")
    newest = scan(journal, "saw", item="WO-2")
    moved = a_row(thru=newest, state="here", operation=10, stage="saw", entered=10, scanned=[10])
    journal.save_items(["WO-1"], [moved], "", thru=newest)  # the power failed before the last portion
    assert places(journal) == {"saw": 40_000}
    assert places(journal, "WO-2") == {"saw": 40_000}


def test_a_scan_that_was_taken_back_is_not_applied(journal: Journal) -> None:
    journal.save_items(["WO-1"], [a_row()], "1:1", thru=journal.tip.seq)
    wrong = scan(journal, "test")
    scan(journal, "saw", qty_milli=5_000)
    undo(journal, wrong)
    assert places(journal) == {"released": 35_000, "saw": 5_000}


def test_an_order_that_was_released_without_a_routing_has_none_here(journal: Journal) -> None:
    journal.save_items(["WO-1"], [a_row(routing=None)], "1:1", thru=journal.tip.seq)
    scan(journal, "pack")
    assert places(journal) == {"pack": 40_000}


def test_an_item_is_never_divided_between_two_portions() -> None:
    rows = [OpenItem(f"WO-{number // 3}") for number in range(3 * ROWS_A_CHORE)]
    parts = list(item_parts(rows))
    assert [row for part in parts for row in part] == rows
    assert all(len(part) < ROWS_A_CHORE + 3 for part in parts)
    names = [{row.item for row in part} for part in parts]
    assert all(not (first & second) for first, second in pairwise(names))
    assert list(item_parts([])) == [[]]


def test_the_memory_of_own_scans_is_bounded_and_loses_no_scan() -> None:
    rules = ShopRules()
    rules.know([a_row(operations=None)], complete=True)
    code = read_code(b"WO-1", None, ())
    for seq in range(1, MOST_OWN + 50):
        event = Event(kind="scan", station="saw-1", sw="t", stage="saw", qty_milli=1_000, action="scrap")
        rules.judge(code, event, seq)
        if seq % 997 == 0:
            rules.void(seq, seq + 1_000_000)
    taken_back = (MOST_OWN + 49) // 997
    scrapped = sum(parcel.qty_milli or 0 for parcel in rules.items.state("WO-1").parcels if parcel.state == "scrapped")
    assert scrapped == (MOST_OWN + 49 - taken_back) * 1_000
