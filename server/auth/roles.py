"""Roles: what a person, or a program with a token, may do on the hub.

>>> sorted(granted("administer"))
[<Role.ACCOUNT: 'account'>, <Role.ADMINISTER: 'administer'>, <Role.SUPERVISE: 'supervise'>, <Role.VIEW: 'view'>]
>>> needed_for("cost.set")
<Role.ACCOUNT: 'account'>
"""

from enum import StrEnum


class Role(StrEnum):
    """`view` looks; `supervise` enters what happened on the floor; `account` enters money; `administer` lets people in."""

    VIEW = "view"
    SUPERVISE = "supervise"
    ACCOUNT = "account"
    ADMINISTER = "administer"


_IMPLIED = {
    Role.VIEW: {Role.VIEW},
    Role.SUPERVISE: {Role.VIEW, Role.SUPERVISE},
    Role.ACCOUNT: {Role.VIEW, Role.ACCOUNT},
    Role.ADMINISTER: set(Role),
}
_MONEY = frozenset({"cost.set", "cost.actual", "account.map", "period.close", "period.reopen"})
_RULES_OF_THE_HOUSE = frozenset({"person.define", "pattern.define", "card.define", "rule.define", "reread"})


def granted(words: str) -> frozenset[Role]:
    """The roles that these words (with blanks between) give, the implied ones included. Raises ValueError for others."""
    return frozenset(role for word in words.split() for role in _IMPLIED[Role(word)])


def needed_for(what: str) -> Role:
    """The role that a person needs for this kind of entry."""
    if what in _MONEY:
        return Role.ACCOUNT
    return Role.ADMINISTER if what in _RULES_OF_THE_HOUSE else Role.SUPERVISE
