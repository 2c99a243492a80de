"""`wipline-station`: the commands of a scanning station.

Each exits 0, or says on standard error what came, what was expected and what to do: 1 where the station or its journal is
at fault, 2 where the command or the configuration is.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from station.cli.options import config_option, configured, fail, journal_option, snapshot_of
from station.cli.scans import decode, record

REPLUG = "Pull it out and plug it in again."


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
    """Scan until told to end (SIGTERM, Ctrl-C)."""
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
@click.option("--json", "as_json", is_flag=True, help="The status file as it is.")
def status(config_path: Path, as_json: bool) -> None:
    """How the station is, and how old that news is."""
    from station.cli.output import as_text

    found, age_s = _status(config_path)
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(found).decode())
    else:
        click.echo(as_text(found, age_s))


@main.command()
@config_option
@journal_option
@click.option("--forget", metavar="ID", help="Forget what this reader was taught.")
@click.option("--keypad", metavar="ID", help="This device is a number pad: its digits and Enter are quantities.")
def readers(config_path: Path, journal: str | None, forget: str | None, keypad: str | None) -> None:
    """The readers of this station: how each device is taken, on what grounds, and what to do where that is wrong."""
    from station.cli.output import readers_text

    if forget is not None or keypad is not None:
        _teach(config_path, journal, forget, keypad)
        return
    found, age_s = _status(config_path)
    click.echo(readers_text(found, age_s))


def _teach(config_path: Path, journal: str | None, forget: str | None, keypad: str | None) -> None:
    from station.cli.keypads import keypad_candidates, profile_store
    from station.readers.profile_store import KEYPAD

    config = configured(config_path)
    profiles = profile_store(config, journal)
    try:
        if keypad is not None:
            here = keypad_candidates(config, profiles)
            if keypad not in here:
                ids = f"Expected one of {', '.join(here)}." if here else "Nothing that types is plugged in."
                fail(f"There is no device {keypad!r} here. {ids} Plug it in, and say its ID as `readers` shows it.", 2)
            profiles.keep(keypad, KEYPAD)
            click.echo(f"{keypad} is a number pad from now on ({profiles.path}). {REPLUG}")
        if forget is not None and not profiles.forget(forget):
            known = ", ".join(profiles.ids()) or "none was taught anything"
            fail(
                f"There is nothing to forget of {forget!r} in {profiles.path}. Expected one of the taught: {known}.", 2
            )
    except OSError as error:
        fail(
            f"{profiles.path} cannot be written: {error.strerror}. Say so as the station's user: sudo -u wipline ...", 1
        )
    if forget is not None:
        click.echo(f"{forget} is forgotten ({profiles.path}). {REPLUG}")


def _status(config_path: Path) -> "tuple[StationStatus, float]":
    from station.status import read

    path = Path(configured(config_path).status)
    found = read(path)
    if found is None:
        fail(
            f"There is no status in {path}. Expected one that a running station writes. "
            "Start it: sudo systemctl start wipline-station",
            1,
        )
    return found


@main.command()
@config_option
def doctor(config_path: Path) -> None:
    """Name each thing that is wrong, and the command that mends it. Exits 1 where there is one."""
    from station.cli.doctor import examine

    wrong = 0
    for finding in examine(config_path):
        click.echo(f"{'ok   ' if finding.ok else 'WRONG'}  {finding.what}")
        if not finding.ok:
            wrong += not finding.only_note
        if finding.mend:
            click.echo(f"       {finding.mend}")
    click.echo(f"{wrong} wrong" if wrong else "nothing is wrong")
    sys.exit(1 if wrong else 0)


@main.command()
@config_option
@journal_option
def verify(config_path: Path, journal: str | None) -> None:
    """Walk the journal's whole chain. Exits 1 where it is broken."""
    reader = _journal(config_path, journal)
    breaks = reader.verify()
    for each in breaks:
        click.echo(f"seq {each.seq}: {each.sentence}")
    if breaks:
        fail(f"The chain breaks at {len(breaks)} place(s). Expected none. {_doubted(reader.path)}", 1)
    click.echo(f"log {reader.log_id.hex()}: whole, {reader.tip.seq} events, tip {reader.tip.hash.hex()}")


def _doubted(journal: Path) -> str:
    """Have the next start walk the whole chain; what to do now."""
    from station.journal import verify_marker

    try:
        verify_marker.set_marker(journal)
    except OSError as error:
        return f"Say so again as a user who may write beside the journal ({error.strerror}), then restart the station."
    return "Restart the station: it moves the files aside and saves what can be read."


@main.command()
@config_option
@journal_option
@click.option("--after", type=int, default=0, help="Only events behind this number.")
@click.option("--limit", type=int, help="At most so many.")
def events(config_path: Path, journal: str | None, after: int, limit: int | None) -> None:
    """The journal's events as lines of JSON: log, seq, hash, and the event as it was recorded."""
    from station.cli.output import event_line

    reader, left = _journal(config_path, journal), limit if limit is not None else sys.maxsize
    log = reader.log_id
    while left > 0 and (found := reader.events(after, min(left, 500), log_id=log)):
        for stored in found:
            click.echo(event_line(log, stored))
        after, left = found[-1].seq, left - len(found)


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
@click.option("--stage", "stages", multiple=True, metavar="ID[=NAME]", help="A stage's card; as often as you like.")
@click.option("--reason", "reasons", multiple=True, metavar="ID[=NAME]", help="A reason's card.")
@click.option(
    "--call", "calls", multiple=True, metavar="KIND", help="A card that calls somebody.  [default: supervisor]"
)
@click.option("--badge", "badges", multiple=True, metavar="ID[=NAME]", help="A person's badge.")
def sheet(config_path: Path, **asked: Any) -> None:
    """The sheet that teaches a station a new scanner, or the operator's cards, ready to print.

    Without a file's name it is a PDF: wipline-setup.pdf (wipline-cards.pdf) in this folder, or, in a pipe, standard
    output: wipline-station sheet | lp. Cards take the shop's stages, reasons and people from what this station knows.
    """
    from station.cli.print_sheets import PrintOptions, PrintOptionsError, prepare
    from station.core.printing import PaperError

    snapshot = snapshot_of(config_path) if asked["cards"] else None
    try:
        printed = prepare(PrintOptions(**asked), snapshot, terminal=sys.stdout.isatty())
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

if __name__ == "__main__":
    main()
