"""A simulated hub: the production application, ledger, projector, backups and clockwork on one machine, without threads.

What is simulated is the machine: its clock, its power, its disk (a folder), and who asks what. A request goes through the
whole Flask application, as gunicorn would hand it over.
"""

import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.util import LRUCache

from server.app import create_app
from server.auth import devices
from server.config import HubConfig
from server.context import HubLimits
from server.db import schema
from server.db.rollback_guard import DatabaseLocation
from server.db.store import Store
from server.ledger.hub_log import confirm_clock, hub_row
from server.ledger.ingest import last_pos
from server.ops.backup import BackupError, restore
from server.ops.bootstrap import initialise, open_hub
from server.ops.host import Host
from server.ops.scheduler import BackupScheduler, ClockMonitor
from server.projection.worker import Projector
from tests.simulation.world import MachineClock, World

Answer = tuple[int, dict[str, str], bytes]
# What SQLAlchemy compiled, by statement and dialect: the same text in every story, and of no meaning to any.
STATEMENTS = LRUCache(1000)


class SimHub:
    """One hub machine. `backups` is the folder on another disk; `copies` are images of the whole database folder."""

    def __init__(self, world: World, folder: Path, template: Path | None = None) -> None:
        self.world, self.folder = world, folder
        self.clock = MachineClock(world, "hub")
        self.db, self.backups = folder / "hub.db", folder.parent / "backups"
        folder.mkdir()
        self.backups.mkdir()
        self._ids = 0
        self.on = False
        self.full = False
        self.on_restore: Callable[[], None] = lambda: None
        if template is not None:
            shutil.copytree(template, folder, dirs_exist_ok=True)
        else:
            with closing(Store(self.db, host=self.host)) as store:
                initialise(store)

    @property
    def host(self) -> Host:
        """The ports of this machine. Its disk keeps one inode, whatever file lies there: a copy in place shows nowhere."""
        return Host(
            clock=self.clock, random_bytes=self._random_bytes,
            location_of=lambda _db: DatabaseLocation(1, "machine-1"), off_disk=lambda _backup, _db: True,
        )  # fmt: skip

    def _random_bytes(self, length: int) -> bytes:
        return self.world.random.randbytes(length)

    def boot(self) -> None:
        """Power on: the service starts."""
        self.clock.boot()
        self.start()

    def start(self) -> None:
        """The service starts in the present boot."""
        self.store = open_hub(self.db, host=self.host)
        for transaction in (self.store.write, self.store.read):
            with transaction() as connection:  # a hub starts often here
                connection.engine.update_execution_options(compiled_cache=STATEMENTS)
        self.app = create_app(HubConfig(db=str(self.db)), self.store, limits=HubLimits(board_every_s=0, board_keep_s=0))
        self.app.testing = False
        self.client = self.app.test_client(use_cookies=False)
        self.projector = Projector(self.store, self.app.extensions["wipline"].projected)
        self.clockwork = ClockMonitor(self.store)
        self.schedule = BackupScheduler(str(self.backups), 86_400, self.store)
        self.on = True
        self.began()

    def began(self) -> None:
        """What `serve` does at a start."""
        from server.ledger.hub_log import keep_time

        with self.store.write() as connection:
            keep_time(connection, self.clock, start=True)

    def stop(self) -> None:
        """The service ends, or loses its power: what was acknowledged is on its disk."""
        if self.on:
            self.on = False
            self.store.close()

    def add_station(self, name: str) -> str:
        """A station's token."""
        with self.store.write() as connection:
            return devices.add(connection, name, self.clock.utc_us())

    def answer(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer | None:
        """What a request gets; None where the hub is away."""
        if not self.on:
            return None
        if self.full and method == "POST":
            return 503, {"Retry-After": "5"}, b'{"error":{"came":"a full disk","expected":"room","do":"free some"}}'
        response = self.client.open("/api/v1" + path, method=method, data=body, headers=[*headers.items()])
        return response.status_code, dict(response.headers), response.get_data()

    def project(self) -> None:
        """Let the projector come to the end."""
        if self.on:
            self.projector.drain()

    def look_at_clock(self) -> None:
        """The minute's look at the clock."""
        if self.on:
            self.clockwork.step()

    def confirm_clock(self) -> None:
        """A person says that the clock is right."""
        if self.on:
            with self.store.write() as connection:
                confirm_clock(connection, self.clock)

    def back_up(self) -> None:
        """One backup of the schedule."""
        if self.on:
            self.schedule.step()
            self.world.note(f"backup: {len(list(self.backups.glob('*.db')))} in the folder, pos {self.pos()}")

    def restore(self, backup: Path) -> None:
        """`wipline-hub restore` while the service is stopped."""
        self.stop()
        self.on_restore()
        self.world.note(f"hub restored from {backup.name}")
        try:
            restore(str(self.db), backup, self.host)
        except BackupError as error:
            self.world.note(f"no restore: {error}")
        self.start()

    def image(self, target: Path) -> None:
        """A copy of the machine's disk, as a virtual machine's snapshot makes it."""
        running = self.on
        self.stop()
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.folder, target)
        if running:
            self.start()

    def put_back(self, image: Path) -> None:
        """The disk as it was, without a word to the hub."""
        self.stop()
        self.on_restore()
        self.world.note("hub put back without a word")
        shutil.rmtree(self.folder)
        shutil.copytree(image, self.folder)
        self.start()

    def pos(self) -> int:
        """Where the ledger ends."""
        with self.store.read() as connection:
            return last_pos(connection)

    def epoch(self) -> int:
        """The present epoch."""
        with self.store.read() as connection:
            return int(hub_row(connection).epoch)

    def has(self, log_id: bytes, seq: int, event_hash: bytes) -> bool:
        """Whether this very event is in the ledger, at its own place."""
        rows = schema.ledger.c
        wanted = select(rows.pos).where(rows.log_id == log_id, rows.seq == seq, rows.hash == event_hash)
        with self.store.read() as connection:
            return connection.execute(wanted).first() is not None
