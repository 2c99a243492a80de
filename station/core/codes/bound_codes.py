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
from station.core.codes.identity import binding_key, gtin_key
from station.core.codes.parser import EMPTY, TOO_LONG, of_card

_READ_ANEW = frozenset({None, Scheme.AMBIGUOUS, Scheme.BADGE, Scheme.COMMAND})


class CodeBinding(NamedTuple):
    """The target of a binding: the type of thing and its id."""

    as_: CodeType
    to: str


def bindings_by_key(bound: Mapping[str, CodeBinding]) -> dict[str, CodeBinding]:
    """Bindings of codes in any spelling, also under the keys of these codes, so that each holds for all spellings.

    >>> from station.core.codes.parser import read_code
    >>> bound = bindings_by_key({"9506000134352": CodeBinding(CodeType.PRODUCT, "BRK-20")})
    >>> apply_binding(read_code(b"]C101095060001343521727013110AB", None, ()), bound).as_  # a lot of it is another thing
    <CodeType.ITEM: 'item'>
    >>> apply_binding(read_code(b"]E09506000134352", None, ()), bound).item
    'BRK-20'
    """
    return {**{binding_key(code): binding for code, binding in bound.items()}, **bound}


def binding_of(code: Code, bound: Mapping[str, CodeBinding]) -> CodeBinding | None:
    """The binding of this code; None where it has none."""
    if not bound or code.unread in (TOO_LONG, EMPTY) or code.code[: len(HEAD)].upper() == HEAD:
        return None
    binding = bound.get(code.identity) or bound.get(code.code)
    if binding is None and not code.key and (key := gtin_key(code.code)) is not None:
        return bound.get(key)
    return binding


def is_bound(code: Code, bound: Mapping[str, CodeBinding]) -> bool:
    """Whether the shop has bound this code."""
    return binding_of(code, bound) is not None


def apply_binding(code: Code, bound: Mapping[str, CodeBinding]) -> Code:
    """The code with its binding applied; unchanged where it has none.

    An item keeps the scheme and the fields of its label where that was parsed unambiguously. Products and carriers get the
    scheme of the shop's own codes.
    """
    binding = binding_of(code, bound)
    if binding is None:
        return code
    as_, to = binding
    if as_ is CodeType.BADGE:
        return Code(code.raw, code.sym, Scheme.BADGE, code.code, fields={"badge": to}, as_=as_, badge=to, key=code.key)
    if as_ is CodeType.COMMAND:
        read = read_card(to if to[: len(HEAD)].upper() == HEAD else HEAD + to)
        assert read is not None  # it begins with the head of a card
        text = CardText(read.card, code.code, read.argument, read.qty_milli, read.unread)
        return replace(of_card(code.raw, code.sym, text), key=code.key)
    if as_ is not CodeType.ITEM:
        return Code(code.raw, code.sym, Scheme.OWN, code.code, to, {as_.value: to}, as_, key=code.key)
    if code.scheme in _READ_ANEW:
        return Code(code.raw, code.sym, Scheme.OWN, code.code, to, {as_.value: to}, key=code.key)
    return replace(code, item=to, as_=as_)
