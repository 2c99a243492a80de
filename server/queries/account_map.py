"""Account map: the accounts of the journal at a time, by line of the roll-forward, component and stage.

>>> accounts = AccountMap({("wip", "", ""): "1300", ("wip", "labour", ""): "1310", ("wip", "", "paint"): "1390"})
>>> [accounts.of("wip", *cell) for cell in (("bar", "saw"), ("labour", "paint"), ("bar", "paint"), ("bar", None))]
['1300', '1310', '1390', '1300']
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from server.ledger.account_check import MAP
from station.core.master_data import Definition, MasterData


class Mapped(NamedTuple):
    """A row of the map: its line, component and stage ("": all), the definition that holds, and one that holds later."""

    line: str
    component: str
    stage: str
    holds: Definition
    later: Definition | None

    @property
    def account(self) -> str | None:
        """The account; None where it is withdrawn."""
        return account_in(self.holds)


class AccountMap:
    """The account of each line, component and stage."""

    def __init__(self, accounts: Mapping[tuple[str, str, str], str]) -> None:
        self._accounts = dict(accounts)

    def of(self, line: str, component: str = "", stage: str | None = None) -> str | None:
        """The account of a line: that of component and stage, else of the component, else of the stage, else of the line."""
        at = stage or ""
        for key in ((line, component, at), (line, component, ""), (line, "", at), (line, "", "")):
            if key in self._accounts:
                return self._accounts[key]
        return None


def account_in(definition: Definition) -> str | None:
    """The account that an entry `account.map` names; None of a withdrawal, or of fields of an earlier version."""
    account = definition.data.get("account")
    return account if isinstance(account, str) and account and not definition.data.get("withdrawn") else None


def mapped(master_data: MasterData, at_us: int) -> list[Mapped]:
    """The rows of the map at a time (UTC us), by line, component and stage."""
    return list(_mapped(master_data, at_us))


def _mapped(master_data: MasterData, at_us: int) -> Iterable[Mapped]:
    for name in master_data.names(MAP):
        holds = master_data.at(MAP, name, at_us)
        versions = master_data.versions(MAP, name)
        if holds is not None:
            later = next((one for one in versions if one.holds_from_us > max(at_us, holds.holds_from_us)), None)
            line, component, stage = name.split("\0")
            yield Mapped(line, component, stage, holds, later)


def account_map(master_data: MasterData, at_us: int) -> AccountMap:
    """The accounts at a time (UTC us)."""
    rows = [(row, row.account) for row in _mapped(master_data, at_us)]
    return AccountMap({(row.line, row.component, row.stage): account for row, account in rows if account is not None})
