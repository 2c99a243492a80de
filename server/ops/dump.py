"""Dump: the copy of a hub's PostgreSQL database by the server's own programs, and its restoration for a proof.

`pg_dump` copies while hubs run, from one snapshot. A dump is restored into a database of its own on the same server and read
there from the first event to the last; the hub's own database is not touched. The role needs the right CREATEDB.
"""

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import DBAPIError

from server.db.postgresql import with_driver

LONGEST_S = 6 * 3600.0
_MAINTENANCE = "postgres"  # the database from which others are created, renamed and dropped
_LOCAL = ("localhost", "127.0.0.1", "::1")


class DumpError(OSError):
    """A program of the server failed; the message has its own last words and what to do."""


def dump(url: URL, target: Path) -> None:
    """Write a compressed dump of the database to `target`, and flush it. Raises `DumpError`."""
    target.touch(mode=0o600)
    _run("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")
    with target.open("rb") as file:
        os.fsync(file.fileno())


def restore_into(url: URL, source: Path) -> None:
    """Create the database of this address from a dump. Raises `DumpError`; the database is dropped again then."""
    _execute(url, f"CREATE DATABASE {_quoted(url)} TEMPLATE template0 ENCODING 'UTF8'")
    try:
        _run("pg_restore", url, "--exit-on-error", "--no-owner", "--no-privileges", str(source))
    except BaseException:
        drop(url)
        raise


@contextmanager
def restored(url: URL, source: Path) -> Iterator[URL]:
    """The address of a database with the content of a dump, on the server of `url`, until the end of the block."""
    scratch = url.set(database=f"wipline_check_{secrets.token_hex(6)}")
    restore_into(scratch, source)
    try:
        yield scratch
    finally:
        drop(scratch)


def drop(url: URL) -> None:
    """Drop a database that this module created."""
    _execute(url, f"DROP DATABASE IF EXISTS {_quoted(url)} WITH (FORCE)")


def swap(url: URL, fresh: URL) -> URL:
    """Put the database `fresh` in the place of `url`, in one transaction. Returns the address of the old one.

    Raises `DumpError` while any session uses one of the two.
    """
    number = 1
    while _exists(url, old := f"{url.database}_before_restore_{number}"):
        number += 1
    aside = url.set(database=old)
    _execute(
        url,
        f"ALTER DATABASE {_quoted(url)} RENAME TO {_quoted(aside)}",
        f"ALTER DATABASE {_quoted(fresh)} RENAME TO {_quoted(url)}",
        autocommit=False,
    )
    return aside


def data_folder(url: URL) -> Path | None:
    """The folder of a server on this machine; None where it is elsewhere. Raises `DumpError` where the server hides it."""
    host = url.query.get("host") or url.host or ""
    if isinstance(host, str) and host and not host.startswith("/") and host not in _LOCAL:
        return None
    return Path(str(_execute(url, "SHOW data_directory")))


def _exists(url: URL, name: str) -> bool:
    return bool(_execute(url, "SELECT count(*) FROM pg_database WHERE datname = :name", name=name))


def _execute(url: URL, *statements: str, autocommit: bool = True, **values: str) -> Any:
    """Execute statements in the maintenance database; the first value of the last one, where it has rows."""
    engine = create_engine(with_driver(url).set(database=_MAINTENANCE))
    if autocommit:
        engine = engine.execution_options(isolation_level="AUTOCOMMIT")
    try:
        with engine.begin() as connection:
            results = [connection.execute(text(statement), values) for statement in statements]
            return results[-1].scalar() if results[-1].returns_rows else None
    except DBAPIError as error:
        msg = f"{error.orig}".strip()
        raise DumpError(msg) from error
    finally:
        engine.dispose()


def _quoted(url: URL) -> str:
    """The name of the database as an identifier of SQL."""
    return '"' + str(url.database).replace('"', '""') + '"'


def _run(program: str, url: URL, *arguments: str) -> None:
    """Run a program of the server on a database; the password goes by the environment, which other users cannot read."""
    address = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    environment = dict(os.environ) | ({"PGPASSWORD": str(url.password)} if url.password is not None else {})
    try:
        done = subprocess.run(  # noqa: S603  a program of the server, with addresses from the configuration
            [program, f"--dbname={address}", "--no-password", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
            env=environment, timeout=LONGEST_S,
        )  # fmt: skip
    except FileNotFoundError as error:
        msg = f"{program} is not installed. Install the server's programs: sudo apt-get install postgresql-client"
        raise DumpError(msg) from error
    except subprocess.TimeoutExpired as error:
        msg = f"{program} did not end within {LONGEST_S / 3600:.0f} h"
        raise DumpError(msg) from error
    if done.returncode:
        raise DumpError(done.stderr.strip()[-300:] or f"{program} ended with {done.returncode}")
