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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from drivers import Read
from station.core.codes import Code, CodeBinding, Pattern, apply_binding, is_bound, read_code, read_tag_code
from station.core.codes.canonical import canonical, split_aim
from station.core.codes.code import Scheme
from station.core.codes.documents import document, shown_lines
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


class LabelRead(NamedTuple):
    """One scan of a label; `unread`: why the lines of the label that are in no other scan are no codes."""

    read: Read
    unread: str | None = None


def label_reads(
    read: Read,
    patterns: Sequence[Pattern],
    bound: Mapping[str, CodeBinding] = NONE_BOUND,
    is_known: Callable[[Code], bool] = lambda _code: False,
) -> Sequence[LabelRead]:
    """The scans of a label: of one with several lines each line that is a code, then the whole where other lines are left.

    A label without such a line is one scan, and so is one that is a code or a document (`codes.documents`) as a whole.
    `is_known`: whether the office knows what a text names.

    >>> label = Read(b"WIP:SCRAP\\r\\nBracket M8", None, "keyboard", "usb-1", 0, 21)
    >>> [(scan.read.raw, scan.unread) for scan in label_reads(label, ())]
    [(b'WIP:SCRAP', None), (b'WIP:SCRAP\\r\\nBracket M8', '1 of 2 lines are no code: Bracket M8')]
    """
    if read.tag or read.raw_len > len(read.raw) or not (b"\n" in read.raw or b"\r" in read.raw):
        return (LabelRead(read),)
    whole = interpret(read, patterns, bound)[1]
    if whole.unread is None or document(whole.code) is not None:
        return (LabelRead(read),)
    lines = [line for line in split_aim(read.raw, read.sym)[1].splitlines() if line.strip()]
    codes = [read_code(line, None, patterns) for line in lines]
    known = [code.scheme in KNOWN or is_bound(code, bound) or is_known(code) for code in codes]
    reads = [
        LabelRead(replace(read, raw=line, sym=None, raw_len=len(line)))
        for line, is_code in zip(lines, known, strict=True)
        if is_code
    ]
    others = [canonical(line) for line, is_code in zip(lines, known, strict=True) if not is_code]
    if reads and not others:
        return reads
    why = f"{len(others)} of {len(lines)} lines are no code: {shown_lines(others)}" if reads else None
    return (*reads, LabelRead(read, why))
