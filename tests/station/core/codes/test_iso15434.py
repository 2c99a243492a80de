"""ISO/IEC 15434: envelopes with fields of GS1 or with data identifiers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.core.codes import Scheme, read_code
from station.core.codes.iso15434 import MAX_FIELDS, read_envelope

TABLE = str.maketrans({"^": "\x1d", "~": "\x1e", "$": "\x04"})


@pytest.mark.parametrize(
    ("written", "fields"),
    [
        ("[)>~06^1PBC547^Q25~$", {"1P": "BC547", "Q": "25"}),
        ("[)>~06^PX^30PY-1^1TLOT7^9D2634^12KA~$", {"P": "X", "30P": "Y-1", "1T": "LOT7", "9D": "2634", "12K": "A"}),
        ("[)>~06^SA^SB^SC~$", {"S": "A", "S#2": "B", "S#3": "C"}),
        ("[)>~06^K^1PBC547^~$", {"K": "", "1P": "BC547"}),  # a distributor leaves the order empty
        (">[)>06^1PBC547^Q25~$", {"1P": "BC547", "Q": "25"}),  # old labels of one distributor
        ("[)>~06^1PBC547$", {"1P": "BC547"}),
        ("[)>~12^MFR 0B9R9^SER 786950~$", {"MFR": "0B9R9", "SER": "786950"}),
        ("[)>~06^25SUN123^~12^CAG 1HHU9~$", {"25S": "UN123", "CAG": "1HHU9"}),
        # One distributor prints no end at all, and a scanner can drop it.
        ("[)>~06^P296-LM358^1PLM358^Q25", {"P": "296-LM358", "1P": "LM358", "Q": "25", "recovered": "end"}),
        ("[)>~06^1PBC547^Q25~", {"1P": "BC547", "Q": "25", "recovered": "end"}),
        (">[)>06^1PBC547^Q25", {"1P": "BC547", "Q": "25", "recovered": "end"}),
        ("[)>06^1PBC547^Q25~$", {"1P": "BC547", "Q": "25"}),
        ("[)>~05^0109506000134352^10AB~$", {"01": "09506000134352", "10": "AB"}),
        ("[)>~05^0109506000134352^21S1~06^Q5~$",
         {"01": "09506000134352", "21": "S1", "Q": "5"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("sym", ["", "]d1", "]Q1", "]L0"])
def test_an_envelope_is_read(sym: str, written: str, fields: dict[str, str]) -> None:
    code = read_code((sym + written.translate(TABLE)).encode(), None, ())
    text = written.replace("^", "{GS}").replace("~", "{RS}").replace("$", "{EOT}")
    assert (code.scheme, code.fields, code.code) == (Scheme.ISO15434, fields, text)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("[)>~06", "a field is empty"),
        ("[)>~12^SERIAL 1~$", "the field 'SERIAL 1' begins with no text element identifier"),
        ("[)>~06^25~$", "the field '25' begins with no data identifier"),
        ("[)>~06^1234PX~$", "the field '1234PX' begins with no data identifier"),
        ("[)>~06^pX~$", "the field 'pX' begins with no data identifier"),
        ("[)>~06^PX^^Q5~$", "a field is empty"),
        ("[)>~06^PX\x01~$", "the field P holds a control character"),
        ("[)>~01^96841706672~$", "the format '01', expected 05, 06 or 12"),
        ("[)>~06^PX~07^free text~$", "the format '07', expected 05, 06 or 12"),
        ("[)>~$", "the format '', expected 05, 06 or 12"),
        ("[)>~05^0109506000134353~$", "(01) has a wrong check digit"),
        ("[)>~05^21S1~$", "(21) stands without (01) or (03) or (8006)"),
        ("[)>~06^" + "^".join(["PX"] * (MAX_FIELDS + 1)) + "~$", "more than 100 fields"),
        ("[)>~06^P" + "X" * 2048 + "~$", "2058 characters, expected at most 2048"),
    ],
)
def test_an_envelope_that_breaks_a_rule_is_not_understood(written: str, why: str) -> None:
    code = read_code(written.translate(TABLE).encode(), None, ())
    assert (code.scheme, code.unread, code.item) == (None, why, None)


@pytest.mark.parametrize("text", ["[)>WO-7", "[", ">06", "[)>06P1"])
def test_what_does_not_open_an_envelope_is_a_text(text: str) -> None:
    assert read_code(text.encode(), None, ()).scheme is Scheme.TEXT


@given(st.text("[)>0563PQ1^~$ ", max_size=40))
def test_anything_like_an_envelope_is_a_code(written: str) -> None:
    text = written.translate(TABLE)
    code = read_code(text.encode() or b"x", None, ())
    assert (code.scheme is None) is (code.unread is not None)
    read_envelope(text, None)
