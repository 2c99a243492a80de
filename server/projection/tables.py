"""Tables of the projection. All of them can be dropped and rebuilt from the ledger.

Times `_us` are UTC microseconds, quantities `_milli` thousandths, `log_id` 16 raw bytes. Surrogate ids have no meaning
outside one state of the database. `at_log`, `at_seq`: the place at which an event counts; for an event that was sent again,
its original place. The numbers `at_log` and `boot` of `event_state` are those of the table `word`; the place and hash of the
stored event itself are in the ledger at the same `pos`.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    LargeBinary,
    Select,
    SmallInteger,
    String,
    Table,
    literal_column,
    select,
)

from server.db.schema import Key, Serial, metadata
from server.projection.internal_tables import OWN_TABLES, text, us

REFUSED: ColumnElement[bool] = literal_column(
    "status = 'not_permitted'"
)  # a literal, so that the planner matches it with the partial index

AN_ORDER: ColumnElement[bool] = literal_column(
    "released_us IS NOT NULL AND (order_ IS NULL OR order_ = item)"
)  # as `server.queries.order_progress.is_order`
CLOSED: ColumnElement[bool] = literal_column(
    "released_us IS NOT NULL AND (order_ IS NULL OR order_ = item) AND closed_us IS NOT NULL"
)

COUNTS: ColumnElement[bool] = literal_column("verb = 'count'")
OPEN: ColumnElement[bool] = literal_column("answered_us IS NULL AND NOT ended")

event_state = Table(
    "event_state",
    metadata,
    Column("pos", Serial, primary_key=True, autoincrement=False),
    text("kind"),  # none: the bytes could not be decoded
    text("status", nullable=False),  # ok, not_understood, future, damaged, void, copy, set_aside, not_permitted
    us("key_us", nullable=False),
    us("lo_us", nullable=False),
    us("hi_us", nullable=False),
    Column("approx", Boolean, nullable=False),
    Column("at_log", BigInteger, nullable=False),  # a word
    Column("at_seq", BigInteger, nullable=False),
    Column("at_hash", LargeBinary),  # none: the hash of the stored event itself
    Column("boot", BigInteger),  # a word
    Column("mono_ns", BigInteger),
    Column("since_ns", BigInteger),  # of a scan from a reader's memory: the earliest boottime at which it was made
    Index("event_state_at", "at_log", "at_seq"),
    Index("event_state_not_permitted", "pos", sqlite_where=REFUSED, postgresql_where=REFUSED),
)

event_item = Table(
    "event_item",
    metadata,
    Column("item", Key, primary_key=True),
    us("key_us", nullable=False),  # the effective time: an entry's `holds_from_us`
    Column("pos", BigInteger, primary_key=True, autoincrement=False),
    text("code"),  # the scanned code
    text("verb", nullable=False),
    Index("event_item_code", "code"),
    Index("event_item_count", "key_us", sqlite_where=COUNTS, postgresql_where=COUNTS),
    Index("event_item_pos", "pos", "key_us"),  # also the time: what arrived late is found in the index
    sqlite_with_rowid=False,  # saves one B-tree write for each scan
)

item = Table(
    "item",
    metadata,
    Column("item", Key, primary_key=True),
    text("name"),
    text("product"),
    text("order_"),
    text("routing"),
    text("status", nullable=False),  # open, closed, finished, scrapped, adjusted
    text("how"),
    Column("known_qty", Boolean, nullable=False),
    Column("ordered_milli", BigInteger, nullable=False),
    Column("finished_milli", BigInteger, nullable=False),
    Column("scrapped_milli", BigInteger, nullable=False),
    Column("overrun_milli", BigInteger, nullable=False),
    Column("adjusted_milli", BigInteger, nullable=False),
    text("due"),
    Column("priority", BigInteger),
    text("customer"),
    text("reference"),
    us("released_us"),
    us("started_us"),
    us("ended_us"),
    us("closed_us"),
    us("last_key_us", nullable=False),
    Column("last_log", LargeBinary, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("state", LargeBinary, nullable=False),
    text("folded"),  # of a released item: the form of its name that look-alikes have in common
    Column("changed", BigInteger, nullable=False),  # ascending number of the transaction that wrote the row
    Index("item_changed", "changed"),
    Index("item_folded", "folded"),
    Index("item_order", "order_"),
    Index("item_product", "product"),
    Index("item_open", "status", "due"),
    # The list of orders is filtered, sorted and counted in these indexes, without the rows and their `state`.
    Index(
        "item_listed",
        "status",
        "due",
        "priority",
        "item",
        "product",
        "customer",
        "reference",
        "order_",
        "released_us",
        sqlite_where=AN_ORDER,
        postgresql_where=AN_ORDER,
    ),
    Index(
        "item_closed",
        "closed_us",
        "item",
        "status",
        "order_",
        "released_us",
        sqlite_where=CLOSED,
        postgresql_where=CLOSED,
    ),
)

parcel = Table(
    "parcel",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=False),
    text("item", nullable=False),
    text("product"),
    Column("operation", BigInteger),
    text("stage"),
    text("state", nullable=False),
    text("held_from"),
    text("carrier"),
    text("station"),
    text("work_centre"),
    Column("qty_milli", BigInteger),  # none: the quantity is unknown
    us("since_us", nullable=False),
    us("at_stage_since_us", nullable=False),
    us("started_us"),
    Column("entered", BigInteger),
    Column("reached", BigInteger),
    text("scanned"),  # the operations at which the pieces were scanned, such as 10,20
    text("reason"),
    text("operator"),
    Column("approx", Boolean, nullable=False),
    Column("put", BigInteger, nullable=False),  # the move of the item that gave it this form
    us("placed_us"),  # the time of that move, where it is not `since_us`
    us("run_since_us"),  # none: waits to run
    Index("parcel_item", "item"),
    Index("parcel_stage", "stage", "state"),
    Index("parcel_since", "since_us"),
)

# A row for each piece of an item that moved, in the order of its events: from one form of a parcel to the next. `from_state`
# and `to_state` may be an outer account; an empty one has the pieces that no scan had seen before. The columns from
# `since_us` to `scanned` are of the piece before, those from `to_entered` on of the piece after. A row has no prices.
move = Table(
    "move",
    metadata,
    Column("item", Key, primary_key=True),
    Column("n", BigInteger, primary_key=True, autoincrement=False),  # from 1
    us("at_us", nullable=False),
    Column("pos", BigInteger, nullable=False),  # the event
    text("product"),
    Column("qty_milli", BigInteger),  # none: the quantity is unknown
    text("from_state", nullable=False),
    Column("from_operation", BigInteger),
    text("from_stage"),
    Column("put", BigInteger),  # the move of this item that gave the piece its form before; none: from an outer account
    us("placed_us"),  # the time of that move, where it is not `since_us`
    us("since_us", nullable=False),
    us("at_stage_since_us", nullable=False),
    us("started_us"),
    us("run_since_us"),
    Column("entered", BigInteger),
    Column("reached", BigInteger),
    text("scanned"),
    text("to_state", nullable=False),
    Column("to_operation", BigInteger),
    text("to_stage"),
    Column("to_entered", BigInteger),
    Column("to_reached", BigInteger),
    text("to_scanned"),
    text("held_from"),
    text("carrier"),
    text("station"),
    text("work_centre"),
    text("operator"),
    text("reason"),
    Column("approx", Boolean, nullable=False),
    Column("restated", Boolean, nullable=False),  # no piece moved: what is known of it changed
    Index("move_at", "at_us"),
    sqlite_with_rowid=False,
)

# The pieces in process at the first moment of a UTC day (us // 86,400,000,000), each as the move that ended its form: a
# query about any past minute reads one day. A form of more than MOST_DAYS days has a single row with the day LONG.
open_at = Table(
    "open_at",
    metadata,
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("item", Key, primary_key=True),
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# What belongs to an item as a whole, from a time on: its order, and how much is ordered and beyond that.
head = Table(
    "head",
    metadata,
    Column("item", Key, primary_key=True),
    Column("from_us", BigInteger, primary_key=True, autoincrement=False),
    text("name"),
    text("product"),
    text("order_"),
    text("routing"),
    us("released_us"),
    Column("ordered_milli", BigInteger, nullable=False),
    Column("over_milli", BigInteger, nullable=False),  # the overrun, less what is finished
    text("due"),
    Column("priority", BigInteger),
    text("customer"),
    sqlite_with_rowid=False,
)

# What moves have in common that are counted together (`station.core.ledger.flow.FlowClass`). A class that no row of
# `flow_day` has any more stays until the next rebuild.
flow_class = Table(
    "flow_class",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=False),
    text("product"),
    text("routing"),
    text("from_state", nullable=False),
    Column("from_operation", BigInteger),
    text("from_stage"),
    text("to_state", nullable=False),
    Column("to_operation", BigInteger),
    text("to_stage"),
    Column("entered", BigInteger),
    Column("reached", BigInteger),
    text("scanned"),
    text("reason"),
)

# The moves of a day of the site (days since 1970-01-01) by class: their known quantities, their number, and the sum of each
# duration that ended with them; none where no move has it.
flow_day = Table(
    "flow_day",
    metadata,
    Column("day", Serial, primary_key=True, autoincrement=False),
    Column("class_id", Serial, primary_key=True, autoincrement=False),
    Column("qty_milli", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    us("stage_us"),
    us("queue_us"),
    us("run_us"),
    us("throughput_us"),
    us("lead_us"),
    sqlite_with_rowid=False,
)

# The durations that ended on a day by class: how many in each bucket (`station.core.ledger.duration_buckets`).
flow_duration = Table(
    "flow_duration",
    metadata,
    Column("day", Serial, primary_key=True, autoincrement=False),
    Column("class_id", Serial, primary_key=True, autoincrement=False),
    Column("measure", SmallInteger, primary_key=True, autoincrement=False),  # `station.core.ledger.flow.Measure`
    Column("bucket", SmallInteger, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

finding = Table(
    "finding",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=False),
    text("item", nullable=False),
    text("rule", nullable=False),
    us("key_us", nullable=False),
    Column("log_id", LargeBinary, nullable=False),
    Column("seq", BigInteger, nullable=False),
    text("stage"),
    text("station", nullable=False),
    Column("args", String, nullable=False),  # JSON: the arguments of the rule's sentence
    us("answered_us"),  # of `finding.answer`, which a person enters
    text("answered_by"),
    text("note"),
    Column("ended", Boolean, nullable=False),  # its order was closed later
    Index("finding_item", "item"),
    Index("finding_rule", "rule", "key_us"),
    Index("finding_open", "key_us", sqlite_where=OPEN, postgresql_where=OPEN),
)

definition = Table(
    "definition",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=False),  # the ledger's position
    text("what", nullable=False),
    text("name", nullable=False),
    us("holds_from_us", nullable=False),
    us("key_us", nullable=False),
    Column("log_id", LargeBinary, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("data", String, nullable=False),
    Index("definition_name", "what", "name"),
)

binding = Table(
    "binding",
    metadata,
    text("code", nullable=False),
    text("item"),  # none: unbound from then on
    text("as_", nullable=False),
    Column("from_office", Boolean, nullable=False),  # an entry, which also applies to earlier scans
    us("key_us", nullable=False),
    Column("log_id", LargeBinary, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("pos", Serial, primary_key=True, autoincrement=False),
    text("key", nullable=False),  # what all spellings of the code have in common
    Index("binding_code", "code"),
    Index("binding_key", "key"),
)

dirty = Table(
    "dirty",
    metadata,
    Column("item", Key, primary_key=True),
    Column("since", BigInteger, nullable=False),
    us("from_us"),  # the first time at which anything of it changed; none: from its first event
)

projection = Table("projection", metadata, Column("k", Key, primary_key=True), Column("v", BigInteger, nullable=False))

PROJECTED_POS = "projected_pos"  # the row of `projection` with the projected ledger position
DEFINITION_CHANGES = "definition_changes"  # the row of `projection` that counts changes of definitions and bindings
# The row of `projection` that grows with each transaction that deletes an item, or lets one begin later than before.
ITEM_DELETIONS = "item_deletions"
FOLD_VERSION_ROW = "fold_version"  # the row of `projection` with the version of the rules by which its rows were folded
# 2: a scan fills a gap, scrapped and adjusted orders have an end. 3: a published code is its keys, texts have plain braces;
# a code that nobody released is no item in process. 4: moves, the operations at which parcels were scanned, and the begin of
# their run by `start`. 5: the flow of each day, the number of folded events, checkpoints; words are stored once, and an
# event is linked to its item by its position alone. 6: an accepted line of a count is booked.
FOLD_VERSION = 6
DAY_US = 86_400_000_000
LONG = -1  # the day of a form of more than MOST_DAYS days
MOST_DAYS = 400

TABLES = (
    event_state, event_item, item, parcel, move, open_at, head, flow_class, flow_day, flow_duration, finding, definition,
    binding, dirty, projection, *OWN_TABLES,
)  # fmt: skip
SURROGATES = {
    "flow_class": {"id"},
    "flow_day": {"class_id"},
    "flow_duration": {"class_id"},
    "item": {"changed"},
    "parcel": {"id"},
    "finding": {"id"},
    "dirty": {"since"},
    "dirty_code": {"since"},
    "set_aside": {"reason", "sw"},
}


def folded_rows(table: Table) -> Select[Any]:
    """Select what a rebuild of the same ledger folds again: no surrogate ids, and no counts of transactions.

    A flow class is selected as its texts in place of its number; one that no row has is left out.
    """
    columns = [column for column in table.columns if column.name not in SURROGATES.get(table.name, ())]
    rows = select(*columns)
    if table is projection:
        return rows.where(projection.c.k.not_in((DEFINITION_CHANGES, ITEM_DELETIONS)))
    if table is flow_class:
        return rows.where(flow_class.c.id.in_(select(flow_day.c.class_id)))
    if "class_id" not in table.c:
        return rows
    of_class = [column for column in flow_class.c if column.name != "id"]
    joined = table.outerjoin(flow_class, flow_class.c.id == table.c.class_id)
    return select(*columns, *of_class).select_from(joined)
