"""People and tokens: who may come in, as what, and how a first person comes to be.

There is no account that comes with the product. While there is no person, the hub prints a link that works once, within
fifteen minutes, and makes the first one an administrator. `server.auth.passwords` checks and hashes passwords;
`server.auth.rate_limit` delays repeated failures.
"""

import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, select

from server.auth.devices import token_hash
from server.auth.passwords import PASSWORDS, PasswordRefused, is_old
from server.auth.roles import granted
from server.db import schema

LINK_US = 15 * 60 * 1_000_000
IDLE_US = 12 * 3600 * 1_000_000
ADMIN_IDLE_US = 15 * 60 * 1_000_000  # afterwards a session no longer administers, until its person signs in again
TOUCH_US = 30 * 1_000_000  # how exactly a session's last use is kept


class AccountError(ValueError):
    """This cannot be done with that person or token; the message says what came, what was expected and what to do."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a session or token stands for: a name for `by`, and role words."""

    name: str
    roles: str
    fresh: bool = True  # used within the last quarter of an hour


def anyone(connection: Connection) -> bool:
    """Whether any person may sign in."""
    person = schema.person.c
    return connection.execute(select(person.id).where(person.ended_us.is_(None)).limit(1)).first() is not None


def add_person(connection: Connection, name: str, roles: str, password: str | None, now_us: int) -> int:
    """Let a person in with these roles; their id. Without a password they sign in by link."""
    _named(name)
    granted(roles)
    person = schema.person
    if connection.execute(select(person.c.id).where(person.c.name == name)).first() is not None:
        msg = f"{name!r} is here already. Choose another name."
        raise AccountError(msg)
    row = {"name": name, "password": _kept(password, name), "roles": roles, "added_us": now_us}
    return int(connection.execute(person.insert().returning(person.c.id), [row]).scalar_one())


def set_password(connection: Connection, person: int, password: str) -> None:
    """Give a person a password, and end every session they have."""
    table = schema.person
    name = connection.execute(select(table.c.name).where(table.c.id == person)).scalar_one()
    connection.execute(table.update().where(table.c.id == person).values(password=_kept(password, name)))
    connection.execute(schema.session.delete().where(schema.session.c.person == person))


def end_person(connection: Connection, name: str, now_us: int) -> None:
    """Let a person in no longer; what they entered stays."""
    key = known_person(connection, name).id
    connection.execute(schema.person.update().where(schema.person.c.id == key).values(ended_us=now_us))
    connection.execute(schema.session.delete().where(schema.session.c.person == key))


def person_named(connection: Connection, name: str) -> Any:
    """The row of a person who may sign in; None for anybody else."""
    person = schema.person
    return connection.execute(select(person).where(and_(person.c.name == name, person.c.ended_us.is_(None)))).first()


def known_person(connection: Connection, name: str) -> Any:
    """As `person_named`. Raises `AccountError` where there is no such person."""
    person = person_named(connection, name)
    if person is None:
        msg = f"Nobody is called {name!r} here. wipline-hub user list names them."
        raise AccountError(msg)
    return person


def add_token(connection: Connection, name: str | None, roles: str, now_us: int) -> str:
    """A token for a program that reads or enters, with these roles; shown this once."""
    granted(roles)
    table = schema.token
    if name is None:
        name = f"token-{connection.execute(select(func.count()).select_from(table)).scalar_one() + 1}"
    _named(name)
    if connection.execute(select(table.c.id).where(table.c.name == name)).first() is not None:
        msg = f"A token {name!r} was given out already. Choose another name, or revoke that one."
        raise AccountError(msg)
    token = secrets.token_urlsafe(32)
    row = {"name": name, "token_hash": token_hash(token), "roles": roles, "added_us": now_us}
    connection.execute(table.insert(), [row])
    return token


def end_token(connection: Connection, name: str, now_us: int) -> None:
    """Let this token in no longer."""
    table = schema.token
    ended = table.update().where(and_(table.c.name == name, table.c.ended_us.is_(None))).values(ended_us=now_us)
    if connection.execute(ended).rowcount == 0:
        msg = f"No token {name!r} that could be revoked. wipline-hub token list names them."
        raise AccountError(msg)


def token_row(connection: Connection, token: str) -> Any:
    """The row of a token that is let in; None for any other."""
    table = schema.token
    wanted = and_(table.c.token_hash == token_hash(token), table.c.ended_us.is_(None))
    return connection.execute(select(table).where(wanted)).first()


def make_link(connection: Connection, person: int | None, now_us: int) -> str:
    """The secret of a sign-in link that works once, within 15 minutes; for nobody yet: it makes the first person."""
    connection.execute(schema.link.delete().where(schema.link.c.expires_us < now_us))
    secret = secrets.token_urlsafe(24)
    row = {"token_hash": token_hash(secret), "person": person, "expires_us": now_us + LINK_US}
    connection.execute(schema.link.insert(), [row])
    return secret


def link_row(connection: Connection, secret: str, now_us: int) -> Any:
    """The row of a link that still works; None for any other."""
    table = schema.link
    wanted = and_(table.c.token_hash == token_hash(secret), table.c.used_us.is_(None), table.c.expires_us > now_us)
    row = connection.execute(select(table).where(wanted)).first()
    return None if row is None or (row.person is None and anyone(connection)) else row


def use_link(connection: Connection, secret: str, now_us: int) -> bool:
    """Spend a link; False where somebody was quicker."""
    table = schema.link
    spent = table.update().where(and_(table.c.token_hash == token_hash(secret), table.c.used_us.is_(None)))
    return connection.execute(spent.values(used_us=now_us)).rowcount == 1


def start_session(connection: Connection, now_us: int, *, person: int | None = None, token: int | None = None) -> str:
    """A new session for a person, or for whoever holds a read link; its key, which only the cookie has."""
    key = secrets.token_urlsafe(32)
    row = {"key_hash": token_hash(key), "person": person, "token": token, "started_us": now_us}
    row |= {"used_us": now_us, "admin_us": now_us}
    connection.execute(schema.session.insert(), [row])
    connection.execute(schema.session.delete().where(schema.session.c.used_us < now_us - IDLE_US))
    return key


def end_session(connection: Connection, key: str) -> None:
    """End a session here: its cookie is worth nothing afterwards, wherever it lies."""
    connection.execute(schema.session.delete().where(schema.session.c.key_hash == token_hash(key)))


def someone_of(connection: Connection, key: str, now_us: int) -> tuple[Principal, bool] | None:
    """Whom a session stands for, and whether its last use is to be written anew; None where it ended."""
    session, person, token = schema.session, schema.person, schema.token
    row = connection.execute(
        select(
            session.c.used_us,
            session.c.admin_us,
            person.c.name,
            person.c.roles,
            token.c.name.label("link"),
            token.c.roles.label("may"),
        )
        .outerjoin(person, and_(person.c.id == session.c.person, person.c.ended_us.is_(None)))
        .outerjoin(token, and_(token.c.id == session.c.token, token.c.ended_us.is_(None)))
        .where(and_(session.c.key_hash == token_hash(key), session.c.used_us > now_us - IDLE_US))
    ).first()
    if row is None or (row.name is None and row.link is None):
        return None
    stale = now_us - row.used_us > TOUCH_US
    if row.name is None:
        return Principal(f"link {row.link}", "view"), stale
    return Principal(row.name, row.roles, now_us - row.admin_us < ADMIN_IDLE_US), stale


def touch_session(connection: Connection, key: str, now_us: int) -> None:
    """Write down that a session was used now; one that slept too long to administer stays so."""
    table = schema.session
    used = table.update().where(table.c.key_hash == token_hash(key))
    connection.execute(used.values(used_us=now_us))
    connection.execute(used.where(table.c.admin_us > now_us - ADMIN_IDLE_US).values(admin_us=now_us))


def old_passwords_left(connection: Connection) -> bool:
    """Whether the password of anybody who may sign in is still kept as before argon2id."""
    person = schema.person.c
    kept = connection.execute(select(person.password).where(person.ended_us.is_(None))).scalars()
    return any(is_old(each) for each in kept)


def renew_password(connection: Connection, person: Any, renewed: str) -> None:
    """Keep the newer text of the same password, unless the person was given another one meanwhile."""
    table = schema.person
    same = and_(table.c.id == person.id, table.c.password == person.password)
    connection.execute(table.update().where(same).values(password=renewed))


def _kept(password: str | None, name: str) -> str | None:
    if password is None:
        return None
    try:
        PASSWORDS.check(password, name)
    except PasswordRefused as refused:
        raise AccountError(str(refused)) from refused
    return PASSWORDS.keep(password)


def _named(name: str) -> None:
    if not 1 <= len(name) <= 64 or not name.isprintable() or name != name.strip():
        msg = f"Name {name!r}: expected 1 to 64 printable characters without blanks around. Choose another."
        raise AccountError(msg)
