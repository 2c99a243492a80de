"""Electronic product codes (EPC): GS1 numbers in the memory of an RFID tag (EPC Tag Data Standard, sections 14 and 15).

An EPC of 96 bits is a header, a filter, a partition (how many digits belong to the company), and two numbers. It is parsed
strictly: a partition above 6, a number with too many digits, or a set bit where zeros are required makes it invalid.

>>> read_epc(bytes.fromhex("3034257BF7194E4000001A85"))["uri"]
'urn:epc:id:sgtin:0614141.812345.6789'
>>> read_epc(bytes.fromhex("3034257BF7194E4000001A85"))["01"]
'80614141123458'
>>> read_epc(b"random bytes") is None
True
"""

from collections.abc import Callable, Mapping
from urllib.parse import quote

from station.core.codes.gs1.checks import SET_82, check_digit_of

EPC_BYTES = 12
EPC_198_BYTES = 25
_COMPANY_BITS = (40, 37, 34, 30, 27, 24, 20)  # by partition, for 12 to 6 digits
_SERIAL_198_CHARACTERS = 20
# Characters of a text that was written into a tag: its first character, a digit, looks like a header of 30 to 34.
_WRITTEN = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz -./:_")
_URI_PLAIN = "!'()*+,-.:;=_"  # the characters of set 82 that an EPC URI writes as they are (section 5)


class _NoEpc(ValueError):
    """These bits are no EPC of a supported scheme."""


class _Bits:
    """A tag's bits, read from the left."""

    def __init__(self, epc: bytes) -> None:
        self._value, self._left = int.from_bytes(epc, "big"), len(epc) * 8

    def read_bits(self, width: int) -> int:
        self._left -= width
        return (self._value >> self._left) & ((1 << width) - 1)

    def number(self, width: int, digits: int) -> str:
        """A number with `digits` digits and leading zeros; "" for zero digits."""
        value = self.read_bits(width)
        if value >= 10**digits:
            raise _NoEpc
        return f"{value:0{digits}}" if digits else ""

    def zeros(self) -> None:
        """Check that all remaining bits are zero."""
        if self.read_bits(self._left):
            raise _NoEpc


_Fields = dict[str, str]
_Reader = Callable[[_Bits, str, int], _Fields]


def _sgtin(bits: _Bits, company: str, partition: int) -> _Fields:
    item = bits.number(44 - _COMPANY_BITS[partition], 13 - len(company))
    serial = str(bits.read_bits(38))
    return _article(company, item, serial)


def _article(company: str, item: str, serial: str) -> _Fields:
    body = item[0] + company + item[1:]
    return {
        "uri": f"urn:epc:id:sgtin:{company}.{item}.{_escaped(serial)}",
        "company_prefix": company, "item_reference": item, "serial": serial,
        "01": body + check_digit_of(body), "21": serial,
    }  # fmt: skip


def _sgtin_198(bits: _Bits, company: str, partition: int) -> _Fields:
    item = bits.number(44 - _COMPANY_BITS[partition], 13 - len(company))
    points = [bits.read_bits(7) for _ in range(_SERIAL_198_CHARACTERS)]
    serial = "".join(map(chr, points)).rstrip("\0")
    bits.zeros()
    if not serial or not set(serial) <= SET_82:
        raise _NoEpc
    return _article(company, item, serial)


def _escaped(text: str) -> str:
    return quote(text, safe=_URI_PLAIN)


def _sscc(bits: _Bits, company: str, partition: int) -> _Fields:
    reference = bits.number(58 - _COMPANY_BITS[partition], 17 - len(company))
    bits.zeros()
    body = reference[0] + company + reference[1:]
    return {
        "uri": f"urn:epc:id:sscc:{company}.{reference}",
        "company_prefix": company, "serial_reference": reference, "00": body + check_digit_of(body),
    }  # fmt: skip


def _sgln(bits: _Bits, company: str, partition: int) -> _Fields:
    location = bits.number(41 - _COMPANY_BITS[partition], 12 - len(company))
    extension = str(bits.read_bits(41))
    body = company + location
    return {
        "uri": f"urn:epc:id:sgln:{company}.{location}.{extension}",
        "company_prefix": company, "location_reference": location, "extension": extension,
        "414": body + check_digit_of(body),
    } | ({} if extension == "0" else {"254": extension})  # fmt: skip


def _grai(bits: _Bits, company: str, partition: int) -> _Fields:
    kind = bits.number(44 - _COMPANY_BITS[partition], 12 - len(company))
    serial = str(bits.read_bits(38))
    body = company + kind
    return {
        "uri": f"urn:epc:id:grai:{company}.{kind}.{serial}",
        "company_prefix": company, "asset_type": kind, "serial": serial,
        "8003": "0" + body + check_digit_of(body) + serial,
    }  # fmt: skip


def _giai(bits: _Bits, company: str, partition: int) -> _Fields:
    asset = bits.number(82 - _COMPANY_BITS[partition], 13 + partition)
    asset = asset.lstrip("0") or "0"
    return {
        "uri": f"urn:epc:id:giai:{company}.{asset}",
        "company_prefix": company, "asset_reference": asset, "8004": company + asset,
    }  # fmt: skip


_SCHEMES: Mapping[int, tuple[str, int, _Reader]] = {
    0x30: ("sgtin-96", EPC_BYTES, _sgtin),
    0x31: ("sscc-96", EPC_BYTES, _sscc),
    0x32: ("sgln-96", EPC_BYTES, _sgln),
    0x33: ("grai-96", EPC_BYTES, _grai),
    0x34: ("giai-96", EPC_BYTES, _giai),
    0x36: ("sgtin-198", EPC_198_BYTES, _sgtin_198),
}


def read_epc(epc: bytes) -> dict[str, str] | None:
    """The parts of an EPC, its URI and its application identifiers; None where these bytes are no supported EPC.

    Exactly 12 bytes; an SGTIN-198 25, or the 26 of the words that hold it.
    """
    scheme = _SCHEMES.get(epc[0]) if epc else None
    if scheme is None or len(epc) not in {scheme[1], scheme[1] + scheme[1] % 2}:
        return None
    if _WRITTEN.issuperset(epc):
        return None
    name, _, read = scheme
    bits = _Bits(epc)
    bits.read_bits(8)
    filter_, partition = bits.read_bits(3), bits.read_bits(3)
    try:
        if partition >= len(_COMPANY_BITS):
            return None
        company = bits.number(_COMPANY_BITS[partition], 12 - partition)
        return {"epc": name, "filter": str(filter_)} | read(bits, company, partition)
    except _NoEpc:
        return None
