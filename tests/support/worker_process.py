"""The hub's web worker around a small application: `worker_process.py BOUNDS`, where BOUNDS is JSON of `WorkerLimits`.

BOUNDS may also have `threads`, by default 4.

Prints its port. `/wait` answers once `/go` was asked; `/echo` answers what it got; `/long` answers 64 MiB.
"""

import json
import sys
import threading
from typing import Any

import gunicorn.workers.gthread
from gunicorn.app.base import BaseApplication

from server.http.connection import WorkerLimits
from server.http.request_worker import RequestWorker

go = threading.Event()
given = json.loads(sys.argv[1])
threads = given.pop("threads", 4)


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The application, as WSGI has it."""
    path = environ["PATH_INFO"]
    if path == "/wait":
        go.wait()
    elif path == "/go":
        go.set()
    parts = [b"x" * 2**17] * 512 if path == "/long" else [environ["wsgi.input"].read()]
    start_response("200 OK", [("Content-Length", str(sum(map(len, parts))))])
    return parts


class TriedWorker(RequestWorker):
    """With the bounds of a test."""

    bounds = WorkerLimits(**given)


def know_the_station(worker: RequestWorker) -> None:
    """Set the test of tokens, as `server.ops.serve` does at startup: one token, "station"."""
    worker.is_station = "station".__eq__


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with so many threads for pages."""

    def load_config(self) -> None:
        settings = {
            "bind": "127.0.0.1:0",
            "worker_class": TriedWorker,
            "threads": threads,
            "loglevel": "critical",
            "keepalive": 65,
            "graceful_timeout": 2,
            "control_socket_disable": True,
            "sendfile": False,
            "when_ready": lambda arbiter: print(arbiter.LISTENERS[0].sock.getsockname()[1], flush=True),
            "post_worker_init": know_the_station,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)
        gunicorn.workers.gthread.STOP_KEEPALIVE_LINGER = 0.3

    def load(self) -> Any:
        return application


if __name__ == "__main__":
    sys.argv[0] = "worker_process"
    Server().run()
