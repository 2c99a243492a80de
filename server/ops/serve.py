"""Server process: gunicorn with one worker process, its own request worker class, and the hub's background threads.

The parent takes the database's lock, opens the hub, binds the port and forks the worker; the worker opens its own
connections. There is no reload, because two workers would write at once. Restart the hub instead; stations keep their
events.
"""

import ctypes
import errno
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import gunicorn.http.message
import gunicorn.workers.gthread
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from server.app import create_app
from server.auth import accounts
from server.auth.devices import StationTokens
from server.config import HubConfig, seconds_of
from server.context import MAX_STREAMS
from server.db.listener import PositionListener
from server.db.position_signal import PositionSignal
from server.db.store import Store, sqlite_path
from server.db.writer_lock import WriterLock
from server.http.connection import MAX_CONNECTIONS
from server.http.request_worker import name_thread
from server.ledger.heartbeats import WaitingHeartbeats
from server.ledger.hub_log import keep_time
from server.ops import gc_tuning
from server.ops.bootstrap import database_exists, open_hub
from server.ops.control_server import ControlServer
from server.ops.scheduler import BackupScheduler, ClockMonitor
from server.ops.site_proposal import propose_site
from server.ops.waiting_page import WaitingPage
from server.projection.worker import Projector
from station.system.progress import terminal_progress

THREADS = MAX_STREAMS + 16  # each stream occupies a thread; the other 16 serve all further requests
GRACE_S = 5
SEND_BUFFER_BYTES = 512 * 1024  # an answer of usual size fits, so its thread is free even if the client reads slowly
LINGER_S = 0.3  # for a request in transit while the hub stops; stations send it again anyway
TAKEN_S = 2.0  # time for the worker of a killed hub to release the lock and the port
BACKLOG = 1024  # all stations connect again at once after a restart of the hub
MAX_FILES = 4096  # as config/systemd/wipline-hub.service: connections, and the files of the database connections
MAX_REQUEST_LINE = 32 * 1024  # a code of 4,296 characters, percent-encoded, is one segment of an address
PR_SET_PDEATHSIG = 1
_log = logging.getLogger(__name__)


class ServeError(RuntimeError):
    """The hub cannot listen as configured; the message has what came, what was expected and what to do."""


def serve(config: HubConfig, print_address: Callable[[str], None], print_link: Callable[[str], None]) -> None:
    """Run the hub until a signal stops it. `print_address` gets its address, `print_link` the first sign-in link.

    1. Raise the limit of open files; take the lock and open the hub, and answer with the progress of a migration meanwhile;
       bind the port.
    2. Write the anchor of this start, and the first `site.define`; make a sign-in link where there is no account.
    3. Close the store, because no database connection may cross the fork.
    4. Run gunicorn.

    Raises `ServeError`, `NoHub`, `NewerDatabase`, `TooLittleDisk` or `HubLocked` before it listens.
    """
    raise_file_limit()
    path = sqlite_path(config.db)
    lock = WriterLock(path, wait_s=TAKEN_S) if path is not None and database_exists(path) else None
    with terminal_progress("The start of the hub", "The database is as before. Start the hub again.") as line:
        page = WaitingPage(lambda: _bind(config.host, config.port), line)
        try:
            store = open_hub(config.db, lock=lock, folds=True, show=page.show)
        except BaseException:
            page.close()
            raise
        listening = page.release()
    host, port = listening.getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    with store.write() as connection:
        keep_time(connection, store.clock, start=True)
        propose_site(connection, config, store.clock)
        now_us = store.clock.utc_us()
        secret = None if accounts.anyone(connection) else accounts.make_link(connection, None, now_us)
    store.close()
    print_address(f"The hub is at {address}")
    if secret is not None:
        print_link(f"There is no account yet. Within 15 minutes, once: {address}/sign-in/{secret}")
    _GunicornApp(config, lock, listening).run()


def raise_file_limit(files: int = MAX_FILES) -> int:
    """Raise this process's limit of open files to `files`, or as far as the system allows it. Returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files if hard == resource.RLIM_INFINITY else min(files, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = time.monotonic() + TAKEN_S
    while True:
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit this option.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        try:
            listening.bind((host, port))
        except OSError as error:
            listening.close()
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            in_use = error.errno == errno.EADDRINUSE
            why = "is used by another program" if in_use else f"cannot be used: {error.strerror}"
            msg = f"{host}:{port} {why}; expected a free port. Choose another with --port, or --port 0 for any."
            raise ServeError(msg) from error
        listening.listen(BACKLOG)
        return listening


class _OneWorker(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's parent process without the signals that would start a second worker."""

    def handle_hup(self) -> None:
        _log.warning("no reload: restart the hub; stations keep their events meanwhile")

    handle_ttin = handle_ttou = handle_usr2 = handle_hup


class _GunicornApp(BaseApplication):  # type: ignore[misc]
    """Gunicorn's application object: the settings, and the Flask application, which is created in the worker."""

    def __init__(self, config: HubConfig, lock: WriterLock | None, listening: socket.socket) -> None:
        self._config = config
        self._lock = lock
        self._listening = listening
        self._work: WorkerTasks | None = None
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's settings; none are read from files or the environment."""
        settings = {
            "bind": f"fd://{self._listening.fileno()}",
            "worker_class": "server.http.request_worker.RequestWorker",
            "worker_connections": 2 * MAX_CONNECTIONS,  # never reached: the worker limits connections itself
            "http_parser": "python",
            "sendfile": False,  # all bytes pass through the worker's socket, which has the send timeout
            "chdir": "/",  # a folder that every user may enter
            "workers": 1,
            "threads": THREADS,
            "graceful_timeout": GRACE_S,
            "keepalive": 65,
            "loglevel": "warning",
            "control_socket_disable": True,
            "post_fork": _die_with_parent,
            "post_worker_init": self._started,
            "worker_exit": self._ended,
        }
        if os.access("/dev/shm", os.W_OK):  # noqa: S108  gunicorn's heartbeat file, off a disk that may stall
            settings["worker_tmp_dir"] = "/dev/shm"  # noqa: S108
        for name, value in settings.items():
            self.cfg.set(name, value)
        gunicorn.http.message.MAX_REQUEST_LINE = MAX_REQUEST_LINE
        gunicorn.workers.gthread.STOP_KEEPALIVE_LINGER = LINGER_S
        self.cfg.set("limit_request_line", MAX_REQUEST_LINE)

    def load(self) -> Any:
        """Create the application; called in the worker."""
        store = Store(self._config.db, lock=self._lock)
        self._work = WorkerTasks(self._config, store)
        return create_app(
            self._config, store, self._work.projected, self._work.duties, heartbeats=self._work.heartbeats
        )

    def run(self) -> None:
        """Serve until a signal stops it."""
        _OneWorker(self).run()

    def _started(self, worker: Any) -> None:
        assert self._work is not None
        gc_tuning.tune()
        self._work.start()
        worker.is_station = self._work.tokens.known
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, self._ending(signal.getsignal(number)))
        worker.log.debug("worker started")

    def _ending(self, then: Any) -> Callable[[int, FrameType | None], None]:
        """A signal handler that ends the streams first; they would delay the worker's stop by GRACE_S."""

        def end(number: int, frame: FrameType | None) -> None:
            if self._work is not None:
                self._work.projected.close()
            then(number, frame)

        return end

    def _ended(self, _server: Any, _worker: Any) -> None:
        if self._work is not None:
            self._work.stop()


class WorkerTasks:
    """The worker's background threads: projector, control socket, backups, clock checks, token refresh, heartbeats.

    `projected` announces projected positions; `duties` are the checks of /healthz for the threads and the backups.
    """

    def __init__(self, config: HubConfig, store: Store) -> None:
        self.projected = PositionSignal()
        self._store = store
        store.on_progress = self.projected.announce_refold  # open pages read the progress again
        self._stop = threading.Event()
        self.tokens = StationTokens(store)
        self.heartbeats = WaitingHeartbeats(store)
        self._control = ControlServer(store) if store.path is not None else None
        projector = Projector(store, self.projected)
        listener = PositionListener(store, self.projected, projector.read_pos)
        backups = BackupScheduler(config.backup.path, seconds_of(config.backup.every), store)
        self._threads = [
            threading.Thread(target=run, args=(self._stop,), name=name, daemon=True)
            for name, run in (
                ("projector", projector.run),
                ("clock", ClockMonitor(store).run),
                ("backup", backups.run),
                ("tokens", self.tokens.run),
                ("heartbeats", self.heartbeats.run),
                *([] if store.path is not None else [("listener", listener.run)]),
            )
        ]
        self.duties = (self._ended_thread, backups.trouble)

    def start(self) -> None:
        """Start all threads, after the first read of the station tokens."""
        self.tokens.refresh()  # before the first request
        for thread in (*self._threads, *([self._control] if self._control else [])):
            thread.start()
            name_thread(thread.name, thread.native_id)

    def _ended_thread(self) -> str | None:
        for thread in self._threads:
            if thread.ident is not None and not thread.is_alive() and not self._stop.is_set():
                return f"The hub's {thread.name} has stopped. See the hub's log, and restart the hub."
        return None

    def stop(self) -> None:
        """Stop all threads, then close the database.

        The signals are closed before the threads are joined, because threads wait for them.
        """
        self._stop.set()
        self.projected.close()
        self._store.arrived.close()
        if self._control is not None:
            self._control.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(GRACE_S)
        self._store.close()


def _die_with_parent(_server: Any, _worker: Any) -> None:
    """Let the kernel kill the worker with its parent, so that port and lock are free for the next start."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    sys.stdout.flush()
