"""A station for printed papers: what was read from paper enters by the replay reader, and its events go to the hub."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from shop_writer import Log, ShopWriter
from sqlalchemy import select

from drivers import Read, open_driver
from server.db.schema import ledger
from server.projection.station_snapshot import snapshot
from server.projection.tables import event_item, event_state
from station.core.codes import Code, apply_binding, read_code
from station.core.event import Event, decode
from station.journal.records import Receipt, Tip
from station.rules.snapshot import rule_context
from station.scan.bench_state import BenchSettings
from station.scan.event_builder import EventBuilder
from station.scan.pipeline import ReaderSettings, ScanPipeline
from station.scan.work_queue import WorkQueue

S = 10**9
STATION, STAGE = "saw-1", "saw"


class Landed(NamedTuple):
    """A scan at the end of its way.

    `code`: what the station's parser makes of its content; `status`, `items`: the hub's state of its event, and the items
    that the hub links it to.
    """

    code: Code
    event: Event
    status: str
    items: list[str]

    @property
    def effect(self) -> dict[str, Any]:
        """What the cards before it do to it, and its items."""
        fields = ("stage", "action", "qty_milli", "all", "reason", "operator")
        found = {name: value for name in fields if (value := getattr(self.event, name))}
        return found | {"items": self.items}


class HubLogJournal:
    """A journal whose events `ShopWriter.settle` sends to the hub."""

    def __init__(self, log: Log) -> None:
        self._log, self.log_id = log, log.log_id

    @property
    def tip(self) -> Tip:
        return Tip(len(self._log.events), self._log.tip)

    def commit(self, encoded: bytes) -> Receipt:
        return Receipt(self.log_id, self._log.add(encoded), self._log.tip, 0)

    def tidy(self, idle_s: float) -> None:
        """Nothing is to be tidied in memory."""


class PaperStation:
    """The station `saw-1` at Saw, with the snapshot that the hub has for it now."""

    def __init__(self, writer: ShopWriter, folder: Path) -> None:
        self._writer, self._folder = writer, folder
        self._log = writer.log(STATION)
        self._now_ns = writer.mono_ns(writer.ago(days=1))
        with writer.store.read() as connection:
            self._rules = rule_context(snapshot(connection)[1])

    def scan(self, *contents: bytes) -> list[int]:
        """Scan these contents at a bench that nothing was scanned at before; returns the numbers of the events."""
        first = len(self._log.events) + 1
        pipeline = self._pipeline()
        for read in self._replayed(contents):
            self._now_ns += 5 * S  # a repeat of the same content would be nearer
            pipeline.process_read(replace(read, boot_ns=self._now_ns))
        return list(range(first, len(self._log.events) + 1))

    def landed(self) -> dict[int, Landed]:
        """Send all events to the hub; each one at the end of its way, by its number."""
        self._writer.settle()
        with self._writer.store.read() as connection:
            own = ledger.c.log_id == self._log.log_id
            states = dict(
                connection.execute(
                    select(ledger.c.seq, event_state.c.status)
                    .join(event_state, event_state.c.pos == ledger.c.pos)
                    .where(own)
                ).all()
            )
            items: dict[int, list[str]] = {seq: [] for seq in states}
            linked = select(ledger.c.seq, event_item.c.item).join(event_item, event_item.c.pos == ledger.c.pos)
            for row in connection.execute(linked.where(own).order_by(event_item.c.item)):
                items[row.seq].append(row.item)
        events = {seq: decode(encoded) for seq, encoded in enumerate(self._log.events, 1)}
        return {
            seq: Landed(self._parsed(event.raw), event, states[seq], items[seq])
            for seq, event in events.items()
            if event.raw is not None
        }

    def _parsed(self, raw: bytes) -> Code:
        return apply_binding(read_code(raw, None, self._rules.patterns), self._rules.bound)

    def _replayed(self, contents: Sequence[bytes]) -> Iterator[Read]:
        """What the replay reader reads from a file with these contents."""
        path = self._folder / "scans"
        path.write_bytes(b"".join(notation(content) + b"\n" for content in contents))
        driver = open_driver("replay", {"path": str(path)})
        for read in islice(driver.reads(), len(contents)):  # behind the last line it waits for its end
            assert isinstance(read, Read)
            yield read
        driver.close()

    def _pipeline(self) -> ScanPipeline:
        def now_ns() -> int:
            return self._now_ns

        boot = self._writer.boot_of(STATION)
        return ScanPipeline(
            HubLogJournal(self._log), WorkQueue(), EventBuilder(STATION, "t", boot, now_ns, lambda: self._writer.now_us),
            lambda _answer: None, now_ns, rules=self._rules, settings=BenchSettings(),
            reader_settings=lambda _reader: ReaderSettings(stage=STAGE),
        )  # fmt: skip


def notation(content: bytes) -> bytes:
    """A content as a file of scans has it: control characters and braces in braces."""
    return b"".join(b"{%02X}" % byte if byte < 0x20 or byte == ord("{") else bytes((byte,)) for byte in content)
