"""The API's answers about unknown codes: their structs, and their construction."""

import msgspec

from server.api.format import time
from server.queries.unknown_codes import UnknownCode


class UnknownCodesQuery(msgspec.Struct):
    """`limit` at most 1,000; `cursor` of the answer before."""

    limit: str = ""
    cursor: str = ""


class UnknownCodeAnswer(msgspec.Struct):
    """A code that names nothing the office has released or bound; `stage` and `station` of its newest scan.

    `near`: the released order or item that differs only in blanks, case, dashes or invisible characters; null without one.
    """

    code: str
    scans: int
    first: str
    last: str
    stage: str | None
    station: str
    near: str | None


class UnknownCodesAnswer(msgspec.Struct):
    """Unknown codes in the order of their texts; `total`: all of them; `cursor` leads to the next page, null on the last."""

    codes: list[UnknownCodeAnswer]
    total: int
    cursor: str | None
    pos: int
    behind: int
    behind_s: int
    recalculating: int


def unknown_code_answer(row: UnknownCode) -> UnknownCodeAnswer:
    """One unknown code of the API."""
    return UnknownCodeAnswer(
        row.code, row.scans, time(row.first_us), time(row.last_us), row.stage, row.station, row.near
    )
