"""The restatement of a closed period, in units of the currency."""

from server.queries.closed_periods import closed_period, stored_lines
from server.queries.restatement import restatement


def restated(shop, pos, change=lambda lines: lines):
    """Stored value, causes and present value of a close; `change`: of the stored lines before they are compared."""
    with shop.store.read() as connection:
        close = closed_period(connection, pos)
        found = restatement(connection, close, change(stored_lines(connection, close)))
    assert found.stored + sum(found.causes.values()) == found.now
    for cause, micros in found.causes.items():
        assert sum(row.micros for row in found.rows if row.cause == cause) == micros
    causes = {str(cause): micros / 1e6 for cause, micros in found.causes.items() if micros}
    return found.stored / 1e6, causes, found.now / 1e6
