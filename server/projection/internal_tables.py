"""Internal tables of the projector: clocks and logs, voids and corrections, pending and failed work.

Like the tables of `server.projection.tables` they can be dropped and rebuilt from the ledger.
"""

from typing import Any

from sqlalchemy import BigInteger, Column, Index, LargeBinary, String, Table

from server.db.schema import Key, Serial, metadata


def us(name: str, *, nullable: bool = True) -> Column[Any]:
    """A column of UTC microseconds."""
    return Column(name, BigInteger, nullable=nullable)


def text(name: str, *, nullable: bool = True) -> Column[Any]:
    """A text column that compares by code point."""
    return Column(name, Key, nullable=nullable)


anchor = Table(
    "anchor",
    metadata,
    Column("pos", Serial, primary_key=True, autoincrement=False),
    text("boot", nullable=False),
    Column("log_id", LargeBinary, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("t1_ns", BigInteger, nullable=False),
    Column("t4_ns", BigInteger, nullable=False),
    Column("t2_us", BigInteger, nullable=False),
    Column("t3_us", BigInteger, nullable=False),
    Index("anchor_boot", "boot"),
)

# Log ids (hex) and boot ids, by the numbers that `event_state` has.
word = Table(
    "word",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=False),
    Column("text", Key, nullable=False, unique=True),
)

boot = Table("boot", metadata, Column("boot", Key, primary_key=True), Column("last_ns", BigInteger, nullable=False))

run = Table(
    "run",
    metadata,
    Column("log_id", LargeBinary, primary_key=True),
    Column("first_seq", BigInteger, primary_key=True, autoincrement=False),
    Column("boot", Key, primary_key=True),  # two branches of a fork may each begin a boot at one place
)

parent = Table(
    "parent",
    metadata,
    Column("log_id", LargeBinary, primary_key=True),
    Column("parent_log", LargeBinary, nullable=False),
    Column("parent_seq", BigInteger, nullable=False),
    Index("parent_of", "parent_log"),
)

void_mark = Table(
    "void_mark",
    metadata,
    Column("pos", Serial, primary_key=True, autoincrement=False),
    Column("log_id", LargeBinary, nullable=False),  # the place of the void itself
    Column("seq", BigInteger, nullable=False),
    Column("target_log", LargeBinary, nullable=False),
    Column("target_seq", BigInteger, nullable=False),  # 0 and an empty log: a closed period, which cannot be voided
)

# Every event that was sent again under another identity, or arrived as a salvaged event.
resent = Table(
    "resent",
    metadata,
    Column("pos", Serial, primary_key=True, autoincrement=False),
    Column("log_id", LargeBinary, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at_log", LargeBinary, nullable=False),
    Column("at_seq", BigInteger, nullable=False),
    Column("at_hash", LargeBinary, nullable=False),
)

correction = Table(
    "correction",
    metadata,
    Column("pos", Serial, primary_key=True, autoincrement=False),
    us("key_us", nullable=False),
    Column("log_id", LargeBinary, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("of_log", LargeBinary, nullable=False),
    Column("from_seq", BigInteger, nullable=False),
    Column("to_seq", BigInteger, nullable=False),
    Column("put", String, nullable=False),  # JSON
)

looked_up = Table(
    "looked_up",
    metadata,
    Column("what", Key, primary_key=True),
    Column("name", Key, primary_key=True),
    Column("item", Key, primary_key=True),
    Index("looked_up_item", "item"),
)

# Of an item of many events: its fold after every 256th of them, where a refold begins (`server.projection.checkpoints`).
checkpoint = Table(
    "checkpoint",
    metadata,
    Column("item", Key, primary_key=True),
    Column("n", BigInteger, primary_key=True, autoincrement=False),  # the number of its events so far
    us("key_us", nullable=False),  # the time of the last of them
    Column("content", LargeBinary, nullable=False),
)

# Codes whose item may have changed: their events are relinked after fresh work.
dirty_code = Table(
    "dirty_code", metadata, Column("code", Key, primary_key=True), Column("since", BigInteger, nullable=False)
)

# Scans of codes that name no item (a product, a carrier, a person); a later binding may give them one.
no_item = Table(
    "no_item",
    metadata,
    Column("pos", Serial, primary_key=True, autoincrement=False),
    text("code", nullable=False),
    Index("no_item_code", "code"),
)

# Every tag that was ever read or bound, by the end of its number, which is what a card has printed on it.
tag_number = Table(
    "tag_number",
    metadata,
    Column("number", Key, primary_key=True),
    text("tail", nullable=False),
    Index("tag_number_tail", "tail"),
)

# Every spelling of a published code that was scanned, bound or entered, where it differs from the key that it has.
code_key = Table(
    "code_key",
    metadata,
    Column("code", Key, primary_key=True),
    Column("key", Key, primary_key=True),
    Index("code_key_key", "key"),
)

# Every CALL and ANSWER scan and every `answer` entry. `event_state` has their status and their time.
call_mark = Table(
    "call_mark",
    metadata,
    Column("pos", Serial, primary_key=True, autoincrement=False),
    text("verb", nullable=False),  # call, answer
    text("stage"),
    text("station", nullable=False),
    text("reason"),
    text("by"),
    us("holds_from_us"),  # of an entry with a time of its own
)

# Failed work with its reason; everything else was folded without it. `part` "event": the event at `pos` has no effect.
# "fact": it has no effect on the item `name`. "item", "code" (pos 0): that item or code could not be refolded or relinked.
set_aside = Table(
    "set_aside",
    metadata,
    Column("pos", BigInteger, primary_key=True, autoincrement=False),
    Column("part", Key, primary_key=True),
    Column("name", Key, primary_key=True),
    Column("reason", String, nullable=False),
    Column("sw", String, nullable=False),  # the software version that failed; another version retries
    Index("set_aside_name", "part", "name"),
)

# Events that name another station than the one that owns their log.
claim = Table(
    "claim",
    metadata,
    Column("pos", Serial, primary_key=True, autoincrement=False),
    Column("log_id", LargeBinary, nullable=False),
    text("station", nullable=False),
    Index("claim_log", "log_id"),
)

OWN_TABLES = (
    set_aside, claim, word, anchor, boot, run, parent, void_mark, resent, correction, looked_up, checkpoint, dirty_code,
    no_item,
    tag_number, code_key, call_mark,
)  # fmt: skip
