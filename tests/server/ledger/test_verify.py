"""Verify names what was changed behind the hub's back: each safety net is cut once."""

import re

import pytest
from engines import SQLITE
from sqlalchemy import text

from server.ledger.verify import verify

ON_POSTGRESQL = (
    (r"CAST\('\{\}' AS BLOB\)", r"'{}'\:\:bytea"),
    (r"zeroblob\(32\)", r"decode(repeat('00', 32), 'hex')"),
    (
        r"replace\(CAST\(bytes AS TEXT\)(.*)\) WHERE",
        r"convert_to(replace(convert_from(bytes, 'UTF8')\1), 'UTF8') WHERE",
    ),
)


@pytest.mark.parametrize(
    ("tampering", "said"),
    [
        (
            "UPDATE ledger SET bytes = CAST('{}' AS BLOB) WHERE seq = 2",
            ["pos 2, log {log} seq 2: its bytes are not those that were acknowledged"],
        ),
        (
            "DELETE FROM ledger WHERE seq = 2",
            [
                "pos 3, log {log} seq 3: positions 2 to 2 are missing",
                "pos 3, log {log} seq 3: the hub's chain breaks here",
                "pos 3, log {log} seq 3: seq 2 to 2 are missing",
            ],
        ),
        (
            "DELETE FROM ledger WHERE seq = 4",
            [
                "the ledger ends at 3; the hub had acknowledged up to 4, head {head}",
                "pos 3, log {log} seq 3: the log ends at seq 3; the hub had acknowledged up to 4",
            ],
        ),
        (
            "UPDATE ledger SET chain = zeroblob(32) WHERE seq = 4",
            [
                "pos 4, log {log} seq 4: the hub's chain breaks here",
                "the ledger ends at 4; the hub had acknowledged up to 4, head {head}",
            ],
        ),
        (
            "UPDATE ledger SET bytes = replace(CAST(bytes AS TEXT), 'saw', 'mil') WHERE seq = 4",  # text, not bytes
            ["pos 4, log {log} seq 4: its bytes are not those that were acknowledged"],
        ),
        (
            "UPDATE ledger SET seq = 'four', log_id = CAST(x'ff' AS TEXT), hash = 7 WHERE seq = 4",
            [
                "pos 4, log ff seq 0: the hub's chain breaks here",
                "pos 4, log ff seq 0: seq 1 to -1 are missing",
                "pos 4, log ff seq 0: its bytes are not those that were acknowledged",
                "pos 3, log {log} seq 3: the log ends at seq 3; the hub had acknowledged up to 4",
            ],
        ),
    ],
)
def test_a_change_behind_the_triggers_back_is_named(store, engine, append_batch, a_log, tampering, said):
    taken = append_batch(a_log.batch())
    with store.read() as connection:
        assert verify(connection) == []
    if engine != SQLITE and "CAST(x" in tampering:
        return  # PostgreSQL has no text in a column of numbers
    with store.write() as connection:
        if engine == SQLITE:
            for trigger in ("ledger_update", "ledger_delete"):
                connection.execute(text(f"DROP TRIGGER {trigger}"))
        else:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            for pattern, own in ON_POSTGRESQL:
                tampering = re.sub(pattern, own, tampering)
        connection.execute(text(tampering))
    with store.read() as connection:
        found = [str(each) for each in verify(connection)]
    expected = [text.format(log=a_log.log_id.hex(), head=taken.head.hex()) for text in said]
    assert [own.endswith(text) for own, text in zip(found, expected, strict=True)] == [True] * len(expected), found
