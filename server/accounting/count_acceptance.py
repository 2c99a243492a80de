"""Count acceptance: the entries `count.accept` about lines of a finished count, with the figures that the hub computes.

A line that is accepted books the difference that was found at the moment of its scan (`server.queries.count_bookings`). The
figures are computed in one snapshot; the transaction that writes the entries checks again that no line is decided already,
that no item waits for its refold, and that what is taken is there (`server.ledger.entry_checks`).
"""

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import Connection

from server.ledger.count_check import ACCEPT
from server.ledger.entries import Entry, EntryRefused
from server.projection.worker import projected_pos, recalculating
from server.queries.count_bookings import CountBooking, count_bookings
from server.queries.count_decisions import ACCEPTED, REJECTED, CountDecision, decisions_of, limit_micros
from server.queries.count_lines import CountLine, count_lines
from server.queries.counts import FINISHED, Count, count_named
from server.queries.current_master_data import master_data
from server.queries.price_list import entered_by
from server.queries.stage_balances import At
from station.core.master_data import MasterData


class DecidableCount(NamedTuple):
    """A count with its lines, its decisions, what accepting each other line books, and the limit in micros."""

    of: Count
    lines: list[CountLine]
    decided: dict[At, CountDecision]
    bookings: dict[At, CountBooking]
    limit: int | None

    def acceptable(self) -> list[CountBooking]:
        """The lines that one person may accept together: they can be booked, and are not above the limit."""
        return [one for one in self.bookings.values() if one.obstacle is None and not one.is_above(self.limit)]


class LineDecision(NamedTuple):
    """What a person decides about lines of a count, which their `etags` name; `by`: the person."""

    etags: Collection[str]
    how: str
    why: str
    by: str


def decidable(connection: Connection, count: Count, now_us: int) -> DecidableCount:
    """Read a count with its decisions. One that goes on or was cancelled has no line to decide."""
    lines, shop = count_lines(connection, count, now_us), master_data(connection)
    decided = {} if count.is_hidden else decisions_of(connection, count.name)
    bookings = count_bookings(connection, count, lines, decided, shop) if count.how == FINISHED else {}
    return DecidableCount(count, lines, decided, bookings, limit_micros(shop, now_us))


def decision_entries(connection: Connection, name: str, decision: LineDecision, now_us: int) -> list[Entry]:
    """The entries of a decision. Raises `EntryRefused` where a line changed, cannot be booked or needs another person."""
    count = count_named(connection, name)
    if count is None:
        raise _refused(came=f"count {name[:40]!r}", expected="a count that was opened", do="See /counts.", status=404)
    if count.how != FINISHED:
        do = "Finish the walk first." if count.ended_us is None else "A cancelled count books nothing."
        raise _refused(
            came=f"a decision about count {name}, which is {count.how}", expected="a finished count", do=do, status=409
        )
    if recalculating(connection):
        raise _refused(
            came=f"a decision about count {name}",
            expected="items that are up to date",
            do="Try again in a moment.",
            status=409,
        )
    if decision.how == REJECTED and not decision.why.strip():
        raise _refused(
            came="a rejection without a reason", expected="why the difference is not booked", do="Write the reason."
        )
    known = decidable(connection, count, now_us)
    chosen = _chosen(known, decision)
    if decision.how == ACCEPTED:
        _refuse_obstacles(chosen)
        _refuse_same_person(connection, known, chosen, decision.by, now_us)
    pos = projected_pos(connection)
    return [_entry(known, one, decision, pos) for one in chosen]


def _refused(came: str, expected: str, do: str, status: int = 400) -> EntryRefused:
    return EntryRefused(came, expected, do, status)


def _chosen(known: DecidableCount, decision: LineDecision) -> list[CountBooking]:
    by_etag = {one.etag: one for one in known.bookings.values()}
    if not decision.etags:
        raise _refused(came=f"no line of count {known.of.name}", expected="at least one line", do="Choose lines.")
    lost = [etag for etag in decision.etags if etag not in by_etag]
    if lost:
        came = f"{len(lost)} of {len(decision.etags)} lines of count {known.of.name} as they are no longer"
        raise _refused(came, "lines as they are now", "They were decided or changed. Look at the count again.", 409)
    return [by_etag[etag] for etag in dict.fromkeys(decision.etags)]


def _refuse_obstacles(chosen: list[CountBooking]) -> None:
    for one in chosen:
        if one.obstacle is not None:
            came = f"{one.line.item} at {one.line.stage}: {one.obstacle.why}"
            raise _refused(came, "a difference that can be booked", one.obstacle.do, 409)


def _refuse_same_person(
    connection: Connection, known: DecidableCount, chosen: list[CountBooking], by: str, now_us: int
) -> None:
    """Above the limit a person who counted, or who opened or finished the count, does not accept."""
    above = [one for one in chosen if one.is_above(known.limit)]
    if not above:
        return
    definitions = master_data(connection)
    people = {line.scan.operator for line in known.lines if line.scan is not None and line.scan.operator}
    names = {_plain(person) for person in people} | {_plain(_name(definitions, person, now_us)) for person in people}
    names |= {_plain(person) for person in _keepers(connection, known.of)}
    if _plain(by) in names:
        line = above[0].line
        came = f"{line.item} at {line.stage} above the limit, accepted by {by}, who counted, opened or finished it"
        raise _refused(came, "another person", "Ask another accountant to accept it.", 403)


def _keepers(connection: Connection, count: Count) -> list[str]:
    """The persons who opened and who ended a count."""
    ended = [] if count.ended_at is None else [count._replace(place=count.ended_at)]
    return list(entered_by(connection, [count, *ended]).values())


def _name(definitions: MasterData, person: str, at_us: int) -> str:
    defined = definitions.at("person.define", person, at_us)
    return str(defined.data.get("name") or person) if defined is not None else person


def _plain(person: str) -> str:
    """A person for comparison: a token writes `Kim (token office)`."""
    return person.partition(" (token ")[0].strip().casefold()


def _entry(known: DecidableCount, one: CountBooking, decision: LineDecision, pos: int) -> Entry:
    line, accepted = one.line, decision.how == ACCEPTED
    data = {"count": known.of.name, "item": line.item, "stage": line.stage, "how": decision.how}
    data |= {"why": decision.why} if decision.why else {}
    figures: dict[str, Any] = {
        "line": line.kind.value, "expected_milli": line.expected_milli, "counted_milli": line.counted_milli,
        "difference_milli": line.difference_milli, "value_micros": line.micros, "pos": pos,
        "booked": list(one.parts) if accepted else [],
    }  # fmt: skip
    if line.scan is not None:
        figures["scan"] = {"log": line.scan.place.log, "seq": line.scan.place.seq}
    if known.limit is not None:
        figures |= {"limit_micros": known.limit, "above": accepted and one.is_above(known.limit)}
    return Entry(ACCEPT, data, decision.by, figures=figures)
