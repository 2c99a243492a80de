"""The least that a hub could do: `bare_hub.py PORT DATABASE`, the hub's web worker around a bare Flask application.

It decodes the body of a batch and inserts one row for each event, in one committed and flushed transaction. It knows no
tokens, no hash chain and no projection. DATABASE is the path of a new SQLite file or the URL of an empty PostgreSQL one.
"""

import sys
import threading
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import gunicorn.workers.gthread
import msgspec
from flask import Flask, Response, request
from gunicorn.app.base import BaseApplication

from station.core.protocol import EventsAnswer, EventsRequest, EventVerdict, SessionAnswer

CREATE = "CREATE TABLE event (log text, seq bigint, bytes {}, PRIMARY KEY (log, seq))"


class Rows:
    """The table of events. `insert` returns after the commit; one transaction at a time, as in a ledger."""

    def __init__(self, database: str) -> None:
        self._lock = threading.Lock()
        self._mark = "?"
        if "://" in database:
            import psycopg

            self._db: Any = psycopg.connect(database, autocommit=True)
            self._db.execute(CREATE.format("bytea"))
            self._mark = "%s"
        else:
            import sqlite3

            self._db = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 8000"):
                self._db.execute(f"PRAGMA {pragma}")
            self._db.execute(CREATE.format("blob"))

    def _transaction(self) -> AbstractContextManager[Any]:
        return self._begun() if self._mark == "?" else self._db.transaction()

    @contextmanager
    def _begun(self) -> Any:
        self._db.execute("BEGIN IMMEDIATE")
        yield
        self._db.execute("COMMIT")

    def insert(self, log: str, from_seq: int, events: list[bytes]) -> None:
        """Insert the events of one batch and commit."""
        with self._lock, self._transaction():
            for seq, event in enumerate(events, from_seq):
                marks = ", ".join([self._mark] * 3)
                self._db.execute(f"INSERT INTO event VALUES ({marks})", (log, seq, event))  # noqa: S608  marks only


def application(database: str) -> Flask:
    """The application with the two addresses that a simulated station needs."""
    app, rows = Flask("bare"), Rows(database)

    @app.post("/api/v1/session")
    def session() -> Response:
        return _json(SessionAnswer(hub_epoch=1, accepted_thru=0, durable_thru=0))

    @app.post("/api/v1/logs/<log>/events")
    def events(log: str) -> Response:
        body = msgspec.json.decode(request.get_data(), type=EventsRequest)
        rows.insert(log, body.from_seq, body.events)
        last = body.from_seq + len(body.events) - 1
        verdicts = [EventVerdict(seq, "ok") for seq in range(body.from_seq, last + 1)]
        return _json(EventsAnswer(verdicts=verdicts, accepted_thru=last, durable_thru=0, hub_epoch=1, head=""))

    return app


def _json(answer: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(answer), mimetype="application/json")


def _trust(worker: Any) -> None:
    worker.is_station = bool


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with the settings of `server.ops.serve`."""

    def load_config(self) -> None:
        settings = {
            "bind": f"127.0.0.1:{sys.argv[1]}",
            "worker_class": "server.http.request_worker.RequestWorker",
            "worker_connections": 4096,
            "threads": 40,
            "loglevel": "warning",
            "keepalive": 65,
            "graceful_timeout": 2,
            "http_parser": "python",
            "control_socket_disable": True,
            "sendfile": False,
            "when_ready": lambda _arbiter: print("ready", flush=True),
            "post_worker_init": _trust,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)
        gunicorn.workers.gthread.STOP_KEEPALIVE_LINGER = 0.3

    def load(self) -> Any:
        return application(sys.argv[2])


if __name__ == "__main__":
    Server().run()
