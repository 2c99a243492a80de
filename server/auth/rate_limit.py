"""Guessing: every try to sign in is counted before its password is looked at, and wrong ones make the next one wait.

Three counters: the address, the account, and the account from that address. After three tries a counter makes the next try
wait 2 s, then 4 s, up to a minute. A right password clears the counter of its account from its address, and takes its own
try off the other two: the owner of one account cannot clear the count of guesses at others. The account's counter holds
only for addresses that have failed at that account, so an attacker never keeps a person from signing in elsewhere.

One try at a time is made for an account. Tries in parallel would all be admitted by the count that they found.
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
FORGET_US = (
    30 * 60 * 1_000_000
)  # without a wrong try; a guesser who waits for it makes fewer tries than one who does not
TURN_WAIT_S = 5.0  # for the same account's turn; the hash of one try takes a tenth of a second
MOST_TRIES = 10  # at once, for all accounts; each holds a thread


@dataclass(frozen=True, slots=True)
class CountedAttempt:
    """A try that may be made. `rows`: who, the `next_us` before it (None: a new row), and the one that it set."""

    rows: tuple[tuple[str, int | None, int], ...]
    pair: str


class AccountTurns:
    """Which accounts a try is being made for: one at a time for each, a bounded number in all, with those that wait."""

    def __init__(self, wait_s: float = TURN_WAIT_S, most: int = MOST_TRIES) -> None:
        self._wait_s = wait_s
        self._most = most
        self._changed = threading.Condition()
        self._taken: set[str] = set()
        self._waiting = 0

    @contextmanager
    def turn(self, name: str) -> Iterator[bool]:
        """Whether the account's turn was there in time; it is given back at the end."""
        taken = self._take(name)
        try:
            yield taken
        finally:
            if taken:
                with self._changed:
                    self._taken.discard(name)
                    self._changed.notify_all()

    def _take(self, name: str) -> bool:
        with self._changed:
            if len(self._taken) + self._waiting >= self._most:
                return False
            if name in self._taken:
                self._waiting += 1
                try:
                    if not self._changed.wait_for(lambda: name not in self._taken, self._wait_s):
                        return False
                finally:
                    self._waiting -= 1
            self._taken.add(name)
            return True


def wait_s(connection: Connection, name: str, address: str, now_us: int) -> int:
    """Seconds until the hub looks at another password for this account from this address; 0: at once."""
    account, place, pair = keys(name, address)
    rows = _rows(connection, (account, place, pair))
    held = [place, pair, *([account] if pair in rows else [])]
    waits: list[int] = [rows[who].next_us - now_us for who in held if who in rows]
    return max([0, *(-(-wait // 1_000_000) for wait in waits)])


def count(connection: Connection, name: str, address: str, now_us: int) -> CountedAttempt:
    """Count a try as a wrong one, before its password is compared. `forgive` takes it back."""
    table = schema.attempt
    connection.execute(table.delete().where(table.c.next_us < now_us - FORGET_US))
    account, place, pair = keys(name, address)
    # Invented names are not written down: there is no end of them.
    known = person_named(connection, name) is not None
    who_all = (account, place, pair) if known else (place,)
    rows = _rows(connection, who_all)
    changes = []
    for who in who_all:
        row = rows.get(who)
        failures = (row.failures if row else 0) + 1
        pause_s = min(MAX_WAIT_S, 2 ** min(failures - FREE_TRIES, 10)) if failures > FREE_TRIES else 0
        next_us = now_us + pause_s * 1_000_000
        connection.execute(table.delete().where(table.c.who == who))
        connection.execute(table.insert(), [{"who": who, "failures": failures, "next_us": next_us}])
        changes.append((who, row.next_us if row else None, next_us))
    return CountedAttempt(tuple(changes), pair)


def forgive(connection: Connection, counted: CountedAttempt) -> None:
    """The password was right: clear the account's counter from this address, and take this one try off the others."""
    table = schema.attempt
    for who, before_us, set_us in counted.rows:
        mine = table.c.who == who
        if who == counted.pair:
            connection.execute(table.delete().where(mine))
            continue
        connection.execute(table.update().where(mine).values(failures=table.c.failures - 1))
        # Another try may have set a later pause meanwhile: that one stays.
        if before_us is not None:
            connection.execute(table.update().where(and_(mine, table.c.next_us == set_us)).values(next_us=before_us))
        connection.execute(table.delete().where(and_(mine, table.c.failures <= 0)))


def keys(name: str, address: str) -> tuple[str, str, str]:
    """The counters' names: account, address, account from this address. An address has no blank in it."""
    return f"account {name[:64]}", f"address {address}", f"pair {address} {name[:64]}"


def _rows(connection: Connection, who: tuple[str, ...]) -> dict[str, Any]:
    table = schema.attempt
    return {row.who: row for row in connection.execute(select(table).where(table.c.who.in_(who)))}
