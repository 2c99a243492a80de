"""Master data sync: fetch the shop's definitions and open items from the hub and store them in the journal.

The rules use them, so they also work offline. The sync thread fetches them. The recording thread stores them, in portions so
small that no scan waits noticeably.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from station import log
from station.core.codes import CodeBinding, Pattern, apply_binding, read_code, read_tag_code
from station.core.codes.tag_numbers import TAG_READERS
from station.core.event import Event, EventError, decode
from station.core.protocol import Epoch, OpenItem
from station.journal import Journal, JournalFull, JournalReader
from station.rules.interface import RuleContext
from station.rules.snapshot import log_refused, read_shop, rule_context, update_rules
from station.scan.pipeline import ScanPipeline
from station.scan.work_queue import WorkQueue
from station.shop_state import ShopState
from station.sync.client import HubClient

ROWS_A_CHORE = 500
OPEN_STATES = frozenset({"released", "waiting", "here", "held"})
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class MasterDataTarget:
    """The parts of the station that new master data goes to.

    `queue` runs chores in the recording thread, the only one that may write to `journal` or use `pipeline`. `changed` wakes
    the daemon's main thread.
    """

    journal: Journal
    queue: WorkQueue[Any]
    pipeline: ScanPipeline
    shop: ShopState
    changed: Callable[[], None]

    def run_chore(self, work: Callable[[], Result]) -> Result:
        """Run this in the recording thread while no scan waits; returns its result. Raises what it raises."""
        return self.queue.submit(work).wait()


def apply_snapshot(
    target: MasterDataTarget, hub: HubClient, reader: JournalReader, version: str | None
) -> Epoch | None:
    """Fetch the definitions unless they are those of `version`, store and use them; returns the hub's epoch.

    Definitions that this version cannot read change nothing: the previous ones stay in use until the hub has others.
    """
    fresh, body, place = hub.snapshot(version)
    if fresh is None:
        return place.epoch
    items = reader.items()
    try:
        # Built in the sync thread: it may take long, and the recording thread must not wait for it.
        snapshot, rules = read_shop(body), rule_context(body, items.rows, complete=items.complete)
    except Exception as error:  # noqa: BLE001 - heartbeats and open items continue, whatever the hub sent
        log.say("the hub's definitions cannot be read; those before are used", version=fresh, why=repr(error))
        return place.epoch

    def use() -> None:
        target.journal.save_snapshot(fresh, body)
        target.pipeline.use_rules(rules)
        target.shop.use_snapshot(snapshot)

    target.run_chore(use)
    log_refused(snapshot, log.say)
    target.changed()
    return place.epoch


def apply_items(target: MasterDataTarget, hub: HubClient, reader: JournalReader) -> Epoch | None:
    """Fetch the open items that changed since the last time, store and use them; returns the hub's epoch."""
    cursor = reader.items().cursor
    answer = hub.items(cursor)
    afresh = answer.reset or not cursor
    starts = range(0, max(len(answer.items), 1), ROWS_A_CHORE)
    for start in starts:
        part = answer.items[start : start + ROWS_A_CHORE]
        # The cursor moves with the last part: after a power cut before it, all parts are fetched again.
        next_cursor = answer.cursor if start == starts[-1] else ""
        unsent = items_on_the_way(reader, target.pipeline.rules)
        if not _store(target, part, next_cursor, unsent, complete=answer.complete, afresh=afresh and start == 0):
            return answer.epoch  # the disk is full: the cursor stays, and all parts are fetched again
    if answer.items:
        target.shop.use_items(reader.items().rows)
        target.changed()
    return answer.epoch


def items_on_the_way(reader: JournalReader, rules: RuleContext) -> frozenset[str]:
    """The items of scans that the hub has not accepted yet: for these the station's state is newer than the hub's."""
    mark = reader.mark()
    items = set()
    for stored in reader.events(after=mark.accepted_thru if mark else 0):
        try:
            event = decode(stored.encoded)
        except EventError:
            continue
        if event.kind == "scan" and event.raw is not None:
            items.add(_item(event, event.raw, rules.patterns, rules.bound))
    return frozenset(item for item in items if item is not None)


def _item(event: Event, raw: bytes, patterns: Sequence[Pattern], bound: Mapping[str, CodeBinding]) -> str | None:
    if event.reader is not None and event.reader.kind in TAG_READERS:
        # A tag's event holds its number or one of its texts; a number is tried first.
        item = apply_binding(read_tag_code(raw, patterns), bound).item
        if item is not None:
            return item
    return apply_binding(read_code(raw, event.sym, patterns), bound).item


def _store(
    target: MasterDataTarget,
    part: Sequence[OpenItem],
    cursor: str,
    unsent: frozenset[str],
    *,
    complete: bool,
    afresh: bool,
) -> bool:
    """Store a part of the open items and use it; False where the disk is full."""
    rows = [row for row in part if row.state in OPEN_STATES]

    def use() -> None:
        named = [row.item for row in part]
        target.journal.save_items(named, rows, cursor, complete=complete, afresh=afresh)
        update_rules(target.pipeline.rules, [row for row in part if row.item not in unsent], complete=complete)

    try:
        target.run_chore(use)
    except JournalFull:
        return False
    return True
