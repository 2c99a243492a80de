"""Replay: own scans that the hub's items do not include yet, read from the journal and applied to the rules.

At a start and with new definitions, so that the state of an item is the one that the hub will fold from these events.
"""

from collections.abc import Callable, Mapping, Sequence

from station.core.codes import Code, CodeBinding, Pattern, apply_binding, read_code, read_tag_code
from station.core.codes.tag_numbers import TAG_READERS
from station.core.event import Event, EventError, decode
from station.journal.records import StoredEvent
from station.log import say
from station.rules.interface import RuleContext

MOST_REPLAYED = 10_000  # newest events of the log; the start of a station must not wait for those of weeks offline


def replay(
    context: RuleContext, events_after: Callable[[int], list[StoredEvent]], after: int, log: str, tip: int = 0
) -> int:
    """Apply the own scans after a sequence number; returns the last one that was read.

    `events_after`: the next events of the journal behind a sequence number, none at its end. `log`: its id in hex.
    `tip`: its last event; of more than MOST_REPLAYED before it only the newest are applied.
    """
    after = max(after, tip - MOST_REPLAYED)
    while events := events_after(after):
        for stored in events:
            after = stored.seq
            try:
                event = decode(stored.encoded)
                if event.kind == "scan":
                    _apply(context, event, stored.seq, log)
            except EventError:
                continue
            except Exception as error:  # noqa: BLE001 - a fault of the rules in one scan must not cost the others
                say("the rules failed for a recorded scan", error=repr(error), seq=stored.seq)
    return after


def _apply(context: RuleContext, event: Event, seq: int, log: str) -> None:
    if event.action == "void":
        if event.ref is not None and event.ref.log == log:
            context.engine.void(event.ref.seq, seq)
        return
    code = recorded_code(event, context.patterns, context.bound)
    if code is not None and code.is_counted:
        context.engine.judge(code, event, seq)


def recorded_code(event: Event, patterns: Sequence[Pattern], bound: Mapping[str, CodeBinding]) -> Code | None:
    """The code of a recorded scan, by the patterns and bindings that are valid now; None for an event without one."""
    if event.raw is None:
        return None
    if event.reader is not None and event.reader.kind in TAG_READERS:
        # A tag's event holds its number or one of its texts; a number is tried first.
        code = apply_binding(read_tag_code(event.raw, patterns), bound)
        if code.item is not None:
            return code
    return apply_binding(read_code(event.raw, event.sym, patterns), bound)
