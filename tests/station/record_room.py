"""What the tests of recordings on a station share: what a command says, and what stands in a recording."""

from pathlib import Path

from click.testing import CliRunner

from drivers.decode.recording import Event, Head, Recorded
from station.cli import main


def never_started(folder: Path) -> Path:
    """The configuration of a station that was never started."""
    path = folder / "station.toml"
    path.write_text(f'station = "saw-1"\njournal = "{folder}/journal.db"\nstatus = "{folder}/status.json"\n')
    return path


def asked(*words: object, stdin: bytes = b"") -> tuple[int, str, str]:
    """What a command says: its code, its standard output and error."""
    done = CliRunner().invoke(main, [str(word) for word in words], input=stdin)
    return done.exit_code, done.stdout, done.stderr


def events_of(file: Path) -> list[Head | Event]:
    reader = Recorded()
    return [*reader.feed(file.read_bytes()), *reader.end()]
