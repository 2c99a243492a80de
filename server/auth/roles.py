"""Roles: the permissions of a person or of a program with a token.

>>> sorted(granted("administer"))
[<Role.ACCOUNT: 'account'>, <Role.ADMINISTER: 'administer'>, <Role.SUPERVISE: 'supervise'>, <Role.VIEW: 'view'>]
>>> needed_for("cost.set")
<Role.ACCOUNT: 'account'>
"""

from enum import StrEnum


class Role(StrEnum):
    """`view`: read; `supervise`: entries about work; `account`: entries about money; `administer`: accounts and rules."""

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
_MONEY = frozenset({
    "cost.set", "cost.tolerance", "cost.actual", "account.map", "account.balance", "count.limit", "journal.export",
    "journal.reverse", "period.close", "period.reopen",
})  # fmt: skip
_SHOP_RULES = frozenset({"person.define", "pattern.define", "card.define", "rule.define", "site.define", "reread"})


def granted(words: str) -> frozenset[Role]:
    """The roles of these words, separated by blanks, with the implied roles. Raises ValueError for an unknown word."""
    return frozenset(role for word in words.split() for role in _IMPLIED[Role(word)])


def needed_for(what: str) -> Role:
    """The role that this kind of entry requires."""
    if what in _MONEY:
        return Role.ACCOUNT
    return Role.ADMINISTER if what in _SHOP_RULES else Role.SUPERVISE
