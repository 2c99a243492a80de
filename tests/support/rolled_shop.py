"""Roll-forwards of a shop that a test wrote."""

from server.projection.worker import projected_pos
from server.queries.roll_forward import Period, RollBy, roll_forward


def period(shop_writer, connection, from_us, to_us, known=None):
    pos = projected_pos(connection)
    return Period(from_us, to_us, shop_writer.now_us, pos if known is None else known, pos)


def rolled(shop_writer, from_us, to_us, by=RollBy.COMPONENT, known=None, step=1):
    with shop_writer.store.read() as connection:
        return roll_forward(connection, period(shop_writer, connection, from_us, to_us, known), by, step)


def lines(row):
    """The lines of a row that are not zero, in micros by name."""
    return {line.value: micros for line, micros in row.lines.items()}
