"""Rate limit of sign-ins: each attempt is counted before its password is compared, and failed attempts delay the next one.

There are three counters: the address, the account, and the pair of both. After three attempts a counter requires a pause of
2 s, then 4 s, up to a minute. A right password clears the counter of its pair and removes its own attempt from the other
two, so the owner of one account cannot clear the count of guesses at others. The account's counter applies only to
addresses that have failed at that account, so an attacker cannot lock a person out at another address.

Attempts for one account run one after another: parallel attempts would all be admitted by the same count.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, select

from server.auth.accounts import person_named
from server.db import schema

FREE_TRIES = 3
MAX_WAIT_S = 60
# A counter is deleted after this time without a failure. Waiting for it gives an attacker fewer attempts than not waiting.
FORGET_US = 30 * 60 * 1_000_000
TURN_WAIT_S = 5.0  # longest wait for the turn of an account; one hash takes a tenth of a second
MOST_TRIES = 10  # attempts at a time for all accounts; each occupies a thread


@dataclass(frozen=True, slots=True)
class CountedAttempt:
    """An admitted attempt. `rows`: counter, its `next_us` before (None: a new row), and the `next_us` that it set."""

    rows: tuple[tuple[str, int | None, int], ...]
    pair: str


class SignInLimiter:
    """Serialises attempts for each account, and bounds the number of running and waiting attempts of all accounts."""

    def __init__(self, wait_s: float = TURN_WAIT_S, most: int = MOST_TRIES) -> None:
        self._wait_s = wait_s
        self._most = most
        self._changed = threading.Condition()
        self._active: set[str] = set()
        self._waiting = 0

    @contextmanager
    def turn(self, name: str) -> Iterator[bool]:
        """Wait for the turn of an account; yields whether it came in time. The turn ends with the block."""
        acquired = self._acquire(name)
        try:
            yield acquired
        finally:
            if acquired:
                with self._changed:
                    self._active.discard(name)
                    self._changed.notify_all()

    def _acquire(self, name: str) -> bool:
        with self._changed:
            if len(self._active) + self._waiting >= self._most:
                return False
            if name in self._active:
                self._waiting += 1
                try:
                    if not self._changed.wait_for(lambda: name not in self._active, self._wait_s):
                        return False
                finally:
                    self._waiting -= 1
            self._active.add(name)
            return True


def wait_s(connection: Connection, name: str, address: str, now_us: int) -> int:
    """Seconds until the next attempt for this account from this address is admitted; 0: at once."""
    account, place, pair = keys(name, address)
    rows = _rows(connection, (account, place, pair))
    applicable = [place, pair, *([account] if pair in rows else [])]
    waits: list[int] = [rows[who].next_us - now_us for who in applicable if who in rows]
    return max([0, *(-(-wait // 1_000_000) for wait in waits)])


def count(connection: Connection, name: str, address: str, now_us: int) -> CountedAttempt:
    """Count an attempt as failed before its password is compared. `forgive` removes it again."""
    table = schema.attempt
    connection.execute(table.delete().where(table.c.next_us < now_us - FORGET_US))
    account, place, pair = keys(name, address)
    # Unknown names get no counters of their own: an attacker can invent any number of them.
    is_person = person_named(connection, name) is not None
    counters = (account, place, pair) if is_person else (place,)
    rows = _rows(connection, counters)
    changes = []
    for who in counters:
        row = rows.get(who)
        failures = (row.failures if row else 0) + 1
        pause_s = min(MAX_WAIT_S, 2 ** min(failures - FREE_TRIES, 10)) if failures > FREE_TRIES else 0
        next_us = now_us + pause_s * 1_000_000
        connection.execute(table.delete().where(table.c.who == who))
        connection.execute(table.insert(), [{"who": who, "failures": failures, "next_us": next_us}])
        changes.append((who, row.next_us if row else None, next_us))
    return CountedAttempt(tuple(changes), pair)


def forgive(connection: Connection, counted: CountedAttempt) -> None:
    """After a right password: clear the counter of the pair, and remove this attempt from the others."""
    table = schema.attempt
    for who, before_us, set_us in counted.rows:
        row = table.c.who == who
        if who == counted.pair:
            connection.execute(table.delete().where(row))
            continue
        connection.execute(table.update().where(row).values(failures=table.c.failures - 1))
        # A pause that another attempt set meanwhile stays.
        if before_us is not None:
            connection.execute(table.update().where(and_(row, table.c.next_us == set_us)).values(next_us=before_us))
        connection.execute(table.delete().where(and_(row, table.c.failures <= 0)))


def keys(name: str, address: str) -> tuple[str, str, str]:
    """The counters' names: account, address, pair. They are unique because an address contains no blank."""
    return f"account {name[:64]}", f"address {address}", f"pair {address} {name[:64]}"


def _rows(connection: Connection, who: tuple[str, ...]) -> dict[str, Any]:
    table = schema.attempt
    return {row.who: row for row in connection.execute(select(table).where(table.c.who.in_(who)))}
