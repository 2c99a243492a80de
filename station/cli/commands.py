"""`wipline-station`: the commands of a scanning station.

Each exits with 0, or writes to standard error what came, what was expected and what to do, and exits with 1 for a fault of
the station or its journal, with 2 for a fault of the command or the configuration.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from station.cli.options import config_option, configured, fail, journal_option, snapshot_of
from station.cli.scans import decode, record
from station.system.access import DO, EXPECTED, denied


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="wipline", prog_name="wipline-station")
def main() -> None:
    """A scanning station: records every scan durably, answers the operator, and sends all of it to the hub."""


@main.command()
@config_option
@journal_option
@click.option("--station", help="The station's name, instead of the configured one.")
@click.option("--stage", help="The stage, instead of the configured one.")
@click.option("--status", type=click.Path(), help="The status file, instead of the configured one.")
def run(config_path: Path, **flags: str | None) -> None:
    """Scan until SIGTERM or Ctrl-C."""
    from drivers import DriverError
    from station.daemon import run as run_station
    from station.feedback.outputs import OutputError

    config = configured(config_path, **flags)
    try:
        code = run_station(config, str(config_path))
    except (OutputError, DriverError) as error:
        fail(error, 2)
    sys.exit(code)


@main.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print the status file unchanged.")
def status(config_path: Path, as_json: bool) -> None:
    """Print the station's status and its age."""
    from station.cli.output import as_text

    current, age_s = _status(config_path)
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(current).decode())
    else:
        click.echo(as_text(current, age_s))


@main.command()
@config_option
@journal_option
@click.option("--forget", metavar="ID", help="Delete the stored profile of this reader.")
@click.option("--keypad", metavar="ID", help="This device is a number pad: its digits and Enter are quantities.")
def readers(config_path: Path, journal: str | None, forget: str | None, keypad: str | None) -> None:
    """Print each device's state as a reader, the reasons for it, and how to correct it."""
    from station.cli.keypads import change_profiles
    from station.cli.output import readers_text

    if forget is not None or keypad is not None:
        change_profiles(configured(config_path), journal, forget=forget, keypad=keypad)
        return
    current, age_s = _status(config_path)
    click.echo(readers_text(current, age_s))


def _status(config_path: Path) -> "tuple[StationStatus, float]":
    from station.status import read

    path = Path(configured(config_path).status)
    try:
        current = read(path)
    except PermissionError:
        fail(f"The status {denied(path)}. {EXPECTED} {DO}", 1)
    if current is None:
        fail(
            f"There is no status in {path}. Expected one that a running station writes. "
            "Start it: sudo systemctl start wipline-station",
            1,
        )
    return current


@main.command()
@config_option
def doctor(config_path: Path) -> None:
    """Print each fault and the command that corrects it. Exits with 1 where there is one.

    What another user than the station's may not see is printed as not checked.
    """
    from station.cli.doctor import examine

    wrong = checked = hidden = 0
    for finding in examine(config_path):
        click.echo(f"{'-    ' if not finding.checked else 'ok   ' if finding.ok else 'WRONG'}  {finding.what}")
        if not finding.ok:
            wrong += not finding.only_note
        checked, hidden = checked + finding.checked, hidden + (not finding.checked)
        if finding.mend:
            click.echo(f"       {finding.mend}")
    summary = f"{wrong} wrong" if wrong else "nothing is wrong"
    if hidden:
        summary += f"; {hidden} not checked. Check all: sudo wipline-station doctor"
    click.echo(summary if checked else f"nothing was checked. {EXPECTED} {DO}")
    sys.exit(2 if not checked else 1 if wrong else 0)


@main.command()
@config_option
@journal_option
def verify(config_path: Path, journal: str | None) -> None:
    """Verify the journal's whole hash chain. Exits with 1 where it is broken."""
    from station.system.progress import Interrupted, terminal_progress

    reader = _journal(config_path, journal)
    try:
        with terminal_progress("Verify", "It reads alone; the rest is not verified. Repeat the command.") as line:
            breaks = reader.verify(line.show("Verify", "event"))
    except Interrupted as error:
        fail(error, 1)
    for chain_break in breaks:
        click.echo(f"seq {chain_break.seq}: {chain_break.sentence}")
    if breaks:
        fail(f"The chain breaks at {len(breaks)} place(s). Expected none. {_mark_for_verification(reader.path)}", 1)
    click.echo(f"log {reader.log_id.hex()}: whole, {reader.tip.seq} events, tip {reader.tip.hash.hex()}")


def _mark_for_verification(journal: Path) -> str:
    """Make the next start verify the whole chain; returns what to do now."""
    from station.journal import verify_marker

    try:
        verify_marker.set_marker(journal)
    except OSError as error:
        return f"Repeat it as a user who may write beside the journal ({error.strerror}), then restart the station."
    return "Restart the station: it moves the files aside and saves what can be read."


@main.command()
@config_option
@journal_option
@click.option("--after", type=int, default=0, help="Only events behind this number.")
@click.option("--limit", type=int, help="The most events to print.")
def events(config_path: Path, journal: str | None, after: int, limit: int | None) -> None:
    """The journal's events as lines of JSON: log, seq, hash, and the event as it was recorded."""
    from station.cli.output import event_line

    reader, left = _journal(config_path, journal), limit if limit is not None else sys.maxsize
    log = reader.log_id
    while left > 0 and (part := reader.events(after, min(left, 500), log_id=log)):
        for stored in part:
            click.echo(event_line(log, stored))
        after, left = part[-1].seq, left - len(part)


def _journal(config_path: Path, journal: str | None) -> "JournalReader":
    from station.journal import JournalError, JournalReader

    path = Path(journal if journal is not None else configured(config_path).journal)
    try:
        reader = JournalReader(path)
    except JournalError as error:
        fail(error, 1)
    click.get_current_context().call_on_close(reader.close)
    return reader


@main.command()
@config_option
@click.option("--cards", is_flag=True, help="The operator's cards instead of the setup sheet.")
@click.option("--pdf", metavar="FILE", help="Write a PDF file; - is standard output.")
@click.option("--svg", metavar="FILE", help="Write a drawing, a file for each page.")
@click.option("-o", "out", metavar="FILE", help="Write a .pdf or .svg file, by its ending.")
@click.option("--paper", type=click.Choice(["a4", "letter"]), default="a4", show_default=True)
@click.option("--qty", "quantities", metavar="N,N", help="Quantities on cards.  [default: 1,5,10]")
@click.option(
    "--stage", "stages", multiple=True, metavar="ID[=NAME]", help="A stage's card; may be given more than once."
)
@click.option("--reason", "reasons", multiple=True, metavar="ID[=NAME]", help="A reason's card.")
@click.option(
    "--call", "calls", multiple=True, metavar="KIND", help="A card that calls for support.  [default: supervisor]"
)
@click.option("--badge", "badges", multiple=True, metavar="ID[=NAME]", help="A person's badge.")
def sheet(config_path: Path, **asked: Any) -> None:
    """Make the setup sheet for new scanners, or the operator's cards, ready to print.

    Without a file name the output is a PDF: wipline-setup.pdf (wipline-cards.pdf) in this folder, or, in a pipe, standard
    output: wipline-station sheet | lp. The cards use the stages, reasons and people of this station's master data.
    """
    from station.cli.print_sheets import PrintOptions, PrintOptionsError, prepare
    from station.core.printing import PaperError

    snapshot, why = snapshot_of(config_path) if asked["cards"] else (None, "")
    try:
        printed = prepare(PrintOptions(**asked), snapshot, terminal=sys.stdout.isatty(), why=why)
    except PaperError as error:
        fail(error, 2 if isinstance(error, PrintOptionsError) else 1)
    for note in printed.notes:
        click.echo(note, err=True)
    for name in printed.files:
        click.echo(f"{name}: print it at 100 %")


main.add_command(decode)
main.add_command(record)

if TYPE_CHECKING:
    from station.journal import JournalReader
    from station.status import StationStatus
