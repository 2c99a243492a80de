"""wipline-hub: the hub's commands.

A command exits with 0, or prints on standard error what came, what was expected and what to do.
"""

import sys
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

import click

from server.cli.access import clock, station, token, user
from server.cli.options import settings, where
from server.config import ConfigError
from station.system.access import denied, owner_of
from station.system.progress import Interrupted, terminal_progress
from station.system.version import version

__all__ = ["main", "settings", "where"]
MOST_ROW_BREAKS = 100  # printed
LATER = {  # imported on demand
    "demo": "server.demo:demo",
    "import": "server.importer.cli:import_folder",
    "print": "server.cli.printing:print_group",
}


class HubCommands(click.Group):
    """The command group. Commands with many imports are loaded on demand; known errors become one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return sorted({*super().list_commands(ctx), *LATER})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name."""
        if cmd_name in LATER:
            module, _, name = LATER[cmd_name].partition(":")
            command = getattr(import_module(module), name)
            assert isinstance(command, click.Command)
            return command
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; convert known errors into `ClickException`."""
        from sqlalchemy.exc import DatabaseError

        from server.db.newer_database import NewerDatabase
        from server.db.writer_lock import HubLocked
        from server.ledger.entries import EntryRefused
        from server.ops.admin_commands import CommandFailed
        from server.ops.backup import BackupError
        from server.ops.bootstrap import NoHub
        from server.ops.disk_need import TooLittleDisk
        from server.ops.transfer import TransferError

        known = (
            BackupError, CommandFailed, ConfigError, EntryRefused, HubLocked, Interrupted, NewerDatabase, NoHub,
            TooLittleDisk, TransferError,
        )  # fmt: skip
        try:
            return super().invoke(ctx)
        except known as error:
            raise click.ClickException(str(error)) from error
        except PermissionError as error:
            msg = f"{error}. Check the permissions of the hub's files."
            if error.filename is not None:
                owner = owner_of(Path(error.filename))
                do = f"Repeat the command as its owner: sudo -u {owner} wipline-hub ..."
                msg = f"{denied(error.filename)}. Expected its owner ({owner}) or root. {do}"
            raise click.ClickException(msg) from error
        except (OSError, DatabaseError) as error:
            why = getattr(error, "orig", None) or error
            msg = f"{why}. Check the named database (--db, or db in hub.toml) and its permissions."
            raise click.ClickException(msg) from error


@click.group(cls=HubCommands)
@click.version_option(version(), prog_name="wipline-hub")
def main() -> None:
    """The hub: it keeps the ledger of a shop's work in process and serves its pages."""


@main.command()
@where
def init(config_path: Path | None, db: str | None) -> None:
    """Create a new hub: its database, its keys, its first epoch."""
    from server.db.store import Store, as_url
    from server.ops.bootstrap import initialise

    config = settings(config_path, db)
    path = as_url(config.db)
    if path.get_backend_name() == "sqlite":
        Path(path.database or "").parent.mkdir(parents=True, exist_ok=True)
    store = Store(config.db)
    try:
        initialise(store)
    finally:
        store.close()
    click.echo(f"A new hub in {config.db}", err=True)


@main.command()
@where
@click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on; 0: any free port.")
def run(config_path: Path | None, db: str | None, port: int | None) -> None:
    """Run the hub until Ctrl-C or SIGTERM."""
    from server.ops.serve import ServeError, serve

    config = settings(config_path, db, port)
    try:
        serve(config, print_address=_print_address, print_link=_print_link)
    except ServeError as error:
        raise click.ClickException(str(error)) from error


@main.command("verify")
@where
def verify_command(config_path: Path | None, db: str | None) -> None:
    """Verify the hub's hash chain, that of every log, the accounts, moves and checkpoints of every item, and the daily flow.

    Prints each break. Exits with 1 if there is one.
    """

    from server.db.migrations import HEAD, version_of
    from server.ledger.ingest import last_pos
    from server.ledger.verify import notes, verify
    from server.ops.bootstrap import open_read_only
    from server.projection.fold_version import is_outdated
    from server.projection.verify_checkpoints import verify_checkpoints
    from server.projection.verify_flow import verify_flow
    from server.projection.verify_rows import verify_rows
    from server.text import counted

    with (
        terminal_progress("Verify", "It reads alone; the rest is not verified. Repeat the command.") as line,
        open_read_only(settings(config_path, db).db) as store,
        store.read() as connection,
    ):
        breaks = verify(connection, line.show("Verify, chains", "event"))
        pos = last_pos(connection)
        remarks = [] if breaks else notes(connection)
        outdated = version_of(connection) != HEAD or is_outdated(connection)
        if outdated:
            remarks.append("The rows of items are of an earlier version, and are not verified. Start the hub once.")
        row_breaks = 0
        verified = not breaks and not outdated
        rows = chain(
            verify_rows(connection, line.show("Verify, items", "item")),
            verify_checkpoints(connection),
            verify_flow(connection),
        )
        for row_break in rows if verified else ():
            row_breaks += 1
            if row_breaks <= MOST_ROW_BREAKS:
                line.clear()
                click.echo(str(row_break))
    for remark in remarks:
        click.echo(f"Note: {remark}")
    for ledger_break in breaks:
        click.echo(str(ledger_break))
    if breaks:
        msg = (
            f"{counted(len(breaks), 'break')}. Keep this database unchanged, and restore a backup: wipline-hub restore."
        )
        raise click.ClickException(msg)
    if row_breaks:
        msg = (
            f"The ledger of {counted(pos, 'event')} has no break; its projection has {row_breaks}."
            " Stop the hub and make the projection anew: wipline-hub rebuild."
        )
        raise click.ClickException(msg)
    click.echo(f"{counted(pos, 'event')} verified, no break.")


@main.command()
@where
def doctor(config_path: Path | None, db: str | None) -> None:
    """Check the hub's database, its disk and its ledger, and show the long work that runs; one line for each finding.

    Exits with 1 if something is wrong. The faults of the running process itself are in /healthz alone.
    """
    from server.api.health import health
    from server.context import HubContext
    from server.ops.bootstrap import open_read_only

    config = settings(config_path, db)
    with open_read_only(config.db) as store:
        answer = health(HubContext(config, store))
    for work in answer.running:
        click.echo(f"Running: {work.text}")
    for note in answer.notes:
        click.echo(f"Note: {note}")
    for fault in answer.wrong:
        click.echo(f"Wrong: {fault}")
    if answer.wrong:
        raise click.exceptions.Exit(1)
    click.echo(f"Nothing is wrong: {answer.pos} events in the ledger, {answer.projected_pos} of them on the pages.")


@main.command()
@where
def changes(config_path: Path | None, db: str | None) -> None:
    """List the items whose state changed when another version of the software folded the ledger again."""
    from server.ops.bootstrap import open_read_only
    from server.projection.fold_version import refolds
    from server.text import counted, utc_text

    with open_read_only(settings(config_path, db).db) as store, store.read() as connection:
        found = refolds(connection)
    for refold in found:
        click.echo(f"Version {refold.sw}, {utc_text(refold.at_us)}: {counted(refold.changed, 'item')}")
        for entry in refold.items:
            click.echo(f"  {entry.item}: {entry.before or 'not there'} -> {entry.after or 'not there'}")
        if refold.changed > len(refold.items):
            click.echo(f"  and {counted(refold.changed - len(refold.items), 'item')} more")
    if not found:
        click.echo("No update has changed the state of an item.")


@main.command()
@where
def rebuild(config_path: Path | None, db: str | None) -> None:
    """Rebuild the projection from the ledger, while the hub does not run."""
    from server.db.long_work import REBUILD, published
    from server.ops.bootstrap import open_hub, require_room
    from server.ops.disk_need import rebuild_need
    from server.ops.gc_tuning import tune
    from server.projection.fold_version import refold_if_outdated
    from server.projection.interpreter import DEFAULT_INTERPRETER
    from server.projection.rebuild_beside import rebuilt

    migrated = "The database is as before. Repeat the command."
    with terminal_progress("Migration", migrated) as line:
        store = open_hub(settings(config_path, db).db, folds=True, show=line.show)
    tune()
    kept = "Nothing was changed: the pages have their former rows. Repeat the command, or start the hub."
    try:
        with store.read() as connection:
            need = rebuild_need(connection)
        require_room(store, "The rebuild", need)
        with (
            terminal_progress("Rebuild", kept) as line,
            published(store, REBUILD, "Rebuild", "event", line) as advance,
        ):
            if not refold_if_outdated(store, DEFAULT_INTERPRETER, advance):
                with rebuilt(store, DEFAULT_INTERPRETER, advance=advance):
                    pass
    finally:
        store.close()
    click.echo("Rebuilt.", err=True)


@main.command()
@where
@click.argument("target", required=False, type=click.Path(path_type=Path))
def backup(config_path: Path | None, db: str | None, target: Path | None) -> None:
    """Copy the database to TARGET (a file or a folder), also while the hub runs, and verify the copy."""
    from server.ops.admin_commands import execute
    from server.ops.backup import BackupError, back_up
    from server.text import counted
    from station.system.clock import utc_us

    config = settings(config_path, db)
    if target is None:
        if config.backup.path is None:
            msg = "No target: expected a file or folder, here or as path under [backup] in hub.toml. Name one."
            raise BackupError(msg)
        target = Path(config.backup.path)
    with terminal_progress("Backup", "No backup was made. Repeat the command.") as line:
        made = back_up(config.db, target, utc_us(), show=line.show)
    copy = {"path": str(made.path.absolute()), "epoch": made.epoch, "pos": made.pos, "off_disk": made.off_disk}
    durable = execute(config.db, "backed up", **copy)
    click.echo(f"{made.path}: {counted(made.pos, 'event')}, verified.")
    if made.breaks:
        execute(config.db, "ledger checked", breaks=list(made.breaks))
        click.echo(
            f"The copy equals its source, but the ledger itself has {counted(len(made.breaks), 'break')},"
            f" the first: {made.breaks[0]}."
            " See all: wipline-hub verify.",
            err=True,
        )
    if made.off_disk and not durable:
        click.echo("The hub cannot read it there, so stations keep the events that they sent.", err=True)
    elif not durable:
        click.echo("It is on the hub's own disk, so stations keep the events that they sent.", err=True)


@main.command()
@where
@click.argument("source", type=click.Path(path_type=Path))
def restore(config_path: Path | None, db: str | None, source: Path) -> None:
    """Replace the database by a backup, while the hub does not run; stations then send the events that it lacks."""
    from server.ops.backup import restore as restore_backup

    kept = "The database is whole: the former one, or the restored one in a new epoch. Repeat the command, or start the hub."
    with terminal_progress("Restore", kept) as line:
        aside, epoch = restore_backup(settings(config_path, db).db, source, show=line.show)
    kept = "" if aside is None else f" The previous database is kept as {aside}."
    click.echo(f"Restored; epoch {epoch} begins.{kept}", err=True)


@main.command()
@where
@click.argument("target", type=click.Path(path_type=Path))
def snapshot(config_path: Path | None, db: str | None, target: Path) -> None:
    """Write the ledger and its folded state into TARGET, a new SQLite file with views, also while the hub runs."""
    from server.ops.transfer import snapshot as write_snapshot
    from server.text import counted

    with terminal_progress("Snapshot", f"{target} was removed. Repeat the command.") as line:
        events = write_snapshot(settings(config_path, db).db, target, show=line.show)
    click.echo(f"{target}: {counted(events, 'event')}, without keys, tokens and accounts.")


@main.command()
@where
@click.argument("target")
def move(config_path: Path | None, db: str | None, target: str) -> None:
    """Move a hub from its SQLite file into TARGET, the URL of an empty PostgreSQL database, and compare both by hash."""
    from server.ops.transfer import move as move_hub
    from server.text import counted

    kept = "The target is empty as before, and the file is unchanged. Repeat the command."
    with terminal_progress("Move", kept) as line:
        moved = move_hub(settings(config_path, db).db, target, show=line.show)
    click.echo(
        f"{counted(moved.events, 'event')}; ledger {moved.ledger_hash}, state {moved.state_hash}: equal in both.\n"
        f"Epoch {moved.epoch} begins. Set db in hub.toml to the new database; the old one stays as it is."
    )


@main.command()
@where
@click.argument("target", default="-", type=click.File("wb"))
def export(config_path: Path | None, db: str | None, target: Any) -> None:
    """Write the ledger as JSON lines: pos, log, seq, prev, hash, recv_us, chain, and bytes in base64."""
    from server.ops.bootstrap import open_read_only
    from server.ops.export import lines

    with open_read_only(settings(config_path, db).db) as store, store.read() as connection:
        for line in lines(connection):
            target.write(line)


def _print_address(text: str) -> None:
    click.echo(text)
    sys.stdout.flush()


def _print_link(text: str) -> None:
    click.echo(text, err=True)
    sys.stderr.flush()


for _command in (station, token, user, clock):
    main.add_command(_command)
