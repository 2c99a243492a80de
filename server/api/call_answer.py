"""The API's answers about calls: their structs, and their construction from paired calls."""

import msgspec

from server.api.format import time
from server.queries.calls import Call


class CallsQuery(msgspec.Struct):
    """`stage`: the calls of one stage; `open`: "1" for those without an answer; `limit` at most 1,000; `cursor`."""

    stage: str = ""
    open: str = ""
    limit: str = ""
    cursor: str = ""


class CallAnswer(msgspec.Struct):
    """A call and its answer. `stage` null: called at a station without a stage; `waited_s`: up to the answer, or to now.

    `log`, `seq`: the event of the call; `answered` null: the call is open.
    """

    stage: str | None
    station: str
    reason: str | None
    called: str
    called_by: str | None
    answered: str | None
    answered_by: str | None
    answered_at: str | None
    waited_s: int
    log: str
    seq: int


class CallsAnswer(msgspec.Struct):
    """Calls, the newest first; `cursor` leads to the next page, null on the last one."""

    calls: list[CallAnswer]
    cursor: str | None
    pos: int
    behind: int
    behind_s: int
    recalculating: int


def call_answer(paired: Call, now_us: int) -> CallAnswer:
    """One call of the API."""
    call = paired.call
    return CallAnswer(
        call.stage,
        call.station,
        call.reason,
        time(call.at_us),
        call.by,
        None if paired.answered_us is None else time(paired.answered_us),
        paired.answered_by,
        paired.answered_at,
        max(0, paired.waited_s(now_us)),
        call.log,
        call.seq,
    )


def cursor_of(paired: Call) -> str:
    """The cursor behind a call."""
    return f"{paired.call.at_us}:{paired.call.log}:{paired.call.seq}"
