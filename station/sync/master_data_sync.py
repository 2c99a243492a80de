"""Learning from the hub: the shop's definitions and its open items, kept in the journal so that rules hold offline.

Both are fetched by the link's thread and written by the recording thread, in portions small enough that no scan waits.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from station import log
from station.core.codes import CodeBinding, Pattern, apply_binding, read_code, read_tag_code
from station.core.codes.tag_numbers import TAG_READERS
from station.core.event import Event, EventError, decode
from station.core.protocol import Epoch, OpenItem
from station.journal import Journal, JournalFull, JournalReader
from station.rules.snapshot import ShopSnapshot, log_refused, read_shop, rule_context, update_rules
from station.scan.pipeline import RuleContext, ScanPipeline
from station.scan.work_queue import WorkQueue
from station.sync.client import HubClient

ROWS_A_CHORE = 500
OPEN_STATES = frozenset({"released", "waiting", "here", "held"})
Result = TypeVar("Result")


class MasterDataTarget(Protocol):
    """What learning needs of the station."""

    journal: Journal
    inbox: WorkQueue[Any]
    scan: ScanPipeline
    shop: ShopSnapshot
    items: list[OpenItem]
    changed: threading.Event


def run_chore(station: MasterDataTarget, work: Callable[[], Result]) -> Result:
    """Have the recording thread do this when no scan waits; its result."""
    return station.inbox.ask(work).wait()


def apply_snapshot(
    station: MasterDataTarget, hub: HubClient, reader: JournalReader, version: str | None
) -> Epoch | None:
    """Fetch the definitions where they are not those of `version`, keep them and judge by them; the hub's epoch.

    Those that this version cannot read change nothing: the ones before are used until the hub has others.
    """
    fresh, body, place = hub.snapshot(version)
    if fresh is None:
        return place.epoch
    items = reader.items()
    try:
        shop, rules = (
            read_shop(body),
            rule_context(body, items.rows, complete=items.complete),
        )  # made here: it may take a while
    except Exception as error:  # noqa: BLE001 - whatever a hub sends, heartbeats and open items go on
        log.say("the hub's definitions cannot be read; those before are used", version=fresh, why=repr(error))
        return place.epoch

    def use() -> None:
        station.journal.save_snapshot(fresh, body)
        station.scan.known, station.shop = rules, shop

    run_chore(station, use)
    log_refused(shop, log.say)
    station.changed.set()
    return place.epoch


def apply_items(station: MasterDataTarget, hub: HubClient, reader: JournalReader) -> Epoch | None:
    """Fetch the open items that changed since the last time, keep them and judge by them; the hub's epoch."""
    cursor = reader.items().cursor
    answer = hub.items(cursor)
    afresh = answer.reset or not cursor
    starts = range(0, max(len(answer.items), 1), ROWS_A_CHORE)
    for start in starts:
        part = answer.items[start : start + ROWS_A_CHORE]
        # The cursor moves with the last part: a power cut in between fetches all of them again.
        reached = answer.cursor if start == starts[-1] else ""
        ours = items_on_the_way(reader, station.scan.known)
        if not _keep(station, part, reached, ours, complete=answer.complete, afresh=afresh and start == 0):
            return answer.epoch  # the disk is full: the cursor stays, and all of them are fetched again
    if answer.items:
        station.items = reader.items().rows
        station.changed.set()
    return answer.epoch


def items_on_the_way(reader: JournalReader, shop: RuleContext) -> frozenset[str]:
    """The items of scans that the hub has not taken yet: of these this station knows more than the hub."""
    mark = reader.mark()
    items = set()
    for stored in reader.events(after=mark.accepted_thru if mark else 0):
        try:
            event = decode(stored.encoded)
        except EventError:
            continue
        if event.kind == "scan" and event.raw is not None:
            items.add(_item(event, event.raw, shop.patterns, shop.bound))
    return frozenset(item for item in items if item is not None)


def _item(event: Event, raw: bytes, patterns: Sequence[Pattern], bound: Mapping[str, CodeBinding]) -> str | None:
    if event.reader is not None and event.reader.kind in TAG_READERS:
        # The number, where the reader told more of the tag.
        item = apply_binding(read_tag_code(raw, patterns), bound).item
        if item is not None:
            return item
    return apply_binding(read_code(raw, event.sym, patterns), bound).item


def _keep(
    station: MasterDataTarget,
    part: Sequence[OpenItem],
    cursor: str,
    ours: frozenset[str],
    *,
    complete: bool,
    afresh: bool,
) -> bool:
    """Keep a part of the open items and judge by it; False where the disk is full."""
    rows = [row for row in part if row.state in OPEN_STATES]

    def use() -> None:
        named = [row.item for row in part]
        station.journal.save_items(named, rows, cursor, complete=complete, afresh=afresh)
        update_rules(station.scan.known, [row for row in part if row.item not in ours], complete=complete)

    try:
        run_chore(station, use)
    except JournalFull:
        return False
    return True
