"""Commands of the hub that another user runs: the file and the user that may read it are named."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.db.store import Store
from server.ops.bootstrap import initialise
from station.system.access import owner_of
from tests.support.other_user import Answer, as_other_user, visible_folder

READING = ("verify", "changes", "export", "station list", "token list", "user list", "backup /tmp/none/copy.db")
WRITING = ("init", "run --port 0", "station add saw-1", "station place saw-1 saw", "station revoke saw-1", "token",
           "token add x", "token revoke x", "user add anna --role view", "user link anna", "user revoke anna", "clock",
           "clock void", "clock confirm", "rebuild")  # fmt: skip


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a hub's database and its lock."""
    with visible_folder() as folder:
        (folder / "lib").mkdir()
        store = Store(str(folder / "lib" / "hub.db"))
        initialise(store)
        store.close()
        yield folder


def refusal(path: Path) -> Answer:
    """The answer of a command that may not use this file."""
    owner = owner_of(path)
    do = f"Repeat the command as its owner: sudo -u {owner} wipline-hub ..."
    return Answer(1, "", f"Error: {path} may not be read by this user. Expected its owner ({owner}) or root. {do}\n")


def ran(*commands: str, **where: Path) -> list[Answer]:
    """The answers of commands with `db` or `config`."""
    ((name, path),) = where.items()
    return as_other_user("server", *((*command.split(), f"--{name}", path) for command in commands))


def test_a_database_of_another_user_is_named_with_the_user_that_may_use_it(folder: Path) -> None:
    db = folder / "lib" / "hub.db"
    for path in db.parent.iterdir():
        path.chmod(0)
    db.parent.chmod(0o555)
    of_lock = refusal(db.with_name("hub.db.lock"))
    assert ran(*READING, *WRITING, db=db) == [refusal(db)] * len(READING) + [of_lock] * len(WRITING)


def test_a_folder_that_is_closed_holds_no_missing_hub(folder: Path) -> None:
    db = folder / "lib" / "hub.db"
    db.parent.chmod(0)
    answers = ran(*READING, "token", db=db)
    assert answers == [refusal(db)] * len(answers)


def test_a_configuration_of_another_user_is_named(folder: Path) -> None:
    path = folder / "hub.toml"
    path.write_text("")
    path.chmod(0)
    answers = ran(*READING, *WRITING, config=path)
    assert answers == [refusal(path)] * len(answers)
