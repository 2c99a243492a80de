"""The hub in a test: a store with a new hub in it, an application around it, and logs as a station writes them."""

import base64
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from engines import SQLITE, Databases, HubsOnServer
from fake_host import FakeMachine
from flask import Flask
from flask.testing import FlaskClient
from floor_full import full_floor
from jinja2 import FileSystemBytecodeCache
from postgres_server import PostgresServer, postgres_server
from shop_writer import ShopWriter

from server.app import create_app
from server.auth import accounts, devices
from server.config import HubConfig
from server.context import Duty, HubLimits
from server.db.store import Store
from server.ledger import station_logs
from server.ledger.ingest import BatchAppended, BatchRefused, EventBatch, append
from server.ops.bootstrap import initialise, save_location
from station.core.hash_chain import genesis, link
from station.system import clock

# Every test has an application of its own; the templates of all of them are compiled once.
Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": FileSystemBytecodeCache()}
NOW_US = 1_790_000_000_000_000


@dataclass
class ALog:
    """A station's log: `write` adds an event, `batch` is what would be sent."""

    log_id: bytes = bytes(range(16))
    events: list[bytes] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)

    def write(self, *texts: str) -> "ALog":
        for text in texts:
            encoded = b'{"v":1,"kind":"scan","station":"saw-1","sw":"t","raw":"%s"}' % base64.b64encode(text.encode())
            self.hashes.append(link(self.hash_at(len(self.events)), encoded))
            self.events.append(encoded)
        return self

    def hash_at(self, seq: int) -> bytes:
        return self.hashes[seq - 1] if seq else genesis(self.log_id)

    def batch(self, first: int = 1, last: int | None = None) -> EventBatch:
        last = len(self.events) if last is None else last
        return EventBatch(
            self.log_id, first, self.hash_at(first - 1), self.hash_at(last), self.events[first - 1 : last]
        )

    def body(self, first: int = 1, last: int | None = None, **changes: Any) -> dict[str, Any]:
        batch = self.batch(first, last)
        plain = {
            "from_seq": batch.from_seq,
            "prev": batch.prev.hex(),
            "tip": batch.tip.hex(),
            "events": [base64.b64encode(event).decode() for event in batch.events],
        }
        return {**plain, **changes}

    def forked(self, at: int) -> "ALog":
        """A copy of the log that went on by itself behind `at`."""
        return ALog(self.log_id, self.events[:at], self.hashes[:at])


@pytest.fixture(scope="session")
def new_hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a new hub, made once: copied it is there at once."""
    path = tmp_path_factory.mktemp("new") / "hub.db"
    made = Store(path)
    initialise(made)
    made.close()
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The PostgreSQL server of the run, started with the first test that needs it."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def hubs_on_server(postgres: PostgresServer) -> Iterator[HubsOnServer]:
    """New hubs on that server."""
    hubs = HubsOnServer(postgres)
    yield hubs
    hubs.close()


@pytest.fixture
def engine() -> str:
    """The database engine; a folder whose tests run on both overrides it."""
    return SQLITE


@pytest.fixture
def databases(request: pytest.FixtureRequest, engine: str, tmp_path: Path) -> Iterator[Databases]:
    """Makes databases of the engine."""
    fixture = request.getfixturevalue  # on demand: a test on SQLite starts no server
    made = Databases(tmp_path, lambda: fixture("new_hub"), None if engine == SQLITE else fixture("hubs_on_server"))
    yield made
    made.close()


@pytest.fixture
def machine() -> FakeMachine | None:
    """The machine that the store's hub runs on: None is this one; a test that moves clocks overrides it."""
    return None


@pytest.fixture
def store(databases: Databases, machine: FakeMachine | None) -> Iterator[Store]:
    """A new hub's store."""
    opened = Store(databases.hub(), host=None if machine is None else machine.host)
    save_location(opened)
    yield opened
    opened.close()


@pytest.fixture
def a_log() -> ALog:
    """A log in which four events stand."""
    return ALog().write("one", "two", "three", "four")


@pytest.fixture
def append_batch(store: Store) -> Callable[..., BatchAppended | BatchRefused]:
    """Append a batch as the hub does; the row of a new log is inserted first."""

    def taken(batch: EventBatch, **limits: int) -> BatchAppended | BatchRefused:
        with store.write() as connection:
            station_logs.log_of(connection, batch.log_id, device=None, station="saw-1", now_us=NOW_US)
            return append(connection, batch, recv_us=NOW_US, **limits)

    return taken


@dataclass
class HubApp:
    """A hub's application with its clients: stations, tokens, signed-in persons and anonymous clients."""

    app: Flask
    store: Store
    config: HubConfig
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def station(self, name: str = "saw-1") -> dict[str, str]:
        with self.store.write() as connection:
            return bearer(devices.add(connection, name, clock.utc_us()))

    def token(self, roles: str) -> dict[str, str]:
        with self.store.write() as connection:
            return bearer(accounts.add_token(connection, None, roles, clock.utc_us()))

    def anonymous(self) -> FlaskClient:
        return self.app.test_client()

    def person(self, roles: str, name: str | None = None) -> FlaskClient:
        """A browser session of a new person with these roles, signed in by a link."""
        with self.store.write() as connection:
            key = accounts.add_person(connection, name or f"person-{next(self._numbers)}", roles, None, clock.utc_us())
            secret = accounts.make_link(connection, key, clock.utc_us())
        browser = self.app.test_client()
        answer = browser.post(f"/sign-in/{secret}", data={"csrf_token": csrf(browser, f"/sign-in/{secret}")})
        assert answer.status_code == 302
        return browser


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def csrf(browser: FlaskClient, path: str) -> str:
    """The token that the form on this page carries."""
    page = browser.get(path).get_data(as_text=True)
    return page.partition('name="csrf_token" value="')[2].partition('"')[0]


@pytest.fixture
def csrf_of() -> Callable[[FlaskClient, str], str]:
    return csrf


@pytest.fixture
def limits() -> HubLimits:
    """The limits of the hub's answers; a test that varies them overrides it. The board is computed for each request."""
    return HubLimits(board_every_s=0, board_keep_s=0)


@pytest.fixture
def open_hub_app(store: Store, limits: HubLimits) -> Callable[..., HubApp]:
    def opened(config: HubConfig, duties: Sequence[Duty] = ()) -> HubApp:
        app = create_app(config, store, duties=duties, limits=limits)
        app.testing = False  # errors are answered, as in the shop
        return HubApp(app, store, config)

    return opened


@pytest.fixture
def hub_app(open_hub_app: Callable[..., HubApp]) -> HubApp:
    """A hub on loopback: every client may read."""
    return open_hub_app(HubConfig())


@pytest.fixture
def rows(store: Store) -> Callable[[Any], Sequence[Any]]:
    """Whatever a select finds."""

    def found(wanted: Any) -> Sequence[Any]:
        with store.read() as connection:
            return [tuple(row) for row in connection.execute(wanted)]

    return found


@pytest.fixture
def shop_writer(store: Store) -> ShopWriter:
    """Writes the entries and scans of a shop into the hub."""
    return ShopWriter(store)


@pytest.fixture
def full(shop_writer: ShopWriter) -> ShopWriter:
    """The same with a full floor: ten days of the small shop."""
    full_floor(shop_writer)
    return shop_writer
