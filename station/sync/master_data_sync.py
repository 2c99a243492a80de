"""Master data sync: fetch the shop's definitions and open items from the hub and store them in the journal.

The rules use them, so they also work offline. The sync thread fetches them. The recording thread stores them, in portions so
small that no scan waits noticeably.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from station import log
from station.core.protocol import Epoch, OpenItem
from station.journal import Journal, JournalFull, JournalReader
from station.rules.replay import replay
from station.rules.snapshot import log_refused, read_shop, rule_context, update_rules
from station.scan.pipeline import ScanPipeline
from station.scan.work_queue import WorkQueue
from station.shop_state import ShopState
from station.sync.client import BAD_REQUEST, HubClient, HubError

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
        log_id = reader.log_id.hex()
        replayed = replay(rules, reader.events_after, items.thru, log_id, reader.tip.seq)
    except Exception as error:  # noqa: BLE001 - heartbeats and open items continue, whatever the hub sent
        log.say("the hub's definitions cannot be read; those before are used", version=fresh, why=repr(error))
        return place.epoch

    def use() -> None:
        replay(rules, target.journal.events_after, replayed, log_id)  # what was recorded meanwhile
        target.journal.save_snapshot(fresh, body)
        target.pipeline.use_rules(rules)
        target.shop.use_snapshot(snapshot)

    target.run_chore(use)
    log_refused(snapshot, log.say)
    target.changed()
    return place.epoch


def apply_items(target: MasterDataTarget, hub: HubClient, reader: JournalReader) -> Epoch | None:
    """Fetch the items that changed since the last time, store and use them; returns the hub's epoch."""
    cursor, log = reader.items_cursor(), reader.log_id
    try:
        answer = hub.items(cursor, log.hex())
    except HubError as error:
        if error.status != BAD_REQUEST or not cursor:
            raise
        cursor = ""  # it is of no use to this hub: fetch all
        answer = hub.items(cursor, log.hex())
    mark = reader.mark()
    # A hub of an earlier version does not say what it includes: what it has accepted is soon included.
    thru = answer.thru if answer.thru is not None else mark.accepted_thru if mark else 0
    afresh = answer.reset or not cursor
    parts = list(item_parts([msgspec.structs.replace(row, thru=thru) for row in answer.items]))
    for number, part in enumerate(parts, start=1):
        # The cursor moves with the last part: after a power cut before it, all parts are fetched again.
        last, first = number == len(parts), afresh and number == 1
        next_cursor = answer.cursor if last else ""
        if not _store(target, part, next_cursor, thru, complete=answer.complete and last, afresh=first):
            return answer.epoch  # the disk is full: the cursor stays, and all parts are fetched again
    if answer.items:
        target.shop.use_items([row for row in reader.items().rows if row.state in OPEN_STATES])
        target.changed()
    return answer.epoch


def item_parts(rows: Sequence[OpenItem]) -> Iterator[Sequence[OpenItem]]:
    """The rows in portions of about ROWS_A_CHORE, without dividing an item; one empty portion for no rows."""
    start = 0
    while start == 0 or start < len(rows):
        end = min(start + ROWS_A_CHORE, len(rows))
        while 0 < end < len(rows) and rows[end].item == rows[end - 1].item:
            end += 1
        yield rows[start:end]
        start = max(end, 1)


def _store(
    target: MasterDataTarget, part: Sequence[OpenItem], cursor: str, thru: int, *, complete: bool, afresh: bool
) -> bool:
    """Store a part of the items and use it; False where the disk is full."""

    def use() -> None:
        named = list(dict.fromkeys(row.item for row in part))
        target.journal.save_items(named, part, cursor, complete=complete, afresh=afresh, thru=thru)
        update_rules(target.pipeline.rules, part, complete=complete, afresh=afresh)

    try:
        target.run_chore(use)
    except JournalFull:
        return False
    return True
