"""One writer, by whatever name the database is opened."""

import os
import sys

import pytest

from server.db.store import Store
from server.db.writer_lock import HubLocked, WriterLock
from server.ops.bootstrap import initialise


def test_a_second_hub_through_a_symbolic_link_is_refused(store, tmp_path):
    link = tmp_path / "link.db"
    link.symlink_to(store.path)
    with pytest.raises(HubLocked, match=f"is in use by process {os.getpid()}"):
        Store(link)


def test_a_second_hub_through_a_linked_folder_is_refused(store, tmp_path):
    (tmp_path / "elsewhere").symlink_to(store.path.parent)
    with pytest.raises(HubLocked):
        Store(tmp_path / "elsewhere" / store.path.name)


def test_a_second_hub_through_a_hard_link_is_refused(store, tmp_path):
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "hub.db"
    other.hardlink_to(store.path)
    with pytest.raises(HubLocked):
        Store(other)


def test_a_second_hub_after_the_lock_file_was_deleted_is_refused(store):
    store.path.with_name("hub.db.lock").unlink()
    with pytest.raises(HubLocked):
        Store(store.path)


def test_a_new_hub_holds_its_file_from_the_beginning(tmp_path):
    db = tmp_path / "new.db"
    made = Store(db)
    initialise(made)
    (tmp_path / "new.db.lock").unlink()
    with pytest.raises(HubLocked):
        Store(db)
    made.close()
    Store(db).close()


def test_a_lock_file_that_is_deleted_while_it_is_taken_does_not_count(tmp_path):
    """Opened here, deleted by another process, then locked here: that lock would guard no name."""
    db = tmp_path / "second.db"
    armed = [True]

    def delete_once(event: str, _arguments: object) -> None:
        if event == "fcntl.flock" and armed:
            armed.clear()
            (tmp_path / "second.db.lock").unlink()

    sys.addaudithook(delete_once)  # hooks stay for the life of the process: this one does nothing from now on
    lock = WriterLock(db)
    assert not armed
    with pytest.raises(HubLocked):
        WriterLock(db)
    lock.release()


def test_the_lock_of_a_store_that_is_closed_is_free_again(store):
    path = store.path
    store.close()
    again = Store(path)
    with pytest.raises(HubLocked):
        WriterLock(path)
    again.close()
    WriterLock(path).release()
