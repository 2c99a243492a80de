"""NDEF: the texts and addresses in the message of an NFC tag, for whoever can make something of them.

A tag that anybody can write is trusted with nothing: a message whose lengths do not fit, or that comes in chunks, says
nothing; of addresses only those pass that may be a code (`http`, `https`, `urn`, `wip`, or none); posters are opened once.
Source: NFC Forum NDEF 1.0, RTD Text, URI and Smart Poster.

>>> texts(bytes.fromhex("D1010A5402656E574F2D31303432"))
(b'WO-1042',)
>>> texts(bytes.fromhex("D1010F55006A6176617363726970743A613D31"))
()
"""

from collections.abc import Iterator
from typing import Any

from drivers.decode.tags.nfc_forum import MAX_MESSAGE_BYTES

MAX_RECORDS = 16
"""Records of a message, those inside its smart posters included; a message with more says nothing."""
SCHEMES = frozenset({"http", "https", "urn", "wip"})
_TEXT, _ADDRESS, _POSTER = "urn:nfc:wkt:T", "urn:nfc:wkt:U", "urn:nfc:wkt:Sp"
_CHUNK, _SHORT, _HAS_ID = 0x20, 0x10, 0x08


def texts(message: bytes) -> tuple[bytes, ...]:
    """The texts and addresses of a message, UTF-8, in their order; () where it is none. Raises only without `ndeflib`."""
    if not 0 < len(message) <= MAX_MESSAGE_BYTES:
        return ()
    import ndef

    try:
        found = tuple(_said(ndef, message, MAX_RECORDS, inside=False))
    except (ndef.DecodeError, ValueError, _Hostile):
        return ()
    return tuple(each.encode("utf-8") for each in found if each)


class _Hostile(Exception):
    """A message that nobody's telephone wrote."""


def _said(ndef: Any, message: bytes, most: int, *, inside: bool) -> Iterator[str]:
    most -= _records(message, most)
    # Only these two kinds are decoded: a poster in a poster in a poster would otherwise be opened to its end.
    kinds = {_TEXT: ndef.TextRecord, _ADDRESS: ndef.UriRecord}
    for record in ndef.message_decoder(message, errors="strict", known_types=kinds):
        if record.type == _TEXT:
            yield record.text
        elif record.type == _ADDRESS and may_be_code(record.iri):
            yield record.iri
        elif record.type == _POSTER and not inside:
            yield from _said(ndef, bytes(record.data), most, inside=True)


def _records(message: bytes, most: int) -> int:
    """How many records a message has, by their lengths; `_Hostile` where they do not fill it, or one comes in chunks."""
    at = count = 0
    while at < len(message):
        flags, head = message[at], message[at + 1 : at + 7]
        count += 1
        size = 1 if flags & _SHORT else 4
        has_id = bool(flags & _HAS_ID)
        if flags & _CHUNK or count > most or len(head) < 1 + size + has_id:
            raise _Hostile
        payload = int.from_bytes(head[1 : 1 + size], "big")
        at += 2 + size + has_id + head[0] + payload + (head[1 + size] if has_id else 0)
    if at != len(message):
        raise _Hostile
    return count


def may_be_code(address: str) -> bool:
    """Whether an address has no scheme, or one that a code may have: nothing that a browser runs or opens on a disk.

    >>> [may_be_code(each) for each in ("WO-1042", "https://id.gs1.org/01/1", "file:///etc/passwd", "JavaScript:x")]
    [True, True, False, False]
    """
    head, colon, _ = address.partition(":")
    return not colon or head.strip().lower() in SCHEMES
