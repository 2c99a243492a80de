"""Tables of the hub that are not projections: the ledger and its logs, accounts and devices, backups and heartbeats.

The ledger is append-only by trigger. `server.projection.tables` has the tables that are folded from it, on the same
`metadata`. Times `_us` are UTC microseconds; hashes and ids are raw bytes.
"""

from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    event,
)
from sqlalchemy.schema import ExecutableDDLElement

metadata = MetaData()

# SQLite aliases the row id only for INTEGER; PostgreSQL needs eight bytes.
Serial = BigInteger().with_variant(Integer, "sqlite")
# Text keys compare by code point on every engine.
Key = String().with_variant(String(collation="C"), "postgresql")


def _us(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, BigInteger, nullable=nullable)


hub = Table(
    "hub",
    metadata,
    Column("one", Integer, primary_key=True),  # always 1: a database holds one hub
    Column("hub_id", LargeBinary, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),  # the chain hash after the last ledger row
    Column("log_id", LargeBinary, nullable=False),  # the log of the hub's own entries in this epoch
    Column("mac_key", LargeBinary, nullable=False),
    Column("cookie_key", LargeBinary, nullable=False),
    Column("inode", BigInteger),
    Column("machine", String),
    Column("anchor_boot", String),  # the last anchor in the hub's own log: boot id,
    Column("anchor_ns", BigInteger),  # boottime,
    _us("anchor_us", nullable=True),  # and UTC
    Column("clock_doubt", Boolean, nullable=False),  # no anchors are issued until a person confirms the clock
    Column("backup_pos", BigInteger, nullable=False),  # the last position in a verified backup off this disk
    _us("backup_us", nullable=True),
)

# Verified backups in their order; a backup counts while its file is present and unchanged.
backup = Table(
    "backup",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("path", String, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("pos", BigInteger, nullable=False),
    Column("off_disk", Boolean, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    _us("verified_us"),
)

# One row: the boot in which the hub's clock was last trusted, its first reading there (the baseline), and its last one.
clock_watch = Table(
    "clock_watch",
    metadata,
    Column("one", Integer, primary_key=True),
    Column("boot", String, nullable=False),
    Column("base_ns", BigInteger, nullable=False),
    _us("base_us"),
    Column("base_pos", BigInteger, nullable=False),  # anchors up to here are from before this boot or before the doubt
    _us("seen_us"),
    Column("sure", Boolean, nullable=False),  # confirmed by the ledger, a station or a person
    Column("vouchable", Boolean, nullable=False),  # a station's clock may end the doubt
    Column("reason", String),  # the reason of the doubt, a sentence
    Column("suspects", BigInteger, nullable=False),  # suspicious anchors of the last audit
)

epoch = Table(
    "epoch",
    metadata,
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    _us("since_us"),
    Column("cause", String, nullable=False),
    Column("pos", BigInteger, nullable=False),  # the last ledger position when the epoch began
    Column("high_pos", BigInteger),  # the last known ledger position of the epoch before
)

# Closed periods: an entry may not hold from before the end of the last period that is not reopened.
period = Table(
    "period",
    metadata,
    Column("closed_us", BigInteger, primary_key=True, autoincrement=False),
    Column("reopened", Boolean, nullable=False),
)

# The stock that a closed period was closed with, as listed by its `period.close`: not a projection.
period_listing = Table(
    "period_listing",
    metadata,
    Column("pos", Serial, primary_key=True, autoincrement=False),  # of the entry in the ledger
    _us("closed_us"),
    Column("content", LargeBinary, nullable=False),  # zlib; its SHA-256 before that is in the entry
)

# Every append locks this row first, because a database sequence is not commit-ordered.
counter = Table("counter", metadata, Column("name", Key, primary_key=True), Column("pos", BigInteger, nullable=False))

station = Table(
    "station",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("name", Key, nullable=False, unique=True),
    _us("added_us"),
    _us("revoked_us", nullable=True),
)

device = Table(
    "device",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("station", ForeignKey("station.id"), nullable=False),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("state", String, nullable=False),  # active, revoked
    _us("added_us"),
    _us("clone_us", nullable=True),  # the last use of another device's log
)

log = Table(
    "log",
    metadata,
    Column("log_id", LargeBinary, primary_key=True),
    Column("device", ForeignKey("device.id")),  # none: the hub's own log
    Column("station", Key, nullable=False),
    Column("parent", LargeBinary),
    Column("accepted_thru", BigInteger, nullable=False),
    Column("tip", LargeBinary, nullable=False),  # hash at accepted_thru; empty after a gap: any `prev` is accepted
    Column("durable_thru", BigInteger, nullable=False),
    Column("doubt_seq", BigInteger),  # the event that was requested again because its hash did not fit
    Column("state", String, nullable=False),  # active, forked
    Column("forks", Integer, nullable=False),
    _us("opened_us"),
    _us("seen_us"),
)

gap = Table(
    "gap",
    metadata,
    Column("log_id", LargeBinary, primary_key=True),
    Column("from_seq", BigInteger, primary_key=True, autoincrement=False),
    Column("to_seq", BigInteger, nullable=False),
    _us("seen_us"),
)

fork = Table(
    "fork",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("log_id", LargeBinary, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
    Column("prev", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("device", Integer),
    _us("recv_us"),
    UniqueConstraint("log_id", "seq", "hash"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("pos", Serial, primary_key=True, autoincrement=False),
    Column("log_id", LargeBinary, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
    Column("prev", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    _us("recv_us"),
    Column("chain", LargeBinary, nullable=False),
    UniqueConstraint("log_id", "seq"),
)

# Events whose bytes do not give their claimed hash: the hash of their bytes on arrival.
damage = Table(
    "damage",
    metadata,
    Column("log_id", LargeBinary, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("sha256", LargeBinary, nullable=False),
    _us("recv_us"),
)

# Breaks of the ledger that the last backup found: a break that its source had is no damage of the copy.
known_break = Table("known_break", metadata, Column("text", Key, primary_key=True))

# The long work of the processes of this hub: a row for each that runs (`server.db.long_work`).
long_work = Table(
    "long_work",
    metadata,
    Column("work", Key, primary_key=True),
    Column("title", String, nullable=False),
    Column("unit", String, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("total", BigInteger),  # none: not known
    _us("started_us"),
    _us("seen_us"),
)

heartbeat = Table(
    "heartbeat",
    metadata,
    Column("station", Key, primary_key=True),  # the last one of each station
    Column("log_id", LargeBinary),
    _us("seen_us"),
    Column("tip_seq", BigInteger),
    Column("waiting", BigInteger),
    Column("oldest_waiting_s", BigInteger),
    Column("clock", String),
    Column("sw", String),
    Column("disk_free", BigInteger),
    Column("boot", String),
    Column("readers", String),  # JSON
    Column("aside", BigInteger),  # events of earlier logs that the hub has not acknowledged to the station
)

person = Table(
    "person",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("name", Key, nullable=False, unique=True),
    Column("password", String),  # argon2id hash, or werkzeug's scrypt hash; none: sign-in by link only
    Column("roles", String, nullable=False),  # words separated by blanks
    _us("added_us"),
    _us("ended_us", nullable=True),
)

token = Table(
    "token",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("name", Key, nullable=False, unique=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("roles", String, nullable=False),
    _us("added_us"),
    _us("ended_us", nullable=True),
)

link = Table(
    "link",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("person", ForeignKey("person.id")),  # none: adds the first person
    _us("expires_us"),
    _us("used_us", nullable=True),
)

session = Table(
    "session",
    metadata,
    Column("key_hash", LargeBinary, primary_key=True),
    Column("person", ForeignKey("person.id")),
    Column("token", ForeignKey("token.id")),  # the session of a read link has a token and no person
    _us("started_us"),
    _us("used_us"),
    _us("admin_us"),  # last use without a pause above the limit for the role `administer`
)

attempt = Table(
    "attempt",
    metadata,
    Column("who", Key, primary_key=True),  # "account NAME", "address IP" or "pair IP NAME"
    Column("failures", Integer, nullable=False),
    _us("next_us"),  # no attempt is admitted before this time
)

Index("session_used", session.c.used_us)

# A refold by another version of the rules, and the items whose state it changed: not a projection, so `rebuild` keeps it.
refold = Table(
    "refold",
    metadata,
    Column("id", Serial, primary_key=True),
    _us("at_us"),
    Column("sw", String, nullable=False),
    Column("changed", BigInteger, nullable=False),  # items whose state changed; refolded_item has the first of them
)

refolded_item = Table(
    "refolded_item",
    metadata,
    Column("refold", ForeignKey("refold.id"), primary_key=True),
    Column("item", Key, primary_key=True),
    Column("before", String, nullable=False),
    Column("after", String, nullable=False),
)

_APPEND_ONLY_SQLITE = """
CREATE TRIGGER ledger_{what} BEFORE {what} ON ledger BEGIN
  SELECT RAISE(ABORT, 'the ledger is append-only: a mistake is corrected by a new event');
END
"""
# INSERT OR REPLACE deletes a conflicting row without firing the DELETE trigger.
_IN_ITS_PLACE_SQLITE = """
CREATE TRIGGER ledger_insert BEFORE INSERT ON ledger
  WHEN NEW.pos <= (SELECT max(pos) FROM ledger)
    OR EXISTS (SELECT 1 FROM ledger WHERE log_id = NEW.log_id AND seq = NEW.seq)
BEGIN
  SELECT RAISE(ABORT, 'the ledger is append-only: this place is taken');
END
"""
_APPEND_ONLY_POSTGRESQL = """
CREATE OR REPLACE FUNCTION ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the ledger is append-only: a mistake is corrected by a new event'; END $$;
CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger EXECUTE FUNCTION ledger_append_only()
"""
for _dialect, _text in (
    ("sqlite", _APPEND_ONLY_SQLITE.format(what="update")),
    ("sqlite", _APPEND_ONLY_SQLITE.format(what="delete")),
    ("sqlite", _IN_ITS_PLACE_SQLITE),
    ("postgresql", _APPEND_ONLY_POSTGRESQL),
):
    _trigger: ExecutableDDLElement = DDL(_text)  # type: ignore[no-untyped-call]  # SQLAlchemy's own
    event.listen(ledger, "after_create", _trigger.execute_if(dialect=_dialect))
