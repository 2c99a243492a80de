"""What a running hub has at hand: its configuration, its store, its bells and its counters."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from flask import current_app

from server.api.snapshot_cache import KeptSnapshot
from server.auth.passwords import PASSWORDS, Passwords
from server.auth.rate_limit import Turns
from server.clock.readings import Clock
from server.config import Config
from server.db.position_signal import Bell
from server.db.store import Store
from server.metrics import Counts

Duty = Callable[[], str | None]  # what is wrong with a piece of background work, as a sentence; None: nothing
_KEY = "wipline"


@dataclass(frozen=True, slots=True)
class Running:
    """One hub in one process. `projected` rings when the projection has come further; closed, it ends the streams."""

    config: Config
    store: Store
    projected: Bell = field(default_factory=Bell)
    counts: Counts = field(default_factory=Counts)
    turns: Turns = field(default_factory=Turns)  # of tries to sign in
    passwords: Passwords = PASSWORDS
    snapshot: KeptSnapshot = field(default_factory=KeptSnapshot)
    duties: tuple[Duty, ...] = ()

    def definitions(self) -> tuple[str, bytes]:
        """(version, body) of the definitions that stations judge with."""
        return self.snapshot.current(self.store)

    @property
    def clock(self) -> Clock:
        """The clocks of the hub's machine."""
        return self.store.clock


def running() -> Running:
    """The hub of the request that is being answered."""
    return cast("Running", current_app.extensions[_KEY])
