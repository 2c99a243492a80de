"""What commands on this machine ask of the hub: done here, or by the hub that runs, and said the same way."""

import os
import sqlite3
import threading

import pytest
from click.testing import CliRunner
from shop_writer import ShopWriter
from sqlalchemy import select

from server.auth import accounts
from server.auth.passwords import PASSWORDS
from server.cli.commands import main
from server.db import schema
from server.db.writer_lock import HubLocked
from server.ledger.entries import Entry, EntryRefused
from server.locale_format import LocaleFormat
from server.ops import admin_commands
from server.ops.admin_commands import CommandFailed, enter, execute
from server.ops.control_protocol import ControlRequest, ask
from server.ops.control_server import ControlServer
from server.queries.board_state import board_state_now, current_alerts
from station.system.version import version

LOOK = "Check the named database (--db, or db in hub.toml) and its permissions."
COMMANDS = (
    *("init", "run", "demo", "import", "export", "rebuild", "verify", "backup", "restore"),
    *("user", "token", "station", "clock"),
)


@pytest.fixture
def run():
    """A wipline-hub command: (exit code, what it printed, what it complained)."""

    def ran(*arguments):
        done = CliRunner().invoke(main, [str(each) for each in arguments])
        return done.exit_code, done.stdout, done.stderr

    return ran


@pytest.fixture
def listening(store):
    """A running hub's end of the local socket."""
    control = ControlServer(store)
    control.start()
    yield store
    control.close()


def test_a_wish_is_granted_by_the_hub_that_runs(listening):
    token = execute(str(listening.path), "station add", name="saw-1")
    assert len(token) == 43
    with pytest.raises(CommandFailed, match="Station 'saw-1' already exists"):
        execute(str(listening.path), "station add", name="saw-1")


def test_a_wish_is_granted_without_a_running_hub_too(store):
    store.close()
    assert len(execute(str(store.path), "station add", name="saw-1")) == 43


def test_a_database_that_is_held_by_somebody_who_does_not_answer_is_said(store):
    with pytest.raises(HubLocked, match="is in use by process"):
        execute(str(store.path), "station add", 0.0, name="saw-1")


def test_entries_go_through_the_socket_all_or_none(listening, rows):
    db = str(listening.path)
    good, bad = Entry("note", {"item": "WO-1", "text": "ä" * 1000}, "Kim", 5), Entry("order.close", {}, "Kim")
    with pytest.raises(EntryRefused) as caught:
        enter(db, [good, bad])
    assert caught.value.came == "order.close, of which: Object missing required field `order`"
    written = enter(db, [good] * 3_000)
    assert [(one.seq, one.pos) for one in written] == [(n, n) for n in range(2, 3_002)]
    assert len(rows(select(schema.ledger.c.pos))) == 3_001


def test_the_socket_is_its_owners_alone_and_its_path_may_be_long(tmp_path, new_hub):
    from server.db.store import Store

    folder = tmp_path / ("long" * 20) / ("longer" * 20)
    folder.mkdir(parents=True)
    (folder / "hub.db").write_bytes(new_hub.read_bytes())
    store = Store(folder / "hub.db")
    control = ControlServer(store)
    control.start()
    try:
        assert (folder / "hub.db.sock").stat().st_mode & 0o077 == 0
        assert ask(str(folder / "hub.db"), ControlRequest("nonsense", {})).error.startswith(
            "Unknown request 'nonsense'"
        )
    finally:
        control.close()
        store.close()
    assert not (folder / "hub.db.sock").exists()


def test_who_hangs_up_in_the_middle_does_not_end_the_office(listening):
    import socket

    for garbage in (b"", b"\0\0", b"\0\0\0\5abc", b"\xff\xff\xff\xff", b"\0\0\0\2{}"):
        with socket.socket(socket.AF_UNIX) as rude:
            folder = os.open(listening.path.parent, os.O_RDONLY)
            rude.connect(f"/proc/self/fd/{folder}/hub.db.sock")
            os.close(folder)
            rude.sendall(garbage)
    assert len(execute(str(listening.path), "token add", name=None, roles="view")) == 43


def test_wishes_of_many_commands_are_granted_one_after_another(listening):
    names = [f"saw-{n}" for n in range(8)]
    threads = [
        threading.Thread(target=execute, args=(str(listening.path), "station add"), kwargs={"name": n}) for n in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with listening.read() as connection:
        assert sorted(connection.execute(select(schema.station.c.name)).scalars()) == names


def test_a_hub_for_tests_needs_three_commands(run, tmp_path):
    db = tmp_path / "new" / "hub.db"
    assert run("init", "--db", db) == (0, "", f"A new hub in {db}\n")
    code, token, _ = run("station", "add", "saw-1", "--db", db)
    assert (code, len(token)) == (0, 44)
    assert run("station", "list", "--db", db) == (0, "saw-1\tactive\taccepted 0\n", "")
    assert run("init", "--db", db) == (
        1,
        "",
        f"Error: sqlite:///{db} already holds a hub. Use it, or name another database.\n",
    )


def test_people_and_tokens_are_let_in_and_turned_away(run, store, tmp_path):
    store.close()
    (tmp_path / "password").write_text("short\n")
    db = store.path
    code, link, _ = run("user", "add", "Kim", "--role", "supervise", "--db", db)
    assert (code, link.startswith("/sign-in/")) == (0, True)
    assert run("user", "link", "Kim", "--db", db)[1].startswith("/sign-in/")
    assert run("user", "password", "Kim", tmp_path / "password", "--db", db) == (
        1,
        "",
        "Error: A password of 5 characters; expected at least 12. Use a few words in a row.\n",
    )
    assert run("user", "list", "--db", db)[1] == "Kim\tactive\tsupervise\n"
    assert run("user", "revoke", "Kim", "--db", db)[0] == 0
    assert run("user", "revoke", "Kim", "--db", db) == (
        1,
        "",
        "Error: Unknown person 'Kim'. List all persons: wipline-hub user list.\n",
    )
    assert run("user", "add", "Kim", "--role", "boss", "--db", db)[0] == 2
    assert len(run("token", "--db", db)[1]) == 44
    assert len(run("token", "add", "erp", "--role", "supervise", "--db", db)[1]) == 44
    assert run("token", "revoke", "token-1", "--db", db)[0] == 0
    assert run("token", "list", "--db", db)[1] == "erp\tactive\tsupervise\ntoken-1\trevoked\tsupervise account\n"


def test_a_password_comes_from_a_file_and_never_from_the_command_line(run, store, tmp_path):
    store.close()
    (tmp_path / "password").write_text("four words in a row\n")
    done = run("user", "add", "Kim", "--role", "view", "--password-file", tmp_path / "password", "--db", store.path)
    assert done == (0, "", "")
    reopened = admin_commands.open_hub(store.path)
    with reopened.read() as connection:
        kept = accounts.person_named(connection, "Kim").password
    assert PASSWORDS.compare(kept, "four words in a row", old_texts_left=False).fits
    reopened.close()


@pytest.mark.parametrize(
    "command",
    [["verify"], ["rebuild"], ["station", "list"], ["station", "add", "x"], ["run"], ["export"], ["clock", "confirm"]],
)
def test_every_command_says_how_to_make_a_hub_where_there_is_none(run, tmp_path, command):
    code, said, complaint = run(*command, "--db", tmp_path / "hub.db")
    assert (code, said) == (1, "")
    assert complaint == f"Error: {tmp_path}/hub.db holds no hub. Create one: wipline-hub init --db {tmp_path}/hub.db\n"


def test_every_command_has_its_help(run):
    code, text, _ = run("--help")
    assert code == 0
    for command in COMMANDS:
        assert f"\n  {command} " in text
        assert run(command, "--help")[0] == 0


def test_an_unknown_key_of_the_configuration_is_said(run, tmp_path):
    (tmp_path / "hub.toml").write_text("currncy = 'EUR'")
    code, _, complaint = run("verify", "--config", tmp_path / "hub.toml")
    assert (code, complaint.endswith("Did you mean currency?\n")) == (1, True)


def test_a_file_that_is_no_database_is_said(run, tmp_path):
    (tmp_path / "hub.db").write_text("shopping list " * 100)
    assert run("station", "add", "x", "--db", tmp_path / "hub.db") == (
        1,
        "",
        f"Error: file is not a database. {LOOK}\n",
    )


def test_rebuild_folds_everything_anew(run, store):
    release = {"what": "order.release", "data": {"order": "A", "qty_milli": 1000}, "by": "Kim"}
    assert admin_commands.handle(store, ControlRequest("enter", {"entries": [release]})).error is None
    store.close()
    assert run("rebuild", "--db", store.path) == (0, "", "Rebuilt.\n")
    again = admin_commands.open_hub(store.path)
    with again.read() as connection:
        from server.projection.tables import item

        assert list(connection.execute(select(item.c.item)).scalars()) == ["A"]
    again.close()


def test_a_rebuild_after_an_update_lists_the_items_whose_state_changed(store, run):
    assert run("changes", "--db", store.path) == (0, "No update has changed the state of an item.\n", "")
    shop_writer = ShopWriter(store)
    shop_writer.small_shop()
    shop_writer.release("WO-1", qty=40)
    shop_writer.settle()
    store.close()
    with sqlite3.connect(store.path) as raw:  # as a version with other rules left it
        raw.execute("UPDATE item SET status = 'finished'")
        raw.execute("DELETE FROM projection WHERE k = 'fold_version'")
    raw.close()
    assert run("rebuild", "--db", store.path)[0] == 0
    status, listed, _ = run("changes", "--db", store.path)
    assert (status, listed.splitlines()[1]) == (
        0, "  WO-1: finished, ordered 40, 40 released -> open, ordered 40, 40 released"
    )  # fmt: skip
    assert listed.startswith("Version ")
    assert ": 1 item\n" in listed
    again = admin_commands.open_hub(store.path)
    with again.read() as connection:
        alerts = current_alerts(connection, board_state_now(connection, LocaleFormat(), shop_writer.now_us)).alerts
    again.close()
    assert [alert.sentence for alert in alerts if alert.kind == "refold"] == [
        f"1 item has another state since the update to {version()}"
    ]


def test_a_station_that_is_placed_where_it_is_is_said_to_be(store, run):
    ShopWriter(store).settle()
    db = store.path
    store.close()
    token = run("station", "add", "saw-1", "--stage", "saw", "--db", db)
    assert (token[0], token[2]) == (0, "")
    assert run("station", "place", "saw-1", "saw", "--db", db) == (0, "", "saw-1 scans at saw already.\n")
    assert run("station", "place", "saw-1", "deburr", "--db", db) == (0, "", "")


def test_no_hub_is_made_in_what_is_no_database_of_its_own(tmp_path, run):
    other, pipe, folder = tmp_path / "other.db", tmp_path / "pipe.db", tmp_path / "folder.db"
    db = sqlite3.connect(other)
    db.execute("CREATE TABLE customer (name)")
    db.commit()
    db.close()
    before = other.read_bytes()
    os.mkfifo(pipe)
    folder.mkdir()
    assert run("init", "--db", other) == (
        1,
        "",
        f"Error: {other} is another database, with the tables customer. Expected an empty one or none. Name another.\n",
    )
    for path in (pipe, folder):
        assert run("init", "--db", path) == (1, "", f"Error: {path} is no file. {LOOK}\n")
        assert not path.with_name(f"{path.name}.lock").exists()
    assert other.read_bytes() == before
