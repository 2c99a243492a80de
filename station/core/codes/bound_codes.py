"""Bound codes: single codes that the shop has bound to an item, a product, a badge, a card or a carrier.

Examples are a label on a bin, an old card or a bought badge. A binding has precedence over the shop's patterns and the
published systems, but not over the command cards (`WIP:…`).

>>> from station.core.codes.parser import read_code
>>> bound = {"NEXT-IS-SCRAP": CodeBinding(CodeType.COMMAND, "WIP:SCRAP"), "TOTE-9": CodeBinding(CodeType.ITEM, "WO-1005")}
>>> apply_binding(read_code(b"NEXT-IS-SCRAP", None, ()), bound).card
<Card.SCRAP: 'SCRAP'>
>>> apply_binding(read_code(b"TOTE-9", None, ()), bound).item
'WO-1005'
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from station.core.codes.code import Code, CodeType, Scheme
from station.core.codes.command_cards import HEAD, CardText, read_card
from station.core.codes.parser import EMPTY, TOO_LONG, of_card

_READ_ANEW = frozenset({None, Scheme.AMBIGUOUS, Scheme.BADGE, Scheme.COMMAND})


class CodeBinding(NamedTuple):
    """The target of a binding: the type of thing and its id."""

    as_: CodeType
    to: str


def is_bound(code: Code, bound: Mapping[str, CodeBinding]) -> bool:
    """Whether the shop has bound this code."""
    return code.code in bound and code.unread not in (TOO_LONG, EMPTY) and code.code[: len(HEAD)].upper() != HEAD


def apply_binding(code: Code, bound: Mapping[str, CodeBinding]) -> Code:
    """The code with its binding applied; unchanged where it has none.

    An item keeps the scheme and the fields of its label where that was parsed unambiguously. Products and carriers get the
    scheme of the shop's own codes.
    """
    if not is_bound(code, bound):
        return code
    as_, to = bound[code.code]
    if as_ is CodeType.BADGE:
        return Code(code.raw, code.sym, Scheme.BADGE, code.code, fields={"badge": to}, as_=as_, badge=to)
    if as_ is CodeType.COMMAND:
        read = read_card(to if to[: len(HEAD)].upper() == HEAD else HEAD + to)
        assert read is not None  # it begins with the head of a card
        return of_card(code.raw, code.sym, CardText(read.card, code.code, read.argument, read.qty_milli, read.unread))
    if as_ is not CodeType.ITEM:
        return Code(code.raw, code.sym, Scheme.OWN, code.code, to, {as_.value: to}, as_)
    if code.scheme in _READ_ANEW:
        return Code(code.raw, code.sym, Scheme.OWN, code.code, to, {as_.value: to})
    return replace(code, item=to, as_=as_)
