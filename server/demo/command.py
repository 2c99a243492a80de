"""Command `wipline-hub demo`: run a hub and three stations with simulated scans in a temporary folder."""

import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from server.demo.live import Operators, stop
from server.demo.show import DemoRun, free_port
from server.demo.simulated_shop import SimulatedScan
from server.demo.station_client import DemoRequestFailed

DEFAULT_PORT = 8080
SEED = 7
SCAN_EVERY_S = 1.0
CHECK_EVERY_S = 0.2  # interval at which ended processes and the deadline are checked


class _StopRequested(Exception):
    """A signal stopped the demo: Ctrl-C, SIGTERM, or a closed terminal."""


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=DEFAULT_PORT, show_default=True, help="0: any free port."
)
@click.option("--db", help="An empty PostgreSQL database, as a URL; by default an SQLite file in the demo's folder.")
@click.option("--seconds", type=click.FloatRange(min=0), help="Stop after this time; by default at Ctrl-C.")
def demo(port: int, db: str | None, seconds: float | None) -> None:
    """Run a demonstration: a hub and three stations with ten past days and live scans. All data is deleted at the end."""
    port = free_port(port)
    before = {number: signal.signal(number, _stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        with tempfile.TemporaryDirectory(prefix="wipline-demo-", ignore_cleanup_errors=True) as folder:
            show = DemoRun(Path(folder), SEED, port, db)
            try:
                _play(show, seconds)
            except _StopRequested:
                click.echo("\nEnding the demo.")
            except DemoRequestFailed as error:
                msg = f"{error}\nThe hub's log ends with:\n{show.log_tail('hub')}"
                raise click.ClickException(msg) from error
            finally:
                for number in before:
                    signal.signal(number, signal.SIG_IGN)  # a second signal must not interrupt the cleanup
                stop(show.processes)
                show.remove_tables()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _StopRequested


def _play(show: DemoRun, seconds: float | None) -> None:
    show.prepare()
    show.open()
    acts = show.send_past()
    operators = show.start_stations()
    click.echo(f"The demo is at {show.url}/\n")
    click.echo(f"  sign in (once, within 15 minutes): {show.sign_in}")
    click.echo(f"  stations: {', '.join(show.stations)}; about a scan a second")
    click.echo("  Ctrl-C ends it and deletes all its data.")
    deadline = None if seconds is None else time.monotonic() + seconds
    for stage, text in _typed(show, acts, operators):
        show.at(stage).scan(stage, text)
        if not _wait(show, deadline):
            return


def _typed(show: DemoRun, acts: Iterator[SimulatedScan], operators: Operators) -> Iterator[tuple[str, str]]:
    """Every further read: (stage, text)."""
    for act in acts:
        for text in (*operators.before(show.at(act.stage).name, act.stage), *act.texts):
            yield act.stage, text


def _wait(show: DemoRun, deadline: float | None) -> bool:
    """Wait until the next scan; False at the deadline. Raises `click.ClickException` if a process has ended."""
    until = time.monotonic() + SCAN_EVERY_S
    while True:
        ended = show.ended()
        if ended is not None:
            raise click.ClickException(ended)
        now = time.monotonic()
        if deadline is not None and now >= deadline:
            return False
        if now >= until:
            return True
        time.sleep(max(0.0, min(CHECK_EVERY_S, until - now, (deadline or until) - now)))
