"""Accounts: persons, hub tokens, sign-in links and sessions, and the creation of the first person.

The product has no default account. While there is no person, the hub prints a link that works once within fifteen minutes
and creates the first person as an administrator. `server.auth.passwords` checks and hashes passwords;
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
ADMIN_IDLE_US = 15 * 60 * 1_000_000  # idle time after which a session loses the role `administer` until a new sign-in
TOUCH_US = 30 * 1_000_000  # resolution of a session's last use


class AccountError(ValueError):
    """An operation on a person or token failed; the message has what came, what was expected and what to do."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The identity of a session or token: the name for `by` in entries, and the role words."""

    name: str
    roles: str
    fresh: bool = True  # used within ADMIN_IDLE_US


def anyone(connection: Connection) -> bool:
    """Whether any person can sign in."""
    person = schema.person.c
    return connection.execute(select(person.id).where(person.ended_us.is_(None)).limit(1)).first() is not None


def add_person(connection: Connection, name: str, roles: str, password: str | None, now_us: int) -> int:
    """Add a person with these roles; returns the id. A person without a password signs in by link."""
    _check_name(name)
    granted(roles)
    person = schema.person
    if connection.execute(select(person.c.id).where(person.c.name == name)).first() is not None:
        msg = f"{name!r} already exists. Choose another name."
        raise AccountError(msg)
    row = {"name": name, "password": _hashed(password, name), "roles": roles, "added_us": now_us}
    return int(connection.execute(person.insert().returning(person.c.id), [row]).scalar_one())


def set_password(connection: Connection, person: int, password: str) -> None:
    """Set a person's password, and end all sessions of the person."""
    table = schema.person
    name = connection.execute(select(table.c.name).where(table.c.id == person)).scalar_one()
    connection.execute(table.update().where(table.c.id == person).values(password=_hashed(password, name)))
    connection.execute(schema.session.delete().where(schema.session.c.person == person))


def end_person(connection: Connection, name: str, now_us: int) -> None:
    """Close a person's account and end its sessions; the person's entries stay."""
    key = known_person(connection, name).id
    connection.execute(schema.person.update().where(schema.person.c.id == key).values(ended_us=now_us))
    connection.execute(schema.session.delete().where(schema.session.c.person == key))


def person_named(connection: Connection, name: str) -> Any:
    """The row of a person who can sign in; None for an unknown or closed account."""
    person = schema.person
    return connection.execute(select(person).where(and_(person.c.name == name, person.c.ended_us.is_(None)))).first()


def known_person(connection: Connection, name: str) -> Any:
    """The row of a person who can sign in. Raises `AccountError` for an unknown or closed account."""
    person = person_named(connection, name)
    if person is None:
        msg = f"Unknown person {name!r}. List all persons: wipline-hub user list."
        raise AccountError(msg)
    return person


def add_token(connection: Connection, name: str | None, roles: str, now_us: int) -> str:
    """Add a token for a program, with these roles; returns the token, of which only the hash is stored."""
    granted(roles)
    table = schema.token
    if name is None:
        name = f"token-{connection.execute(select(func.count()).select_from(table)).scalar_one() + 1}"
    _check_name(name)
    if connection.execute(select(table.c.id).where(table.c.name == name)).first() is not None:
        msg = f"A token {name!r} already exists. Choose another name."
        raise AccountError(msg)
    token = secrets.token_urlsafe(32)
    row = {"name": name, "token_hash": token_hash(token), "roles": roles, "added_us": now_us}
    connection.execute(table.insert(), [row])
    return token


def end_token(connection: Connection, name: str, now_us: int) -> None:
    """Revoke a token. Raises `AccountError` for an unknown or revoked one."""
    table = schema.token
    ended = table.update().where(and_(table.c.name == name, table.c.ended_us.is_(None))).values(ended_us=now_us)
    if connection.execute(ended).rowcount == 0:
        msg = f"No active token {name!r}. List all tokens: wipline-hub token list."
        raise AccountError(msg)


def token_row(connection: Connection, token: str) -> Any:
    """The row of an active token; None for any other."""
    table = schema.token
    wanted = and_(table.c.token_hash == token_hash(token), table.c.ended_us.is_(None))
    return connection.execute(select(table).where(wanted)).first()


def make_link(connection: Connection, person: int | None, now_us: int) -> str:
    """Make a sign-in link that works once within 15 minutes; returns its secret. `person` None: it adds the first person."""
    connection.execute(schema.link.delete().where(schema.link.c.expires_us < now_us))
    secret = secrets.token_urlsafe(24)
    row = {"token_hash": token_hash(secret), "person": person, "expires_us": now_us + LINK_US}
    connection.execute(schema.link.insert(), [row])
    return secret


def link_row(connection: Connection, secret: str, now_us: int) -> Any:
    """The row of a valid link; None for an expired, used or unknown one, and for a first-person link after its use."""
    table = schema.link
    wanted = and_(table.c.token_hash == token_hash(secret), table.c.used_us.is_(None), table.c.expires_us > now_us)
    row = connection.execute(select(table).where(wanted)).first()
    return None if row is None or (row.person is None and anyone(connection)) else row


def use_link(connection: Connection, secret: str, now_us: int) -> bool:
    """Mark a link as used; False where another request used it first."""
    table = schema.link
    spent = table.update().where(and_(table.c.token_hash == token_hash(secret), table.c.used_us.is_(None)))
    return connection.execute(spent.values(used_us=now_us)).rowcount == 1


def start_session(connection: Connection, now_us: int, *, person: int | None = None, token: int | None = None) -> str:
    """Start a session for a person or a read link; returns its key, of which only the cookie holds the text."""
    key = secrets.token_urlsafe(32)
    row = {"key_hash": token_hash(key), "person": person, "token": token, "started_us": now_us}
    row |= {"used_us": now_us, "admin_us": now_us}
    connection.execute(schema.session.insert(), [row])
    connection.execute(schema.session.delete().where(schema.session.c.used_us < now_us - IDLE_US))
    return key


def end_session(connection: Connection, key: str) -> None:
    """Delete a session on the hub, which also invalidates copies of its cookie."""
    connection.execute(schema.session.delete().where(schema.session.c.key_hash == token_hash(key)))


def principal_of(connection: Connection, key: str, now_us: int) -> tuple[Principal, bool] | None:
    """The identity of a session, and whether its last use must be written; None for an ended session."""
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
    """Record a session's last use. A session that was idle above ADMIN_IDLE_US does not regain `administer`."""
    table = schema.session
    used = table.update().where(table.c.key_hash == token_hash(key))
    connection.execute(used.values(used_us=now_us))
    connection.execute(used.where(table.c.admin_us > now_us - ADMIN_IDLE_US).values(admin_us=now_us))


def old_passwords_left(connection: Connection) -> bool:
    """Whether any active account still has a password hash from before argon2id."""
    person = schema.person.c
    hashes = connection.execute(select(person.password).where(person.ended_us.is_(None))).scalars()
    return any(is_old(stored) for stored in hashes)


def renew_password(connection: Connection, person: Any, renewed: str) -> None:
    """Store a new hash of the same password, unless the password was changed meanwhile."""
    table = schema.person
    same = and_(table.c.id == person.id, table.c.password == person.password)
    connection.execute(table.update().where(same).values(password=renewed))


def _hashed(password: str | None, name: str) -> str | None:
    if password is None:
        return None
    try:
        PASSWORDS.check(password, name)
    except PasswordRefused as refused:
        raise AccountError(str(refused)) from refused
    return PASSWORDS.keep(password)


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= 64 or not name.isprintable() or name != name.strip():
        msg = f"Name {name!r}: expected 1 to 64 printable characters without blanks around. Choose another."
        raise AccountError(msg)
