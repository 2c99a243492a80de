"""Rule settings: for each rule its description, whether it is on, and the number of its findings in the last week."""

from typing import NamedTuple

from sqlalchemy import Connection, and_, func, select

from server.projection.tables import finding
from station.core.ledger.rules import ON_BY_DEFAULT, RULES
from station.core.master_data import MasterData

WEEK_US = 7 * 86_400_000_000


class RuleSetting(NamedTuple):
    """A rule: its name, its description, whether it is on, its default, and its findings of the last seven days."""

    name: str
    about: str
    on: bool
    by_default: bool
    last_week: int


def is_on(rule: str, master_data: MasterData, at_us: int) -> bool:
    """Whether a rule's findings are shown; False for a rule that this version does not have."""
    return master_data.rule_is_on(rule, at_us, ON_BY_DEFAULT.get(rule, False))


def rules_on(master_data: MasterData, at_us: int) -> list[str]:
    """The names of the rules that are on."""
    return [rule.name for rule in RULES if is_on(rule.name, master_data, at_us)]


def rules(connection: Connection, master_data: MasterData, now_us: int) -> list[RuleSetting]:
    """Every rule, in the order of RULES. Reads the findings of the last seven days through their index."""
    c = finding.c
    query = (
        select(c.rule, func.count())
        .where(and_(c.rule.in_(list(ON_BY_DEFAULT)), c.key_us > now_us - WEEK_US, c.key_us <= now_us))
        .group_by(c.rule)
    )
    counts: dict[str, int] = {row[0]: row[1] for row in connection.execute(query)}
    return [
        RuleSetting(
            rule.name,
            rule.about,
            is_on(rule.name, master_data, now_us),
            rule.on,
            counts.get(rule.name, 0),
        )
        for rule in RULES
    ]
