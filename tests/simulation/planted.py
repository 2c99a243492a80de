"""Mends taken out again, to see that the simulator finds what they prevent.

Each entry puts the behaviour back that an attack had found: the numbers are those of RELIABILITY section 7. `patch` is
pytest's `MonkeyPatch.setattr`; nothing else in these tests replaces code of the product.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from server.clock import watch
from server.ledger import hub_log
from server.ops import scheduler
from station.core import protocol
from station.core.hash_chain import link as link_hash
from station.journal import Journal, metadata, startup
from station.journal.records import HubMark, JournalLost, Receipt, Tip
from station.sync import client, sync_thread
from tests.simulation.network import of_an_older_hub
from tests.simulation.shop import Shop
from tests.simulation.sim_station import CardJournal
from tests.simulation.story import Choices

Patch = Callable[..., None]


def scans_during_the_session_stay_behind(patch: Patch) -> None:
    """39: the new log begins at the newest event, and nothing of the old one is looked at again."""

    def new_log(self: Journal, cause: str, again_after: int | None = None, _begins_at: Tip | None = None) -> None:
        whole(self, cause, again_after if cause == "reidentify" else None)

    whole = Journal.new_log
    patch(Journal, "new_log", new_log)
    patch(sync_thread, "set_aside", lambda _journal: [])
    patch(sync_thread, "unconfirmed", lambda _journal, _epoch: 0)


def an_idle_station_hears_of_no_restore(patch: Patch) -> None:
    """40: epoch and head stand in the answers to batches alone."""
    whole = Shop.__init__

    def older(self: Shop, *args: Any, **more: Any) -> None:
        whole(self, *args, **more)
        for station in self.stations:
            station.weather.alter = of_an_older_hub

    patch(Shop, "__init__", older)


def backups_are_thinned_by_name(patch: Patch) -> None:
    """42: the oldest name goes, be it the newest backup; and what was verified once counts for ever."""

    def thin_out(folder: Path, *_: object) -> list[Path]:
        gone = sorted(folder.glob("hub-*.db"))[:-3]
        for old in gone:
            old.unlink()
        return gone

    patch(scheduler, "thin_out", thin_out)
    patch(scheduler, "update_durable", lambda *_: 0)
    patch(scheduler, "recheck", lambda *_: 0)


def a_days_age_comes_from_the_hubs_clock(patch: Patch) -> None:
    """43: events grow old by the hub's UTC."""
    shops: list[Shop] = []
    whole = Shop.__init__

    def noted(self: Shop, *args: Any, **more: Any) -> None:
        shops[:] = [self]
        whole(self, *args, **more)

    def count_time(connection: Any, _boot: str, _now_ns: int) -> None:
        day = shops[0].hub.clock.utc_us() // (metadata.DAY_NS // 1000) if shops else 0
        connection.execute(
            "INSERT INTO day (day, seq) VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET seq = excluded.seq",
            (day, metadata.tip(connection).seq),
        )

    def prune(self: Journal, most: int = 500) -> int:
        self.count_time()
        return whole_prune(self, most)

    whole_prune = Journal.prune
    patch(Shop, "__init__", noted)
    patch(metadata, "count_time", count_time)
    patch(Journal, "prune", prune)


def a_new_boot_is_believed(patch: Patch) -> None:
    """44: a clock that is ahead in a new boot gives anchors without a word, whatever a station's clock says."""
    patch(watch, "_in_new_boot", lambda gap_us: (None, False, gap_us))
    patch(hub_log, "confirm_by_station_clock", lambda *_, **__: False)


def any_number_is_believed(patch: Patch) -> None:
    """45: an answer is decoded without bounds, compared with nothing, and marked as it came."""

    def loose(kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
        fields = [
            (each.name, Any, each.default if each.default is not msgspec.NODEFAULT else None)
            for each in msgspec.structs.fields(kind)
            if each.name not in ("limits", "verdicts")
        ]
        extra: list[Any] = []
        if "limits" in kind.__struct_fields__:
            extra.append(("limits", protocol.Limits, protocol.Limits()))
        if "verdicts" in kind.__struct_fields__:
            extra.append(("verdicts", list[protocol.EventVerdict], msgspec.field(default_factory=list)))
        return msgspec.defstruct(kind.__name__, [*fields, *extra], frozen=True)

    def mark(self: Journal, hub_epoch: Any, accepted_thru: int, durable_thru: int, head: str) -> None:
        try:
            with closing(sqlite3.connect(self.path)) as db, db:
                metadata.write_mark(db, HubMark(hub_epoch, accepted_thru, durable_thru, head))
        except sqlite3.Error as error:
            raise JournalLost(str(error)) from error

    for name in ("SessionAnswer", "EventsAnswer", "HeartbeatAnswer"):
        patch(client, name, loose(getattr(protocol, name)))
    patch(sync_thread, "impossible_answer", lambda *_: None)
    patch(Journal, "mark", mark)


def pruned_when_accepted(patch: Patch) -> None:
    """A station lets go of what the hub has accepted, whatever its age and its backups."""

    def older_than(connection: Any, _days: int) -> int:
        return metadata.tip(connection).seq

    def write_mark(connection: Any, new: HubMark) -> None:
        whole(connection, HubMark(new.hub_epoch, new.accepted_thru, new.accepted_thru, new.head))

    whole = metadata.write_mark
    patch(metadata, "older_than", older_than)
    patch(metadata, "write_mark", write_mark)


def sent_again_without_its_origin(patch: Patch) -> None:
    """What a new log carries of the one before counts under its new place, and so twice."""

    def resent_event(old: Any, _log: str, _template: Any) -> bytes:
        return bytes(old.encoded)

    patch(startup, "resent_event", resent_event)


def a_log_is_never_left(patch: Patch) -> None:
    """A station goes on in its log, whatever the hub says of another past."""
    patch(sync_thread, "new_log_wanted", lambda *_: None)
    patch(sync_thread, "impossible_answer", lambda *_: None)


def green_before_the_write(patch: Patch) -> None:
    """The answer comes before the event is on the card."""

    def commit(self: CardJournal, encoded: bytes) -> Receipt:
        if self.cut_next == "commit":
            return Receipt(self.log_id, self.tip.seq + 1, link_hash(self.tip.hash, encoded), 0)
        return whole(self, encoded)

    whole = CardJournal.commit
    patch(CardJournal, "commit", commit)


PLANTED: dict[str, tuple[Callable[[Patch], None], Choices]] = {
    "39 scans during the session stay behind": (
        scans_during_the_session_stay_behind,
        Choices((("scans", 2), ("rest", 1), ("roll_back_on_a_slow_wire", 3)), (4, 8)),
    ),
    "40 an idle station hears of no restore": (
        an_idle_station_hears_of_no_restore,
        Choices((("scans", 4), ("rest", 2), ("back_up", 2), ("restore", 2)), (8, 14)),
    ),
    "42 backups are thinned by name": (
        backups_are_thinned_by_name,
        Choices((("scans", 3), ("back_up", 1), ("backups_on_a_wrong_clock", 4), ("season", 3)), (6, 10)),
    ),
    "43 a day's age comes from the hub's clock": (
        a_days_age_comes_from_the_hubs_clock,
        Choices((("scans", 4), ("back_up", 3), ("hub_clock", 3), ("rest", 1), ("reboot", 5)), (14, 24)),
    ),
    "44 a new boot is believed": (
        a_new_boot_is_believed,
        Choices((("scans", 4), ("rest", 2), ("hub_reboot_clock", 3), ("cut", 1), ("boot", 1)), (6, 12)),
    ),
    "pruned when accepted": (
        pruned_when_accepted,
        Choices((("scans", 4), ("rest", 2), ("reboot", 3)), (6, 12)),
    ),
    "sent again without its origin": (
        sent_again_without_its_origin,
        Choices((("scans", 4), ("rest", 1), ("image_card", 1), ("clone", 3), ("roll_back", 1)), (8, 14)),
    ),
    "a log is never left": (
        a_log_is_never_left,
        Choices((("scans", 4), ("rest", 1), ("image_card", 1), ("roll_back", 3)), (8, 14)),
    ),
    "green before the write": (
        green_before_the_write,
        Choices((("scans", 4), ("cut_in_write", 3), ("boot", 1)), (6, 12)),
    ),
    "45 any number is believed": (
        any_number_is_believed,
        Choices((("scans", 4), ("rest", 1), ("odd_hub", 4), ("cut", 1), ("boot", 1)), (6, 12)),
    ),
}
