"""`decode`: what scans and tags say, a line of JSON each."""

import subprocess
import sys

import msgspec
from click.testing import CliRunner

from station.cli.commands import main


def decoded(*words: str, lines: bytes) -> list[tuple[object, ...]]:
    """(scheme, code, fields, error) of each line."""
    said = CliRunner().invoke(main, ["decode", *words], input=lines)
    assert said.exit_code == 0, said.output
    rows = [msgspec.json.decode(row) for row in said.stdout.splitlines()]
    assert all(list(row) == ["raw", "sym", "scheme", "code", "fields", "error"] for row in rows)
    return [(row["scheme"], row["code"], row["fields"], row["error"]) for row in rows]


def test_scans_say_whose_they_are() -> None:
    scans = [
        b"]C10109506000134352{FNC1}10AB{GS}21S1",
        b"]d20109506000134353",
        b"[)>{RS}06{GS}1PBC547{GS}Q25{RS}{EOT}",
        b"https://example.com/01/09506000134352",
        b"010950600013435210ABC21XYZ",
        b"WO-1042",
    ]
    assert decoded(lines=b"\n".join(scans)) == [
        ("gs1", "0109506000134352{GS}10AB{GS}21S1", {"01": "09506000134352", "10": "AB", "21": "S1"}, None),
        (None, "0109506000134353", {}, "(01) has a wrong check digit"),
        ("iso15434", "[)>{RS}06{GS}1PBC547{GS}Q25{RS}{EOT}", {"1P": "BC547", "Q": "25"}, None),
        ("gs1", "https://example.com/01/09506000134352", {"01": "09506000134352"}, None),
        ("ambiguous", "010950600013435210ABC21XYZ",
         {"reading 1": "(01)09506000134352(10)ABC21XYZ", "reading 2": "(01)09506000134352(10)ABC(21)XYZ"}, None),
        ("text", "WO-1042", {}, None),
    ]  # fmt: skip


def test_tags_are_read_in_hex() -> None:
    tags = b"3414257bf40000000000162e\n\n30 00 3414257BF40000000000162E\r\n04:A1:B2:C3\nWO-1042\n123\n\xff\n"
    fields = {
        "epc": "giai-96", "filter": "0", "uri": "urn:epc:id:giai:0614141.5678", "company_prefix": "0614141",
        "asset_reference": "5678", "8004": "06141415678",
    }  # fmt: skip
    no_hex = "no tag memory: expected pairs of hex digits"
    assert decoded("--hex", lines=tags) == [
        ("epc", "3414257BF40000000000162E", fields, None),
        ("epc", "3414257BF40000000000162E", fields, None),
        ("uid", "04A1B2C3", {"uid": "04A1B2C3"}, None),
        (None, "WO-1042", {}, no_hex),
        (None, "123", {}, no_hex),
        (None, "ÿ", {}, no_hex),
    ]


def test_plain_texts_load_no_tables() -> None:
    script = (
        "import sys; from station.core.codes import read_code; "
        "[read_code(raw, None, ()) for raw in (b'WO-1042', b'wip:in', b'A104-7')]; "
        "print([name for name in sys.modules if 'gs1' in name or 'epc' in name])"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
