"""The value and its roll-forward: CPU time with a long past behind little open work."""

from collections.abc import Iterator
from pathlib import Path

from bench_known import DAYS, EVENTS, LATE, LONG_EVENTS, cpu_ms, grown
from figure import Figure, bound
from traffic import hub

from server.queries.as_known_at import past_stock
from server.queries.roll_forward import Period, RollBy, roll_forward
from server.queries.value_slices import ValueBy, leaves, value_slices

DAY_US = 86_400_000_000


def figures(folder: Path, long: bool) -> Iterator[Figure]:
    """CPU time of the value by component, and of roll-forwards by component: of a day, of all days, with late events."""
    events = LONG_EVENTS if long else EVENTS
    store, told = hub(folder / "value.db")
    middle_pos, middle_us = grown(told, events)
    last_pos, now_us = told.projector.pos, told.now_us

    def value() -> object:
        with store.read() as connection:
            valuation, stock = past_stock(connection, None, None, now_us)
            return value_slices(leaves(stock, valuation), ValueBy.COMPONENT, ValueBy.STAGE, valuation)

    def rolled(from_us: int, known: int) -> object:
        with store.read() as connection:
            return roll_forward(connection, Period(from_us, now_us, now_us, known, last_pos), RollBy.COMPONENT)

    note = "" if long else "1,000,000 events with --long"
    at = f"at {events:,} events"
    yield bound(f"value {at}", cpu_ms(value), "CPU ms", at_most=100, note=note)
    day_us, whole_us = now_us - DAY_US, told.ago(days=DAYS + 1)
    yield bound(
        f"roll-forward of a day {at}", cpu_ms(lambda: rolled(day_us, last_pos)), "CPU ms", at_most=100, note=note
    )
    all_days = f"roll-forward of {DAYS} days {at}"
    yield bound(all_days, cpu_ms(lambda: rolled(whole_us, last_pos)), "CPU ms", at_most=events / 50, note=note)
    late = f"roll-forward with {LATE:,} late events {at}"
    yield bound(late, cpu_ms(lambda: rolled(middle_us, middle_pos)), "CPU ms", at_most=500 + events / 50, note=note)
    store.close()
