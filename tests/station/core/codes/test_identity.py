"""A published code is its keys: every spelling of them is one identity, and different keys never share one."""

import itertools
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from station.core.codes import (
    CodeBinding,
    CodeType,
    Pattern,
    Scheme,
    apply_binding,
    binding_key,
    bindings_by_key,
    identity_of_recorded,
    identity_of_written,
    read_code,
    read_tag_code,
)
from station.core.codes.canonical import unescaped
from station.core.codes.gs1.checks import SET_82, check_digit_of
from station.core.codes.gs1.elements import read_elements
from station.core.codes.identity import gtin_texts
from station.core.codes.keys import KEYS, key_text

GS, RS, EOT = "\x1d", "\x1e", "\x04"
SYMBOLS = ("]C1", "]d2", "]Q3", "]e0", "]J1")
FIXED = frozenset({"00", "01", "11", "17", "3103"})


def with_check(digits: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A number with its check digit."""
    return digits.map(lambda body: body + check_digit_of(body))


def digits(count: int) -> st.SearchStrategy[str]:
    """So many digits."""
    return st.text("0123456789", min_size=count, max_size=count)


TEXT = st.text("".join(sorted(SET_82)), min_size=1, max_size=20)
NUMBER = st.integers(0, 2**38 - 1).map(str)
GTIN = with_check(digits(13))
DESCRIBING = st.fixed_dictionaries({}, optional={"17": st.just("270131"), "3103": digits(6), "240": TEXT, "91": TEXT})
KEYED = st.one_of(
    st.fixed_dictionaries({"00": with_check(digits(17))}),
    st.fixed_dictionaries({"01": GTIN, "21": TEXT}, optional={"10": TEXT, "22": TEXT}),
    st.fixed_dictionaries({"01": GTIN, "10": TEXT}),
    st.fixed_dictionaries({"01": GTIN}),
    st.fixed_dictionaries({"8004": digits(4).flatmap(lambda head: TEXT.map(lambda tail: head + tail))}),
    st.fixed_dictionaries(
        {"8003": with_check(digits(12)).flatmap(lambda kind: TEXT.map(lambda s: "0" + kind + s[:16]))}
    ),
    st.fixed_dictionaries({"414": with_check(digits(12)), "254": TEXT}),
)
LABELS = st.tuples(KEYED, DESCRIBING).map(
    lambda pair: {
        ai: value for ai, value in {**pair[0], **pair[1]}.items() if "01" in pair[0] or ai in pair[0] or ai == "91"
    }
)


def element_string(fields: dict[str, str], order: list[str]) -> str:
    """The fields in this order, with the separators that they need."""
    text = "".join(ai + fields[ai] + ("" if ai in FIXED else GS) for ai in order)
    return text.removesuffix(GS)


@settings(deadline=None, max_examples=50)
@given(LABELS, st.data())
def test_separators_at_the_ends_the_order_and_the_symbol_make_no_other_code(
    fields: dict[str, str], data: st.DataObject
) -> None:
    identity = key_text(fields)
    order = data.draw(st.permutations(list(fields)))
    text = element_string(fields, order)
    for sym, before, behind in itertools.product(SYMBOLS, ("", GS), ("", GS)):
        code = read_code((sym + before + text + behind).encode(), None, ())
        assert (code.scheme, code.item, code.identity) == (Scheme.GS1, identity, identity)
        assert identity_of_recorded(code.code, code.scheme, code.sym) == identity
        assert identity_of_written(sym + code.code) == identity
    for before, behind in itertools.product(("", GS), ("", GS)):
        code = read_code((before + text + behind).encode(), None, ())
        assert code.scheme in (Scheme.GS1, Scheme.AMBIGUOUS, Scheme.TEXT)
        if code.scheme is Scheme.GS1:  # else nothing announces it, and the bench asks or keeps the text
            assert code.identity == identity
            assert identity_of_recorded(code.code, code.scheme, None) == identity
            assert identity_of_written(code.code) == identity


@settings(deadline=None)
@given(LABELS)
def test_what_is_printed_below_a_symbol_is_its_key(fields: dict[str, str]) -> None:
    assume(not any("(" in value or ")" in value for value in fields.values()))
    assert identity_of_written("".join(f"({ai}){value}" for ai, value in fields.items())) == key_text(fields)


@settings(deadline=None)
@given(GTIN, TEXT, TEXT)
def test_a_link_and_an_envelope_carry_the_keys_of_the_symbol(gtin: str, lot: str, serial: str) -> None:
    path = f"/01/{gtin}/10/{quote(lot, safe='')}/21/{quote(serial, safe='')}"
    assume(lot not in (".", "..") and serial not in (".", ".."))
    link = read_code(f"https://id.example.com{path}?17=270131&lang=de".encode(), None, ())
    envelope = read_code(f"[)>{RS}05{GS}21{serial}{GS}10{lot}{GS}01{gtin}{GS}17270131{RS}{EOT}".encode(), None, ())
    assert [link.item, envelope.item] == [f"01{gtin}21{serial}"] * 2
    for code in (link, envelope):
        assert identity_of_recorded(code.code, code.scheme, code.sym) == code.item == identity_of_written(code.code)


def epc(header: int, widths: list[tuple[int, int]]) -> str:
    """An EPC of 96 bits with a company prefix of 7 digits, in hex."""
    value, left = 0, 96
    for width, number in [(8, header), (3, 1), (3, 5), *widths]:
        left -= width
        value |= number << left
    return f"{value:024X}"


@settings(deadline=None)
@given(digits(1), digits(7), digits(5), NUMBER)
def test_a_tag_has_the_key_of_the_label_beside_it(indicator: str, company: str, item: str, serial: str) -> None:
    assume(
        not set(bytes.fromhex(epc(0x30, [(24, int(company)), (20, int(indicator + item)), (38, int(serial))])))
        <= set(b"0A")
    )
    gtin = indicator + company + item
    tag = epc(0x30, [(24, int(company)), (20, int(indicator + item)), (38, int(serial))])
    code = read_tag_code(tag.encode(), ())
    assert code.item == f"01{gtin}{check_digit_of(gtin)}21{serial}"
    assert (
        identity_of_recorded(code.code, "epc")
        == code.item
        == identity_of_written(tag)
        == identity_of_written(tag.lower())
    )


@pytest.mark.parametrize(
    ("raw", "written", "item"),
    [
        ("]E09506000134352", "9506000134352", "0109506000134352"),
        ("]E0036000291452", "036000291452", "0100036000291452"),
        ("]E496385074", "96385074", "0100000096385074"),
        ("]E001234565", "01234565", "0100012345000065"),
        ("]C10109506000134352", "(01)9506000134352", "0109506000134352"),
        ("]d20109506000134352", "09506000134352", "0109506000134352"),
        ("https://id.gs1.org/01/09506000134352", "https://id.gs1.org/01/09506000134352?99=A", "0109506000134352"),
    ],
)
def test_a_gtin_is_one_product_in_8_12_13_and_14_digits(raw: str, written: str, item: str) -> None:
    code = read_code(raw.encode(), None, ())
    assert (code.item, code.as_, binding_key(written)) == (item, CodeType.PRODUCT, item)


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"00": "106141412345678908", "02": "09506000134352", "37": "12"}, "00106141412345678908"),
        ({"00": "106141412345678908", "01": "09506000134352", "10": "A"}, "00106141412345678908"),
        ({"01": "09506000134352", "10": "A", "21": "7", "250": "X", "22": "2A"}, "0109506000134352217"),
        ({"01": "09506000134352", "10": "A", "17": "270131", "3103": "001500"}, "010950600013435210A"),
        ({"01": "09506000134352", "235": "T1", "10": "A"}, "0109506000134352235T1"),
        ({"01": "09506000134352", "22": "2A"}, "0109506000134352222A"),
        ({"01": "09506000134352", "8004": "0614141A1"}, "80040614141A1"),
        ({"01": "09506000134352", "3922": "1099", "30": "6"}, "0109506000134352"),
        ({"8006": "095060001343520103", "21": "7"}, "8006095060001343520103{GS}217"),
        ({"8010": "0614141AB", "8011": "7"}, "80100614141AB{GS}80117"),
        ({"8018": "061414112345678900", "8019": "2"}, "8018061414112345678900{GS}80192"),
        ({"415": "9521321000018", "8020": "A1"}, "41595213210000188020A1"),
        ({"254": "32a", "414": "9521321000018"}, "414952132100001825432a"),
        ({"400": "A7"}, None),
    ],
)
def test_these_fields_identify_and_the_others_describe(fields: dict[str, str], key: str | None) -> None:
    assert key_text(fields) == key


@settings(deadline=None)
@given(LABELS)
def test_the_fields_of_a_key_are_read_back_so_that_different_keys_never_share_one(fields: dict[str, str]) -> None:
    identity = key_text(fields)
    assert identity is not None
    used = next(key for key in KEYS if set(key) <= fields.keys())
    assert read_elements(unescaped(identity), None).fields == {ai: fields[ai] for ai in used}
    assert identity_of_recorded(identity, "gs1", "]C1") == identity
    assert identity_of_written(identity) == identity


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_has_an_identity_and_keeps_it(text: str) -> None:
    identity = identity_of_written(text)
    assert identity_of_written(identity) == identity
    code = read_code(text.encode("utf-8", "replace"), None, ())
    assert identity_of_recorded(code.code, code.scheme, code.sym) == code.identity


def test_fields_without_a_key_are_one_code_in_any_order() -> None:
    codes = [read_code(raw, None, ()) for raw in (b"]C1400A7\x1d91B", b"]d291B\x1d400A7\x1d", b"]C1\x1d400A7\x1d91B")]
    assert {code.item for code in codes} == {"400A7{GS}91B"}


def test_an_envelope_is_one_code_with_and_without_its_ends() -> None:
    raws = (
        b"[)>\x1e06\x1d1PX\x1dQ5\x1e\x04",
        b">[)>06\x1d1PX\x1dQ5\x1e\x04",
        b"[)>\x1e06\x1d1PX\x1dQ5",
        b"[)>\x1e06\x1d1PX\x1dQ5\x1d\x1e\x04",
    )
    codes = [read_code(raw, None, ()) for raw in (*raws, b"[)>\x1e06\x1d1PX\x1dQ5\x1eV")]
    assert {code.item for code in codes} == {"[)>{RS}06{GS}1PX{GS}Q5{RS}{EOT}"}
    two = read_code(b"[)>\x1e05\x1d0109506000134352\x1d217\x1e05\x1d0109506000134352\x1d218\x1e\x04", None, ())
    assert two.item == "[)>{RS}05{GS}0109506000134352{GS}217{RS}05{GS}0109506000134352{GS}218{RS}{EOT}"


def test_a_text_is_no_published_code_because_it_looks_like_one() -> None:
    for text in (
        "WO-1042",
        "10000123",
        "9506000134352",
        "https://example.com/wo/7",
        "(01)123",
        "[)>",
        "E2801160600002054CC8A1B2",
    ):
        assert identity_of_written(text) == text
    assert identity_of_recorded("0109506000134352", "own") == "0109506000134352"


@pytest.mark.parametrize(
    "written",
    [
        "0105000456013482172012001000001{GS}210000000003",
        "{GS}0105000456013482172012001000001{GS}210000000003{GS}",
        "]d20105000456013482210000000003",
        "(01)05000456013482(21)0000000003",
        "https://example.com/01/05000456013482/21/0000000003",
    ],
)
@pytest.mark.parametrize(
    "raw",
    [
        b"0105000456013482172012001000001\x1d210000000003",
        b"\x1d0105000456013482172012001000001\x1d210000000003",
        b"]d20105000456013482172012001000001\x1d210000000003",
        b"]C10105000456013482172012001000001\x1d210000000003\x1d",
        b"https://id.gs1.org/01/05000456013482/10/00001/21/0000000003",
    ],
)
def test_a_binding_of_any_spelling_holds_for_all(written: str, raw: bytes) -> None:
    bound = bindings_by_key({written: CodeBinding(CodeType.ITEM, "O-21")})
    code = apply_binding(read_code(raw, None, ()), bound)
    assert (code.item, code.scheme) == ("O-21", Scheme.GS1)
    assert code.code == read_code(raw, None, ()).code


def test_a_bound_number_is_also_the_gtin_that_it_is() -> None:
    bound = bindings_by_key({"9506000134352": CodeBinding(CodeType.ITEM, "O-1")})
    raws = (b"9506000134352", b"]E09506000134352", b"]C10109506000134352", b"09506000134352")
    assert [apply_binding(read_code(raw, None, ()), bound).item for raw in raws] == ["O-1"] * 4
    assert apply_binding(read_code(b"]C1010950600013435210A", None, ()), bound).item == "010950600013435210A"
    assert gtin_texts("0100000096385074") == ["96385074", "000096385074", "0000096385074", "00000096385074"]


def test_a_pattern_of_the_shop_and_an_ambiguous_text_are_bound_by_their_spelling() -> None:
    text = "010950600013435210ABC21XYZ"
    bound = bindings_by_key({text: CodeBinding(CodeType.ITEM, "O-1")})
    assert apply_binding(read_code(text.encode(), None, ()), bound).item == "O-1"
    assert apply_binding(read_code(("]C1" + text).encode(), None, ()), bound).item == "O-1"
    own = read_code(text.encode(), None, (Pattern("p", "01.*", "item"),))
    assert apply_binding(own, bound).item == "O-1"
