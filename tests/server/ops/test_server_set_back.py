"""A copy of a database server's folder is put back: it has the identity of the server that it replaces."""

from contextlib import closing
from pathlib import Path

import pytest
from postgres_server import postgres_server
from sqlalchemy import select

from server.db import schema
from server.db.store import Store
from server.ledger.entries import record
from server.ops.bootstrap import initialise, open_hub
from server.ops.host import Host

pytestmark = pytest.mark.host


def note(url: str, host: Host) -> int:
    """Write one entry. Returns its position."""
    with closing(open_hub(url, host=host)) as store:
        return record(store, "note", {"item": "WO-1", "text": "seen"}, "Kim")[2]


def causes(url: str) -> list[str]:
    with closing(Store(url, writing=False)) as store, store.read() as connection:
        return list(connection.execute(select(schema.epoch.c.cause).order_by(schema.epoch.c.epoch)).scalars())


def test_a_server_put_back_from_a_copy_of_its_folder_begins_a_new_epoch(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    host, other = Host(state_folder=lambda: tmp_path / "state"), Host(state_folder=lambda: None)
    with postgres_server() as server:
        url = server.url()
        with closing(Store(url)) as store:
            initialise(store)
        kept = note(url, host)
        server.copy_to(tmp_path / "copy")
        lost = note(url, host)
        assert lost == kept + 1
        note(url, other)  # a worker on a machine without a high-water file
        assert causes(url) == ["the hub was made"]

        server.put_back(tmp_path / "copy")
        assert causes(url) == ["the hub was made"]
        open_hub(url, host=host).close()
        assert causes(url) == ["the hub was made", f"the ledger ends at {kept} and had reached {lost}"]

        open_hub(url, host=host).close()
        open_hub(url, host=other).close()
        note(url, host)
        open_hub(url, host=host).close()
        assert len(causes(url)) == 2
