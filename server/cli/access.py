"""wipline-hub station, token, user and clock: who may send, read and enter. They work beside a running hub."""

from pathlib import Path
from typing import Any

import click

from server.auth.roles import Role
from server.cli.options import settings, where

ROLES = click.Choice([str(role) for role in Role])


@click.group()
def station() -> None:
    """Stations: let one in, name them, turn one away."""


@station.command("add")
@click.argument("name")
@click.option("--stage", help="Where it scans, unless its own station.toml says so.")
@where
def station_add(config_path: Path | None, db: str | None, name: str, stage: str | None) -> None:
    """Let a station in; prints its token, this once."""
    token = _perform(config_path, db, "station add", name=name)
    if stage is not None:
        _place(config_path, db, name, stage)
    click.echo(token)


@station.command("place")
@click.argument("name")
@click.argument("stage")
@where
def station_place(config_path: Path | None, db: str | None, name: str, stage: str) -> None:
    """Say at which STAGE a station scans; it hears of it by itself. Its own station.toml and STAGE cards beat this."""
    _place(config_path, db, name, stage)


@station.command("list")
@where
def station_list(config_path: Path | None, db: str | None) -> None:
    """Every station: name, state, how far its newest log is here."""
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
    """Turn a station's token away, at once; what it records stays with it until it has a new one."""
    _perform(config_path, db, "station revoke", name=name)
    click.echo(
        f"{name} is turned away. It goes on recording; wipline-hub station add {name} lets it in again.", err=True
    )


@click.group(invoke_without_command=True)
@click.pass_context
@where
def token(context: click.Context, config_path: Path | None, db: str | None) -> None:
    """Tokens for programs that read or enter; alone: make one that may view, supervise and account."""
    if context.invoked_subcommand is None:
        roles = f"{Role.SUPERVISE} {Role.ACCOUNT}"
        click.echo(_perform(config_path, db, "token add", name=None, roles=roles))


@token.command("add")
@click.argument("name", required=False)
@click.option("--role", "roles", type=ROLES, multiple=True, default=(str(Role.SUPERVISE), str(Role.ACCOUNT)))
@where
def token_add(config_path: Path | None, db: str | None, name: str | None, roles: tuple[str, ...]) -> None:
    """Make a token; prints it, this once. With --role view alone it also opens a read link, /read/TOKEN."""
    click.echo(_perform(config_path, db, "token add", name=name, roles=" ".join(roles)))


@token.command("list")
@where
def token_list(config_path: Path | None, db: str | None) -> None:
    """Every token: name, state, roles."""
    _table(config_path, db, "token")


@token.command("revoke")
@click.argument("name")
@where
def token_revoke(config_path: Path | None, db: str | None, name: str) -> None:
    """Turn a token away, at once."""
    _perform(config_path, db, "token revoke", name=name)


@click.group()
def user() -> None:
    """People who sign in."""


@user.command("add")
@click.argument("name")
@click.option("--role", "roles", type=ROLES, multiple=True, required=True)
@click.option(
    "--password-file", type=click.File("r"), help="A file whose first line is the password; - for standard input."
)
@where
def user_add(config_path: Path | None, db: str | None, name: str, roles: tuple[str, ...], password_file: Any) -> None:
    """Let a person in; without a password, prints the path of a link that signs them in once, within 15 minutes."""
    password = password_file.readline().rstrip("\n") if password_file else None
    secret = _perform(config_path, db, "user add", name=name, roles=" ".join(roles), password=password)
    if secret is not None:
        click.echo(f"/sign-in/{secret}")


@user.command("list")
@where
def user_list(config_path: Path | None, db: str | None) -> None:
    """Every person: name, state, roles."""
    _table(config_path, db, "person")


@user.command("link")
@click.argument("name")
@where
def user_link(config_path: Path | None, db: str | None, name: str) -> None:
    """Print the path of a link that signs this person in once, within 15 minutes."""
    click.echo(f"/sign-in/{_perform(config_path, db, 'user link', name=name)}")


@user.command("password")
@click.argument("name")
@click.argument("password_file", type=click.File("r"))
@where
def user_password(config_path: Path | None, db: str | None, name: str, password_file: Any) -> None:
    """Give a person the password in the first line of PASSWORD_FILE (- for standard input), and end their sessions."""
    _perform(config_path, db, "user password", name=name, password=password_file.readline().rstrip("\n"))


@user.command("revoke")
@click.argument("name")
@where
def user_revoke(config_path: Path | None, db: str | None, name: str) -> None:
    """Let a person in no longer; what they entered stays."""
    _perform(config_path, db, "user end", name=name)


@click.group(invoke_without_command=True)
@where
@click.pass_context
def clock(ctx: click.Context, config_path: Path | None, db: str | None) -> None:
    """The hub's clock, by which every station's scans get their time: what it is, and which anchors it gave wrongly."""
    if ctx.invoked_subcommand is not None:
        return
    from server.text import utc_text

    state = _perform(config_path, db, "clock")
    click.echo(f"The hub's clock: {utc_text(state['utc_us'])}. {state['doubt'] or 'It is trusted.'}")
    for each in state["anchors"]:
        given = f"boot {each['boot']}, {each['boot_ns'] / 1e9:.0f} s after its start: {utc_text(each['utc_us'])}"
        click.echo(f"{each['pos']}\tlog {each['log']} seq {each['seq']}\t{given}")
    if state["anchors"]:
        do = "If the time above is right: wipline-hub clock void"
        click.echo(f"{len(state['anchors'])} anchors were given while the clock was wrong. {do}", err=True)


@clock.command("void")
@where
def clock_void(config_path: Path | None, db: str | None) -> None:
    """Confirm that this machine's clock is right now, and void the anchors that were given while it was wrong."""
    count = _perform(config_path, db, "clock void", by="installer")
    click.echo(f"{count} anchors voided." if count else "No anchor is wrong.", err=True)


@clock.command("confirm")
@where
def clock_confirm(config_path: Path | None, db: str | None) -> None:
    """Say that this machine's clock is right, where the hub doubted it."""
    _perform(config_path, db, "clock confirm")


def _place(config_path: Path | None, db: str | None, name: str, stage: str) -> None:
    from server.ledger.entries import Entry
    from server.ops.admin_commands import enter

    enter(settings(config_path, db).db, [Entry("station.define", {"station": name, "stage": stage}, "installer")])


def _perform(config_path: Path | None, db: str | None, wish: str, /, **arguments: Any) -> Any:
    from server.ops.admin_commands import execute

    return execute(settings(config_path, db).db, wish, **arguments)


def _table(config_path: Path | None, db: str | None, name: str) -> None:
    from sqlalchemy import select

    from server.db.schema import metadata
    from server.ops.bootstrap import open_read_only

    table = metadata.tables[name]
    with open_read_only(settings(config_path, db).db) as store, store.read() as connection:
        for row in connection.execute(select(table).order_by(table.c.name)):
            click.echo(f"{row.name}\t{'revoked' if row.ended_us else 'active'}\t{row.roles}")
