"""`wipline-hub demo`: a hub, three stations and a small factory's work, all on this machine, gone when it ends."""

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
LOOK_EVERY_S = 0.2  # whether a program has ended, and whether time is up


class _Asked(Exception):
    """Somebody asked the demo to end: Ctrl-C, SIGTERM, or its terminal was closed."""


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=DEFAULT_PORT, show_default=True, help="0 picks a free one."
)
@click.option("--seconds", type=click.FloatRange(min=0), help="End by itself after this time; without it, at Ctrl-C.")
def demo(port: int, seconds: float | None) -> None:
    """Show a small factory at work: a hub and three stations on this machine, ten days behind them. Nothing is kept."""
    port = free_port(port)
    before = {number: signal.signal(number, _ask) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        with tempfile.TemporaryDirectory(prefix="wipline-demo-", ignore_cleanup_errors=True) as folder:
            show = DemoRun(Path(folder), SEED, port)
            try:
                _play(show, seconds)
            except _Asked:
                click.echo("\nEnding the demo.")
            except DemoRequestFailed as error:
                msg = f"{error}\nThe hub's log ends with:\n{show.last_words('hub')}"
                raise click.ClickException(msg) from error
            finally:
                for number in before:
                    signal.signal(number, signal.SIG_IGN)  # once is enough: the programs are on their way out
                stop(show.processes)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ask(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _Asked


def _play(show: DemoRun, seconds: float | None) -> None:
    show.prepare()
    show.open()
    acts = show.relive()
    operators = show.staff()
    click.echo(f"The demo is at {show.url}/\n")
    click.echo(f"  sign in (once, within 15 minutes): {show.sign_in}")
    click.echo(f"  stations: {', '.join(show.stations)}; about a scan a second")
    click.echo("  Ctrl-C ends it and leaves nothing behind.")
    deadline = None if seconds is None else time.monotonic() + seconds
    for stage, text in _typed(show, acts, operators):
        show.at(stage).scan(stage, text)
        if not _wait(show, deadline):
            return


def _typed(show: DemoRun, acts: Iterator[SimulatedScan], operators: Operators) -> Iterator[tuple[str, str]]:
    """Every single read from now on: stage and text."""
    for act in acts:
        for text in (*operators.before(show.at(act.stage).name), *act.texts):
            yield act.stage, text


def _wait(show: DemoRun, deadline: float | None) -> bool:
    """Let a second pass; False when time is up. Raises `click.ClickException` where one of the programs has ended."""
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
        time.sleep(max(0.0, min(LOOK_EVERY_S, until - now, (deadline or until) - now)))
