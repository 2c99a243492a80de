"""A database of a later version is refused with one sentence by every command, and nothing in it changes."""

from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from engines import SQLITE, both
from shop_writer import ShopWriter
from sqlalchemy import select, text, update

from server.cli.commands import main
from server.db.migrations import HEAD
from server.db.newer_database import NewerDatabase
from server.db.position_signal import PositionSignal
from server.db.store import Store
from server.ops.backup import back_up, restore
from server.ops.bootstrap import open_hub, open_read_only
from server.ops.transfer import snapshot
from server.projection.tables import FOLD_VERSION, FOLD_VERSION_ROW, projection
from server.projection.worker import Projector

NOW_US = 1_790_000_000_000_000
engine = both
TABLES = f"its tables have version 9999, and this program knows them up to {HEAD}"
RULES = (
    f"its items were folded by version {FOLD_VERSION + 1} of the rules, and this program knows version {FOLD_VERSION}"
)


def newer_tables(store: Store) -> None:
    with store.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))


def newer_rules(store: Store) -> None:
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.settle()
    with store.write() as connection:
        connection.execute(update(projection).where(projection.c.k == FOLD_VERSION_ROW).values(v=FOLD_VERSION + 1))


@pytest.fixture(params=[(newer_tables, TABLES), (newer_rules, RULES)], ids=["tables", "rules"])
def newer(request: pytest.FixtureRequest, store: Store) -> tuple[str, str]:
    """The address of a hub's database that a later version wrote, and the clause that says so."""
    change, clause = request.param
    change(store)
    address = str(store.path) if store.path is not None else store.url.render_as_string(hide_password=False)
    if store.path is not None:
        store.close()
    return address, clause


def refused(clause: str) -> str:
    return f"written by a newer version of wipline: {clause}. Install that version or a later one. Nothing was changed."


def test_a_newer_database_is_opened_by_nothing(newer: tuple[str, str], tmp_path: Path) -> None:
    db, clause = newer
    before = Path(db).read_bytes() if "://" not in db else b""
    openings = (
        lambda: open_hub(db),
        lambda: open_read_only(db).__enter__(),
        lambda: back_up(db, tmp_path / "copy.db", NOW_US),
        lambda: snapshot(db, tmp_path / "questions.db"),
    )
    for opening in openings:
        with pytest.raises(NewerDatabase) as error:
            opening()
        assert str(error.value).endswith(refused(clause))
    assert sorted(path.name for path in tmp_path.glob("*.part")) == []
    assert not (tmp_path / "copy.db").exists()
    assert not (tmp_path / "questions.db").exists()
    assert "://" in db or Path(db).read_bytes() == before


@pytest.mark.parametrize("engine", [SQLITE])
@pytest.mark.parametrize(
    "words",
    [
        ["run", "--port", "0"],
        ["verify"],
        ["rebuild"],
        ["export"],
        ["changes"],
        ["station", "add", "saw-1"],
        ["backup", "x.db"],
    ],
    ids=lambda words: words[0],
)
def test_a_command_refuses_a_newer_database_with_one_sentence(
    store: Store, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer_tables(store)
    path = store.path
    assert path is not None
    store.close()
    before = path.read_bytes()
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, [*words, "--db", str(path)])
    assert (result.exit_code, result.output) == (1, f"Error: {path} was {refused(TABLES)}\n")
    assert path.read_bytes() == before


@pytest.mark.parametrize("engine", [SQLITE])
def test_a_newer_backup_is_not_restored(store: Store, tmp_path: Path) -> None:
    db = str(store.path)
    copy = back_up(db, tmp_path / "copy.db", NOW_US).path
    with closing(Store(copy)) as later:
        newer_tables(later)
    store.close()
    before = Path(db).read_bytes()
    with pytest.raises(NewerDatabase) as error:
        restore(db, copy)
    assert str(error.value) == f"{copy} was {refused(TABLES)}"
    assert Path(db).read_bytes() == before
    assert not list(tmp_path.glob("*.restor*"))


def test_a_projector_leaves_a_database_that_a_newer_version_has_taken(store: Store) -> None:
    newer_rules(store)
    with pytest.raises(NewerDatabase):
        Projector(store, PositionSignal()).step()
    store.leave_projection()
    with store.read() as connection:
        stored = connection.execute(select(projection.c.v).where(projection.c.k == FOLD_VERSION_ROW)).scalar_one()
    assert stored == FOLD_VERSION + 1
