"""Tags for the tests of a station: one that arrives, and its end."""

from typing import Any

from drivers import Gone, Read
from station.answers import Answer
from station.core.codes import Pattern
from tests.station.scan_room import Bench, a_read

S = 10**9


UID = b"04A1B2C3"


EPC = b"3034257BF7194E4000001A85"


OTHER_STANDARD = b"954D3100" + EPC


def a_tag(raw: bytes = UID, at_s: float = 10, reader: str = "pcsc-1", **changes: Any) -> Read:
    """A tag that was put on a reader."""
    return a_read(raw, at_s, kind="pcsc", reader=reader, tag=True, **changes)


def its_end(tag: Read, at_s: float, seen: int = 212, signal_dbm: int | None = -41) -> Gone:
    """The end of its presence."""
    return Gone(tag.kind, tag.reader, int(at_s * S), tag.boot_ns, tag.raw, seen, signal_dbm)


def left(bench: Bench, gone: Gone) -> list[Answer]:
    """What the end of a presence was answered: nothing, if all is well."""
    before = len(bench.said)
    bench.now_ns = max(bench.now_ns, gone.boot_ns)
    bench.inbox.ask(lambda: bench.scan.left(gone))
    bench.scan._between()
    return bench.said[before:]


PATTERNS = (
    Pattern("order", "WO-(?P<id>[0-9]+)", "item"),
    Pattern("badges", "04FFFFFF|3C00CE754C", "badge"),
    Pattern("halt", "04EEEEEE(?P<id>)", "carrier"),
)
