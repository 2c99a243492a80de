"""The commands that print decoded scans: `decode` for a list or a recording, and `record` for a reader."""

import io
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import click

from station.cli.options import config_if_any, config_option, fail, snapshot_of


@click.command()
@config_option
@click.option("--hex", "tags", is_flag=True, help="The memory of one RFID tag a line, in hex, instead of scans.")
@click.argument("source", type=click.File("rb"), default="-")
def decode(config_path: Path, tags: bool, source: BinaryIO) -> None:
    """Read one scan a line ({GS} {RS} {EOT} {FNC1} {XX} for control characters) and print each decoded, as JSON.

    A recording of a reader (`record`) is played. The shop's own patterns are used where this station has them.
    """
    from drivers import DriverError
    from drivers.decode.capture_file import MARK, is_recording
    from station.cli.output import decoded_lines, decoded_recording, decoded_tags

    stream = source if isinstance(source, io.BufferedReader) else io.BufferedReader(source)  # type: ignore[type-var]
    if is_recording(stream.peek(len(MARK))[: len(MARK)]):
        lines = decoded_recording(stream, _shop_of(config_path))
    else:
        lines = decoded_tags(stream) if tags else decoded_lines(stream, _shop_of(config_path))
    try:
        for line in lines:
            click.echo(line)
    except DriverError as error:
        fail(error, 2)


@click.command()
@config_option
@click.option("--kind", help="The kind of reader, as in station.toml.  [default: detected]")
@click.option("--path", help="The device at this path.")
@click.option("--match", help="The device with these ids or this name.")
@click.option("--layout", help="The keyboard layout that the scanner types for.")
@click.option("--seconds", type=click.IntRange(1, 86_400), help="End after this time.  [default: at Ctrl-C]")
@click.argument("file", type=click.Path(path_type=Path))
def record(config_path: Path, seconds: int | None, file: Path, **options: str | None) -> None:
    """Record the raw input of a reader's device into a new FILE, and print each scan decoded, as JSON.

    `decode FILE` plays it, as does a reader of kind "replay". The station must not use the reader meanwhile. The file
    contains everything that is scanned or typed.
    """
    from drivers import DriverError
    from station.cli.capture import Capture, CaptureOptions
    from station.cli.output import outcome_text
    from station.rules.snapshot import read_shop

    shop = read_shop(_shop_of(config_path))
    try:
        with closing(Capture(CaptureOptions(**options), config_if_any(config_path))) as capture:
            click.echo(
                f"{capture.reader}: everything that is scanned or typed on it from now on is in {file}.", err=True
            )
            click.echo(f"Scan now. {'Ctrl-C ends it.' if seconds is None else f'It ends in {seconds} s.'}", err=True)
            result = capture.make(file, lambda outcome: click.echo(outcome_text(outcome, shop)), seconds)
    except DriverError as error:
        fail(error, 2)
    click.echo(f"{file}: {result.events} events, {result.scans} scans.", err=True)
    if result.why is not None:
        fail(f"{result.why} The file contains the input before it.", 1)


def _shop_of(config_path: Path) -> bytes | None:
    """The body of the stored snapshot; a note on standard error where it cannot be read."""
    snapshot, why = snapshot_of(config_path)
    if why:
        click.echo(f"Decoded without the shop's patterns and bindings. {why}", err=True)
    return snapshot
