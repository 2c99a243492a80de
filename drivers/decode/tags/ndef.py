"""NDEF: the texts and URIs in the message of an NFC tag.

Anyone can write such a tag, so its message is not trusted. A message with inconsistent lengths or with chunked records is
ignored. A URI is kept only if its scheme may belong to a code (`http`, `https`, `urn`, `wip`, or none). A smart poster
inside a smart poster is ignored. Source: NFC Forum NDEF 1.0, RTD Text, URI and Smart Poster.

>>> texts(bytes.fromhex("D1010A5402656E574F2D31303432"))
(b'WO-1042',)
>>> texts(bytes.fromhex("D1010F55006A6176617363726970743A613D31"))
()
"""

from collections.abc import Iterator
from typing import Any

from drivers.decode.tags.nfc_forum import MAX_MESSAGE_BYTES

MAX_RECORDS = 16
"""The most records of a message, including those in its smart posters; a message with more is ignored."""
SCHEMES = frozenset({"http", "https", "urn", "wip"})
_TEXT, _ADDRESS, _POSTER = "urn:nfc:wkt:T", "urn:nfc:wkt:U", "urn:nfc:wkt:Sp"
_CHUNK, _SHORT, _HAS_ID = 0x20, 0x10, 0x08


def texts(message: bytes) -> tuple[bytes, ...]:
    """The texts and URIs of a message, UTF-8, in their order; () if it is invalid. Raises ImportError without `ndeflib`."""
    if not 0 < len(message) <= MAX_MESSAGE_BYTES:
        return ()
    import ndef

    try:
        decoded = tuple(_texts(ndef, message, MAX_RECORDS, inside=False))
    except (ndef.DecodeError, ValueError, _Malformed):
        return ()
    return tuple(text.encode("utf-8") for text in decoded if text)


class _Malformed(Exception):
    """A message with inconsistent lengths, chunks, or too many records."""


def _texts(ndef: Any, message: bytes, most: int, *, inside: bool) -> Iterator[str]:
    most -= _records(message, most)
    # The library decodes only these two types. It would decode posters at any depth of nesting.
    kinds = {_TEXT: ndef.TextRecord, _ADDRESS: ndef.UriRecord}
    for record in ndef.message_decoder(message, errors="strict", known_types=kinds):
        if record.type == _TEXT:
            yield record.text
        elif record.type == _ADDRESS and may_be_code(record.iri):
            yield record.iri
        elif record.type == _POSTER and not inside:
            yield from _texts(ndef, bytes(record.data), most, inside=True)


def _records(message: bytes, most: int) -> int:
    """The number of records in a message, by their lengths. Raises `_Malformed`."""
    at = count = 0
    while at < len(message):
        flags, head = message[at], message[at + 1 : at + 7]
        count += 1
        size = 1 if flags & _SHORT else 4
        has_id = bool(flags & _HAS_ID)
        if flags & _CHUNK or count > most or len(head) < 1 + size + has_id:
            raise _Malformed
        payload = int.from_bytes(head[1 : 1 + size], "big")
        at += 2 + size + has_id + head[0] + payload + (head[1 + size] if has_id else 0)
    if at != len(message):
        raise _Malformed
    return count


def may_be_code(address: str) -> bool:
    """Whether a URI has no scheme or one of `SCHEMES`; others may run code in a browser or open local files.

    >>> [may_be_code(uri) for uri in ("WO-1042", "https://id.gs1.org/01/1", "file:///etc/passwd", "JavaScript:x")]
    [True, True, False, False]
    """
    head, colon, _ = address.partition(":")
    return not colon or head.strip().lower() in SCHEMES
