"""Commands wipline-hub station, token, user and clock. They work whether the hub runs or not."""

from pathlib import Path
from typing import Any

import click

from server.auth.roles import Role
from server.cli.options import settings, where

ROLES = click.Choice([str(role) for role in Role])


@click.group()
def station() -> None:
    """Add, place, list and revoke stations."""


@station.command("add")
@click.argument("name")
@click.option("--stage", help="The stage at which it scans, unless its station.toml sets one.")
@where
def station_add(config_path: Path | None, db: str | None, name: str, stage: str | None) -> None:
    """Add a station; prints its token, which is shown only once."""
    token = _execute(config_path, db, "station add", name=name)
    click.echo(token)  # before a stage that may be refused: the token is shown only once
    if stage is not None:
        _place(config_path, db, name, stage)


@station.command("place")
@click.argument("name")
@click.argument("stage")
@where
def station_place(config_path: Path | None, db: str | None, name: str, stage: str) -> None:
    """Set the STAGE at which a station scans; the station gets it from the hub.

    Its station.toml and STAGE cards override it.
    """
    _place(config_path, db, name, stage)


@station.command("list")
@where
def station_list(config_path: Path | None, db: str | None) -> None:
    """List all stations: name, state, last accepted event of the newest log."""
    from server.auth.devices import overview
    from server.ops.bootstrap import open_read_only

    with open_read_only(settings(config_path, db).db) as store, store.read() as connection:
        rows = overview(connection)
    for row in rows:
        newest: dict[str, Any] = row["logs"][-1] if row["logs"] else {"accepted_thru": 0}
        state = "revoked" if row["revoked_us"] else "active"
        click.echo(f"{row['station']}\t{state}\taccepted {newest['accepted_thru']}")


@station.command("revoke")
@click.argument("name")
@where
def station_revoke(config_path: Path | None, db: str | None, name: str) -> None:
    """Revoke a station's token at once; the station keeps its events until it has a new token."""
    _execute(config_path, db, "station revoke", name=name)
    click.echo(
        f"{name} is revoked. It continues to record; wipline-hub station add {name} gives it a new token.", err=True
    )


@click.group(invoke_without_command=True)
@click.pass_context
@where
def token(context: click.Context, config_path: Path | None, db: str | None) -> None:
    """Tokens for programs; without a subcommand: make one with the roles view, supervise and account."""
    if context.invoked_subcommand is None:
        roles = f"{Role.SUPERVISE} {Role.ACCOUNT}"
        click.echo(_execute(config_path, db, "token add", name=None, roles=roles))


@token.command("add")
@click.argument("name", required=False)
@click.option("--role", "roles", type=ROLES, multiple=True, default=(str(Role.SUPERVISE), str(Role.ACCOUNT)))
@where
def token_add(config_path: Path | None, db: str | None, name: str | None, roles: tuple[str, ...]) -> None:
    """Make a token; prints it, only once. With the single role view it also works as a read link, /read/TOKEN."""
    click.echo(_execute(config_path, db, "token add", name=name, roles=" ".join(roles)))


@token.command("list")
@where
def token_list(config_path: Path | None, db: str | None) -> None:
    """List all tokens: name, state, roles."""
    _table(config_path, db, "token")


@token.command("revoke")
@click.argument("name")
@where
def token_revoke(config_path: Path | None, db: str | None, name: str) -> None:
    """Revoke a token at once."""
    _execute(config_path, db, "token revoke", name=name)


@click.group()
def user() -> None:
    """Accounts of persons."""


@user.command("add")
@click.argument("name")
@click.option("--role", "roles", type=ROLES, multiple=True, required=True)
@click.option(
    "--password-file", type=click.File("r"), help="A file whose first line is the password; - for standard input."
)
@where
def user_add(config_path: Path | None, db: str | None, name: str, roles: tuple[str, ...], password_file: Any) -> None:
    """Add a person; without a password, prints the path of a sign-in link that works once within 15 minutes."""
    password = password_file.readline().rstrip("\n") if password_file else None
    secret = _execute(config_path, db, "user add", name=name, roles=" ".join(roles), password=password)
    if secret is not None:
        click.echo(f"/sign-in/{secret}")


@user.command("list")
@where
def user_list(config_path: Path | None, db: str | None) -> None:
    """List all persons: name, state, roles."""
    _table(config_path, db, "person")


@user.command("link")
@click.argument("name")
@where
def user_link(config_path: Path | None, db: str | None, name: str) -> None:
    """Print the path of a sign-in link for a person that works once within 15 minutes."""
    click.echo(f"/sign-in/{_execute(config_path, db, 'user link', name=name)}")


@user.command("password")
@click.argument("name")
@click.argument("password_file", type=click.File("r"))
@where
def user_password(config_path: Path | None, db: str | None, name: str, password_file: Any) -> None:
    """Set a person's password to the first line of PASSWORD_FILE (-: standard input), and end the person's sessions."""
    _execute(config_path, db, "user password", name=name, password=password_file.readline().rstrip("\n"))


@user.command("revoke")
@click.argument("name")
@where
def user_revoke(config_path: Path | None, db: str | None, name: str) -> None:
    """Close a person's account; the person's entries stay."""
    _execute(config_path, db, "user end", name=name)


@click.group(invoke_without_command=True)
@where
@click.pass_context
def clock(ctx: click.Context, config_path: Path | None, db: str | None) -> None:
    """Show the hub's clock, from which all scans get their time, and the anchors that it issued with a wrong time."""
    if ctx.invoked_subcommand is not None:
        return
    from server.text import counted, utc_text

    state = _execute(config_path, db, "clock")
    click.echo(f"The hub's clock: {utc_text(state['utc_us'])}. {state['doubt'] or 'It is trusted.'}")
    for anchor in state["anchors"]:
        issued = f"boot {anchor['boot']}, {anchor['boot_ns'] / 1e9:.0f} s after its start: {utc_text(anchor['utc_us'])}"
        click.echo(f"{anchor['pos']}\tlog {anchor['log']} seq {anchor['seq']}\t{issued}")
    if state["anchors"]:
        do = "If the time above is right: wipline-hub clock void"
        given = counted(len(state["anchors"]), "anchor was", "anchors were")
        click.echo(f"{given} given while the clock was wrong. {do}", err=True)


@clock.command("void")
@where
def clock_void(config_path: Path | None, db: str | None) -> None:
    """Confirm that this machine's clock is right, and void the anchors that were issued with a wrong time."""
    from server.text import counted

    count = _execute(config_path, db, "clock void", by="installer")
    click.echo(f"{counted(count, 'anchor')} voided." if count else "No anchor is wrong.", err=True)


@clock.command("confirm")
@where
def clock_confirm(config_path: Path | None, db: str | None) -> None:
    """Confirm that this machine's clock is right, which ends a doubt of the hub."""
    _execute(config_path, db, "clock confirm")


def _place(config_path: Path | None, db: str | None, name: str, stage: str) -> None:
    from server.ledger.entries import Entry
    from server.ops.admin_commands import enter

    entry = Entry("station.define", {"station": name, "stage": stage}, "installer")
    if enter(settings(config_path, db).db, [entry]) == [None]:
        click.echo(f"{name} scans at {stage} already.", err=True)


def _execute(config_path: Path | None, db: str | None, request: str, /, **arguments: Any) -> Any:
    from server.ops.admin_commands import execute

    return execute(settings(config_path, db).db, request, **arguments)


def _table(config_path: Path | None, db: str | None, name: str) -> None:
    from sqlalchemy import select

    from server.db.schema import metadata
    from server.ops.bootstrap import open_read_only

    table = metadata.tables[name]
    with open_read_only(settings(config_path, db).db) as store, store.read() as connection:
        for row in connection.execute(select(table).order_by(table.c.name)):
            click.echo(f"{row.name}\t{'revoked' if row.ended_us else 'active'}\t{row.roles}")
