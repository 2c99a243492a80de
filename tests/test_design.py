"""The design pages describe the code: their examples run, their tables are those of the code, their names exist."""

from collections.abc import Callable

import design_pages
import pytest
from design_pages import PACKAGES, ROOT

FOLDER = ROOT / "docs" / "design"
PAGES = (
    "overview.md",
    "event.md",
    "flow.md",
    "time.md",
    "ledger.md",
    "moves.md",
    "value.md",
    "accounts.md",
    "counts.md",
    "journal.md",
    "protocol.md",
    "readers.md",
)
Check = Callable[[str], list[str]]
OF_ONE_PAGE: tuple[tuple[str, Check], ...] = (
    ("event.md", design_pages.event_examples),
    ("event.md", design_pages.event_fields),
    ("event.md", design_pages.entries_and_cards),
    ("ledger.md", design_pages.posting_table),
    ("ledger.md", design_pages.findings),
    ("ledger.md", design_pages.hub_tables),
    ("journal.md", design_pages.journal_tables),
    ("protocol.md", design_pages.protocol_structs),
    ("protocol.md", design_pages.message_examples),
    ("readers.md", design_pages.reader_tables),
)
OF_EACH_PAGE: tuple[Check, ...] = (design_pages.examples, design_pages.struct_fields, design_pages.constants)


def page(name: str) -> str:
    """The text of a page."""
    return (FOLDER / name).read_text()


def names(text: str) -> list[str]:
    """The check of names against the files of this tree."""
    modules = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    found = [*ROOT.glob("*.toml"), *(ROOT / "config").glob("*.toml"), *modules]
    return design_pages.names_in(text, "\n".join(path.read_text() for path in modules), {path.name for path in found})


def test_the_design_has_these_pages_and_none_is_long() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(PAGES)
    assert {name: lines for name in PAGES if not 60 <= (lines := len(page(name).splitlines())) <= 280} == {}


def test_the_overview_leads_to_every_other_page() -> None:
    assert [name for name in PAGES[1:] if f"({name})" not in page("overview.md")] == []


@pytest.mark.parametrize(("name", "check"), OF_ONE_PAGE, ids=lambda each: getattr(each, "__name__", each))
def test_a_table_is_that_of_the_code(name: str, check: Check) -> None:
    assert check(page(name)) == []


@pytest.mark.parametrize("check", OF_EACH_PAGE, ids=lambda each: each.__name__)
@pytest.mark.parametrize("name", PAGES)
def test_examples_fields_and_constants_are_those_of_the_code(name: str, check: Check) -> None:
    assert check(page(name)) == []


@pytest.mark.parametrize("name", PAGES)
def test_every_module_file_and_class_that_a_page_names_exists(name: str) -> None:
    assert names(page(name)) == []


# One error a check, as it could slip into a page: what the page has, and what it has by mistake.
PLANTED: tuple[tuple[str, Check, str, str], ...] = (
    ("value.md", design_pages.examples, "([1, 1, 0], [0, 0, 1])", "([1, 0, 1], [0, 0, 1])"),
    ("value.md", design_pages.examples, ">>> from server", "from server"),
    (
        "time.md",
        design_pages.examples,
        "```python\n>>> from station.core.ledger.times import BootClock",
        "```python\nfrom x",
    ),
    ("event.md", design_pages.event_examples, '"stage":"saw","action":"scrap"', '"action":"scrap","stage":"saw"'),
    ("event.md", design_pages.event_examples, '"qty_milli":2500', '"qty_milli":0'),
    ("event.md", design_pages.event_examples, '{"v":1,"kind":"anchor"', '{"v":1, "kind":"anchor"'),
    ("event.md", design_pages.event_fields, "| `mono_ns` | device", "| `mono_us` | device"),
    ("event.md", design_pages.event_fields, "| `rssi_dbm` | scan | best signal of that presence |\n", ""),
    ("event.md", design_pages.entries_and_cards, "| `rule.define` |", "| `rules.define` |"),
    ("event.md", design_pages.entries_and_cards, "`WIP:HOLD` ", ""),
    ("ledger.md", design_pages.posting_table, "overrun -> here@30 10 |", "overrun -> here@30 11 |"),
    ("ledger.md", design_pages.posting_table, "| here@deburr 99, held@deburr 1 |", "| here@deburr 100 |"),
    ("ledger.md", design_pages.posting_table, "| `hold` at deburr, qty=20 |", "| `hold` at deburr, qty=21 |"),
    (
        "ledger.md",
        design_pages.posting_table,
        "| `adjust`, qty_milli=-3000 | released -> adjusted 3 | released 97 |\n",
        "",
    ),
    ("ledger.md", design_pages.posting_table, "| `order.close` | complete", "| `order.end` | complete"),
    ("ledger.md", design_pages.findings, "| `overrun` | yes |", "| `overrun` | no |"),
    ("ledger.md", design_pages.hub_tables, "`recv_us` `chain` |", "`recv_us` |"),
    ("ledger.md", design_pages.hub_tables, "| `gap` |", "| `gaps` |"),
    ("journal.md", design_pages.journal_tables, "| `verified` | `seq` `hash` |", "| `verified` | `seq` |"),
    ("journal.md", design_pages.journal_tables, "| `day` | `day` `seq` |", "| `reached` | `hub_day` `seq` |"),
    ("journal.md", design_pages.journal_tables, "| `log_id_remains` |", "| `log_id_is_kept` |"),
    ("journal.md", design_pages.journal_tables, "| `synchronous` | 2 |", "| `synchronous` | 1 |"),
    ("journal.md", design_pages.journal_tables, "`pruned_thru` `pruned_hash`", "`pruned_thru`"),
    ("protocol.md", design_pages.struct_fields, "| `aside` | number |", "| `aside_count` | number |"),
    ("protocol.md", design_pages.struct_fields, "`came` `expected`", "`came`"),
    ("protocol.md", design_pages.struct_fields, "| `tip_seq` |", "| `tip` |"),
    ("protocol.md", design_pages.protocol_structs, "(`station.core.protocol.HeartbeatRequest`):", "(see below):"),
    ("protocol.md", design_pages.protocol_structs, "; `refused` [{name,", "; refused [{name,"),
    ("protocol.md", design_pages.protocol_structs, "`separators` {decimal", "separators {decimal"),
    ("protocol.md", design_pages.message_examples, '"accepted_thru":0,', '"accepted_thru":null,'),
    ("protocol.md", design_pages.message_examples, "Example of `station.core.protocol.SessionRequest`:\n\n", ""),
    ("protocol.md", design_pages.message_examples, '"boot":"0f1e2d3c', '"bootid":"0f1e2d3c'),
    ("readers.md", design_pages.reader_tables, "| `hidpos` | USB", "| `hid` | USB"),
    ("readers.md", design_pages.reader_tables, "`stop`, ", ""),
    ("event.md", design_pages.constants, "MAX_RAW_BYTES` | 4296 |", "MAX_RAW_BYTES` | 4,296 |"),
    ("journal.md", design_pages.constants, "KEEP_DAYS` | 90 |", "KEEP_DAYS` | 30 |"),
    ("readers.md", names, "`station.scan.interpret.interpret`", "`station.scan.interpret.meant`"),
    ("journal.md", names, "`station/journal/salvage.py`", "`station/journal/carve.py`"),
    ("overview.md", names, "`pyproject.toml`", "`setup.toml`"),
    ("readers.md", names, "`DeviceAdded`", "`DeviceCame`"),
)


@pytest.mark.parametrize(
    ("name", "check", "right", "wrong"), PLANTED, ids=[f"{name}-{wrong[:30]}" for name, _, _, wrong in PLANTED]
)
def test_a_planted_error_is_found(name: str, check: Check, right: str, wrong: str) -> None:
    text = page(name)
    assert right in text
    assert check(text) == []
    assert check(text.replace(right, wrong, 1)) != []


def test_every_check_has_a_planted_error() -> None:
    checks = {check for _, check in OF_ONE_PAGE} | {*OF_EACH_PAGE, names}
    assert checks - {check for _, check, _, _ in PLANTED} == set()
