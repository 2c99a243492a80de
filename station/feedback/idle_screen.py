"""Idle screen: operator, stage, armed cards, next items and the state of the hub, shown between scans."""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from itertools import islice

from station.core.protocol import OpenItem
from station.feedback.outputs.idle_state import IdleState
from station.rules.snapshot import StationDefinitions
from station.scan.bench_state import ArmedAction, BenchState
from station.status import StationStatus

MOST_NEXT = 3
HUB_TEXTS = {
    "none": "hub never reached",
    "never": "hub never reached",
    "ok": "hub ok",
    "away": "hub away",
    "refused": "hub refuses this station",
}


def idle_screen(
    status: StationStatus,
    shop: StationDefinitions,
    bench: BenchState | None,
    items: Iterable[OpenItem],
    now_s: float,
    stages: Sequence[str] = (),
) -> IdleState:
    """The content of the idle screen; `now_s` is Unix time, `stages` are those that STAGE cards select from."""
    pending = bench.pending if bench and bench.pending else ArmedAction()
    armed = " ".join(filter(None, (pending.short_words(shop), "MORE" if pending.more else "")))
    clock, notes = site_clock(shop.zone, shop.zone_missing, now_s)
    if not status.stage and stages:
        notes.append(f"scan a STAGE card: {', '.join(shop.stage(stage) for stage in stages)}")
    if not status.tip_seq or status.written_boot_ns - status.ready_boot_ns < 120 * 10**9:
        notes.append("restarted: sign in and scan cards again")
    if status.disk_level == "full":
        notes.append("the card is full: nothing is recorded until there is room")
    elif status.disk_level == "nearly full":
        notes.append(f"the card is nearly full: {status.disk_free_bytes // 2**20} MiB left")
    notes += [
        f"reader {reader.id}: {reader.state}"
        for reader in status.readers
        if reader.state in ("lost", "waiting", "refusing")
    ]
    return IdleState(
        station=status.station,
        stage=shop.stage(status.stage) if status.stage else "",
        operator=shop.person(status.operator) if status.operator else "",
        armed=armed,
        armed_reason=pending.reason_name(shop),
        armed_stays=pending.held,
        nexts=next_items(status.stage, shop, items),
        hub=HUB_TEXTS.get(status.hub.state, status.hub.state),
        waiting=status.waiting,
        clock=clock,
        notes=tuple(notes),
    )


def site_clock(zone: tzinfo | None, missing: str, now_s: float) -> tuple[str, list[str]]:
    """The time of day in the site's zone, and a note where it is the zone of this machine instead.

    `missing`: the zone of the site that this machine does not know. Without a zone from the hub, the machine's zone is all
    that is known, and there is no note.

    >>> from datetime import UTC
    >>> site_clock(UTC, "", 3600)
    ('01:00:00', [])
    """
    clock = datetime.fromtimestamp(now_s, zone).strftime("%H:%M:%S")
    return clock, [
        f"clock: {time.strftime('%Z', time.localtime(now_s))}, not {missing}: sudo apt-get install tzdata"
    ] if missing else []


def next_items(stage: str | None, shop: StationDefinitions, items: Iterable[OpenItem]) -> tuple[str, ...]:
    """The first items that wait at this stage, in the order of the hub's open items."""
    waits = (row for row in items if row.state == "waiting" and shop.stage_of(row.product, row.operation) == stage)
    return tuple(_next_item(row, shop) for row in islice(waits, MOST_NEXT))


def _next_item(row: OpenItem, shop: StationDefinitions) -> str:
    product = shop.product(row.product) if row.product else ""
    quantity = shop.quantity(row.qty_milli) if row.qty_milli else ""
    return f"{row.item}  {product}  {quantity}".rstrip()
