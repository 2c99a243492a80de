"""Idle screen: operator, stage, armed cards, next items and the state of the hub, shown between scans."""

import time
from collections.abc import Iterable, Sequence
from itertools import islice

from station.core.protocol import OpenItem
from station.feedback.outputs.idle_state import IdleState
from station.rules.snapshot import StationDefinitions
from station.scan.bench_state import BenchState
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
    now: time.struct_time,
    stages: Sequence[str] = (),
) -> IdleState:
    """The content of the idle screen; `now` is local wall time, `stages` are those that STAGE cards select from."""
    armed = bench.pending.words(shop.quantity) if bench and bench.pending else ""
    held = bool(bench and bench.pending and bench.pending.held)
    notes = []
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
        armed=f"{armed} (held)" if held else armed,
        nexts=next_items(status.stage, shop, items),
        hub=HUB_TEXTS.get(status.hub.state, status.hub.state),
        waiting=status.waiting,
        clock=time.strftime("%H:%M:%S", now),
        notes=tuple(notes),
    )


def next_items(stage: str | None, shop: StationDefinitions, items: Iterable[OpenItem]) -> tuple[str, ...]:
    """The first items that wait at this stage, in the order of the hub's open items."""
    waits = (row for row in items if row.state == "waiting" and shop.stage_of(row.product, row.operation) == stage)
    return tuple(
        f"{row.item}  {row.product or ''}  {shop.quantity(row.qty_milli) if row.qty_milli else ''}".rstrip()
        for row in islice(waits, MOST_NEXT)
    )
