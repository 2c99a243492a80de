"""Account check: the fields of the entries from which the journal of a period is made.

`account.map` names the account of a line of the roll-forward: of work in process itself (`wip`), of what stands against it,
or of a write-down. It holds for one component, one stage (a cost centre), both, or all.

>>> map_mistake({"line": "labour"})[0], map_mistake({"line": "labour", "account": "5100"})
('account.map without an account', None)
"""

from typing import Annotated, Any, Literal

import msgspec

from server.ledger.print_schema import Name

MAP, BALANCE = "account.map", "account.balance"
WIP, ROUNDING = "wip", "rounding"
WRITE_DOWN, ALLOWANCE = "write_down", "write_down_allowance"  # of the proposed write-down; no journal posts them
MOST_ACCOUNT = 40  # characters

Line = Literal[
    "wip", "late", "material", "labour", "overhead", "outside", "finished", "normal_scrap", "abnormal_scrap", "counts",
    "closes", "revaluation", "rounding", "write_down", "write_down_allowance",
]  # fmt: skip
Account = Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_ACCOUNT, pattern=r"^\S(?:.*\S)?$")]
MOST_MICROS = 2**62


class _AccountMap(msgspec.Struct, forbid_unknown_fields=True):
    line: Line
    account: Account | None = None
    withdrawn: bool | None = None
    component: Name | None = None
    stage: Name | None = None


class _Balance(msgspec.Struct, forbid_unknown_fields=True):
    """The balance of an account in the general ledger at the end of a closed period. `period`: the position of its close."""

    account: Account
    period: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    micros: Annotated[int, msgspec.Meta(ge=-MOST_MICROS, le=MOST_MICROS)]


ACCOUNTS: dict[str, type[msgspec.Struct]] = {MAP: _AccountMap, BALANCE: _Balance}


def account_mistake(data: dict[str, Any]) -> tuple[str, str, str] | None:
    """What came, what was expected and what to do, of an account with a character that cannot be seen; None without one.

    >>> account_mistake({"account": "1300"}), account_mistake({"account": "1300\\n"})[0]
    (None, "the account '1300\\\\n'")
    """
    account = data.get("account")
    if account is None or account.isprintable():
        return None
    return f"the account {account!r}", "characters that can be seen", "Type it again."


def map_mistake(data: dict[str, Any]) -> tuple[str, str, str] | None:
    """What came, what was expected and what to do, of fields that do not fit together; None where they do."""
    if (mistake := account_mistake(data)) is not None:
        return mistake
    if data["line"] == ROUNDING and (data.get("component") or data.get("stage")):
        came = "account.map of the rounding for a component or a stage"
        return came, "one account for all rounding", "Leave out `component` and `stage`."
    if (data.get("account") is None) == (data.get("withdrawn") is True):
        return None
    came = (
        "account.map with an account that is withdrawn" if data.get("withdrawn") else "account.map without an account"
    )
    return (
        came,
        "`account`, or `withdrawn` true",
        "Send one of the two: an account, or that from then on there is none.",
    )
