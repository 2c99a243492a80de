"""Flow oracle: the rows that flow must have, computed from the rows of moves one by one, without the code of the product."""

import json
from collections import Counter
from datetime import date
from typing import Any

from sqlalchemy import Connection, select

from server.projection.tables import definition, flow_day, flow_duration, folded_rows, item, move
from station.core.ledger.duration_buckets import bucket_of
from station.core.master_data import Definition
from station.core.site import SiteDays, site_history

OF_CLASS = (
    "from_state", "from_operation", "from_stage", "to_state", "to_operation", "to_stage", "entered", "reached", "scanned",
    "reason",
)  # fmt: skip


def want(connection: Connection) -> tuple[dict[Any, list[Any]], dict[Any, int]]:
    """The rows of `flow_day` and of `flow_duration` by their day and class as texts."""
    days = _site(connection)
    sums: dict[Any, list[Any]] = {}
    buckets: Counter[Any] = Counter()
    heads = {row.item: (row.routing, row.released_us) for row in connection.execute(select(item))}
    for row in connection.execute(select(move)):
        source = (row.from_state, row.from_operation, row.from_stage)
        target = (row.to_state, row.to_operation, row.to_stage)
        if source == target:
            continue
        routing, released_us = heads[row.item]
        day = (days.day_of(row.at_us) - date(1970, 1, 1)).days
        key = (day, row.product, routing, *(getattr(row, name) for name in OF_CLASS))
        found = _durations(row, released_us)
        of_day = sums.setdefault(key, [0, 0, None, None, None, None, None])
        of_day[0] += row.qty_milli or 0
        of_day[1] += 1
        for measure, long_us in found.items():
            of_day[2 + measure] = (of_day[2 + measure] or 0) + long_us
            buckets[(*key, measure, bucket_of(long_us))] += 1
    return sums, dict(buckets)


def have(connection: Connection) -> tuple[dict[Any, list[Any]], dict[Any, int]]:
    """The same of the stored rows."""
    sums: dict[Any, list[Any]] = {}
    for row in connection.execute(folded_rows(flow_day)):
        assert (row[0], *row[8:]) not in sums
        sums[(row[0], *row[8:])] = list(row[1:8])
    buckets: dict[Any, int] = {}
    for day, measure, bucket, count, *of_class in connection.execute(folded_rows(flow_duration)):
        assert (day, *of_class, measure, bucket) not in buckets
        buckets[(day, *of_class, measure, bucket)] = count
    return sums, buckets


def _durations(row: Any, released_us: int | None) -> dict[int, int]:
    """By the number of the measure: 0 stage, 1 queue, 2 run, 3 throughput, 4 lead."""
    spans: dict[int, tuple[int | None, int | None]] = {}
    moved = (row.from_operation, row.from_stage) != (row.to_operation, row.to_stage)
    ended = row.to_state in ("finished", "scrapped")
    stays = row.to_state in ("released", "waiting", "here", "held") or ended
    if row.from_state in ("waiting", "here", "held") and row.from_stage and (moved or ended) and stays:
        spans[0] = (row.at_stage_since_us, row.at_us)
        spans[1] = (row.at_stage_since_us, row.run_since_us)
        spans[2] = (row.run_since_us, row.at_us)
    if row.to_state == "finished" != row.from_state:
        spans[3] = (row.started_us, row.at_us)
        spans[4] = (released_us, row.at_us)
    found: dict[int, int] = {}
    for measure, (begin_us, end_us) in spans.items():
        if not row.restated and begin_us is not None and end_us is not None and begin_us < end_us:
            found[measure] = end_us - begin_us
    return found


def _site(connection: Connection) -> SiteDays:
    rows = connection.execute(select(definition).where(definition.c.what == "site.define"))
    entries = [
        Definition(row.what, row.holds_from_us, (row.key_us, row.log_id.hex(), row.seq), json.loads(row.data))
        for row in rows
    ]
    return SiteDays(site_history(entries))
