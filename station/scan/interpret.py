"""Interpret a read according to its reader kind.

A tag may carry NDEF texts and URIs beside its number. The first text with a known scheme or a binding replaces the number;
any other text (a web address, a note) is ignored. The digits of a number pad are a quantity.

>>> from drivers import Read
>>> tag = Read(b"04A1B2C3", None, "pcsc", "pcsc-1", 0, 8, tag=True, texts=(b"https://example.com", b"WIP:BADGE:kim"))
>>> read, code = interpret(tag, ())
>>> read.raw, code.badge
(b'WIP:BADGE:kim', 'kim')
>>> interpret(replace(tag, texts=tag.texts[:1]), ())[1].code
'04A1B2C3'
>>> interpret(Read(b"12.5", None, "keyboard", "usb-1", 0, 4), (), keypad=True)[1].qty_milli
12500
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from drivers import Read
from station.core.codes import Code, CodeBinding, Pattern, apply_binding, is_bound, read_code, read_tag_code
from station.core.codes.code import Scheme
from station.core.codes.parser import TOO_LONG

KNOWN = frozenset({Scheme.OWN, Scheme.COMMAND, Scheme.BADGE, Scheme.GS1, Scheme.EPC, Scheme.ISO15434})
QUANTITY = b"WIP:QTY:"
NONE_BOUND: Mapping[str, CodeBinding] = MappingProxyType({})


def interpret(
    read: Read, patterns: Sequence[Pattern], bound: Mapping[str, CodeBinding] = NONE_BOUND, *, keypad: bool = False
) -> tuple[Read, Code]:
    """Parse a read; returns the read as it is recorded, and its code. `bound`: the shop's bindings by code."""
    if keypad:
        return read, replace(read_code(QUANTITY + read.raw, None, ()), raw=read.raw)
    for text in read.texts:
        code = read_code(text, None, patterns)
        if code.scheme in KNOWN or is_bound(code, bound):
            return replace(read, raw=text, raw_len=len(text), tag=False, texts=()), apply_binding(code, bound)
    if read.tag:
        return read, apply_binding(read_tag_code(read.raw, patterns), bound)
    code = read_code(read.raw, read.sym, patterns)
    if read.raw_len > len(read.raw):
        code = Code(code.raw, code.sym, None, code.code, unread=TOO_LONG)
    return read, apply_binding(code, bound)
