"""Context of a running hub: its configuration, store, position signals and metrics."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import cast

from flask import current_app
from sqlalchemy import Connection

from server.api.event_feed import MOST_POSITIONS, EventFeed
from server.api.snapshot_cache import CachedSnapshot, Display
from server.auth.devices import KnownDevices
from server.auth.passwords import PASSWORDS, Passwords
from server.auth.rate_limit import SignInLimiter
from server.clock.readings import HubClock
from server.config import HubConfig
from server.db.position_signal import PositionSignal
from server.db.store import Store
from server.ledger.heartbeats import WaitingHeartbeats
from server.locale_format import locale_of, site_of
from server.metrics import HubMetrics
from server.queries.shared_board import EVERY_S, KEEP_S, SharedBoard
from server.queries.site import site_definitions
from station.core.site import site_at, site_history

Duty = Callable[[], str | None]  # the fault of a background task as a sentence; None: no fault
MAX_STREAMS = 64
_KEY = "wipline"


@dataclass(frozen=True, slots=True)
class HubLimits:
    """Limits of the answers to open pages."""

    max_streams: int = MAX_STREAMS  # open event streams; each occupies one of the server's threads
    max_behind: int = MOST_POSITIONS  # events that a stream sends one by one; above this it sends one `reload`
    board_every_s: float = EVERY_S  # least time between two computations of the board
    board_keep_s: float = KEEP_S  # time for which pages that follow share a board while nothing is projected
    shown_within_s: float = 2.0  # wait of a form for the projection; afterwards the answer is sent without the entry


@dataclass(frozen=True, slots=True)
class HubContext:
    """One hub in one process. `projected` announces each projected position; closing it ends the event streams."""

    config: HubConfig
    store: Store
    projected: PositionSignal = field(default_factory=PositionSignal)
    counts: HubMetrics = field(default_factory=HubMetrics)
    turns: SignInLimiter = field(default_factory=SignInLimiter)  # serialises sign-in attempts
    passwords: Passwords = PASSWORDS
    heartbeats: WaitingHeartbeats | None = None  # with a thread that writes them; None: each one is written at once
    known_devices: KnownDevices = field(default_factory=KnownDevices)
    snapshot: CachedSnapshot = field(default_factory=CachedSnapshot)
    feed: EventFeed = field(default_factory=EventFeed)
    board: SharedBoard = field(default_factory=SharedBoard)
    duties: tuple[Duty, ...] = ()
    limits: HubLimits = HubLimits()
    streams: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(MAX_STREAMS))  # free event streams

    def definitions(self, connection: Connection | None = None) -> tuple[str, bytes]:
        """(version, body) of the snapshot with which stations check scans, by default in a transaction of its own."""
        if connection is None:
            with self.store.read() as reading:
                return self.definitions(reading)
        return self.snapshot.current(connection, self.clock.utc_us(), self._display)

    def _display(self, connection: Connection, now_us: int) -> Display:
        definitions = site_definitions(connection)
        site = site_at(site_history(definitions, site_of(self.config)), now_us)
        return locale_of(self.config, definitions, now_us).separators, site.zone

    @property
    def clock(self) -> HubClock:
        """The clocks of the machine of the hub."""
        return self.store.clock


def current_hub() -> HubContext:
    """The context of the hub that serves the current request."""
    return cast("HubContext", current_app.extensions[_KEY])
