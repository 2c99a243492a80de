"""The reference pages list all that the code has and nothing else; each check finds what is left out of its page."""

from collections.abc import Callable, Iterator
from pathlib import Path

import manual
import manual_files
import pytest
from manual import REFERENCE, rows

from server.app import create_app
from server.config import HubConfig
from server.db.store import Store
from server.ops.bootstrap import initialise

PAGES = ("commands.md", "configuration.md", "addresses.md", "files.md", "event-fields.md")
Check = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Check]]:
    """The checks, with the addresses of a hub that was just made."""
    path = tmp_path_factory.mktemp("reference") / "hub.db"
    store = Store(path)
    initialise(store)
    yield manual.checks(create_app(HubConfig(db=str(path)), store))
    store.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_reference_page_and_the_code_agree(name: str, checks: dict[str, Check]) -> None:
    assert checks[name]((REFERENCE / name).read_text()) == []


CHECKED = ("option", "verb", "key", "kind", "address", "metric", "body", "file", "table", "field", "part", "entry")
"""The heads of the first columns that name what a check compares."""


def checked_lines(page: str, name: str) -> list[int]:
    """The lines of a page that a check compares: the kinds of events are described in the other rows."""
    return [
        row.line
        for row in rows(page)
        for head in row.cells
        if head in CHECKED and not (name == "event-fields.md" and head == "kind")
    ]


@pytest.mark.parametrize("name", PAGES)
def test_each_row_that_is_left_out_is_found(name: str, checks: dict[str, Check]) -> None:
    page = (REFERENCE / name).read_text()
    lines = page.splitlines(keepends=True)
    checked = checked_lines(page, name)
    assert len(checked) > 40
    unseen = [lines[at] for at in checked if checks[name]("".join([*lines[:at], *lines[at + 1 :]])) == []]
    assert unseen == []


@pytest.mark.parametrize("name", PAGES)
def test_each_row_that_names_what_does_not_exist_is_found(name: str, checks: dict[str, Check]) -> None:
    page = (REFERENCE / name).read_text()
    lines = page.splitlines(keepends=True)
    unseen = []
    for at in checked_lines(page, name):
        mark = "`/" if lines[at].startswith(("| GET", "| POST")) else "`"
        invented = lines[at].replace(mark, f"{mark}zz", 1)
        if checks[name]("".join([*lines[: at + 1], invented, *lines[at + 1 :]])) == []:
            unseen.append(lines[at])
    assert unseen == []


@pytest.mark.parametrize(
    ("name", "there", "instead", "complaint"),
    [
        ("commands.md", "`--after INTEGER` | 0 |", "`--after INTEGER` | 1 |", "events --after: the default is 0"),
        ("commands.md", "Exit codes: `0` no break", "It ends with `0`", "wipline-hub verify: no exit codes"),
        ("configuration.md", "| number | `3` |", "| number | `4` |", "station.toml repeat_s: default is `3`"),
        ("configuration.md", "1,200 to 921,600", "1,200 to 115,200", "[[reader]] baud: range is 1,200 to 921,600"),
        ("configuration.md", "| `beep` | boolean |", "| `beep` | text |", "[[reader]] beep: type is boolean"),
        ("addresses.md", "`/rules` | administer", "`/rules` | supervise", "('POST', '/rules', 'administer')"),
        ("addresses.md", "403 404 409 413 429 |", "403 404 413 429 |", "the answers do not list 409"),
        ("files.md", "`station.journal.lock`", "`station.journal.locks`", "there is no module station.journal.locks"),
        ("event-fields.md", "`mono_ns` | all | integer", "`mono_ns` | all | text", "('mono_ns', 'integer')"),
        ("event-fields.md", "| `cost.set` | account |", "| `cost.set` | supervise |", "'cost.set'"),
    ],
)
def test_a_wrong_value_is_found(name: str, there: str, instead: str, complaint: str, checks: dict[str, Check]) -> None:
    page = (REFERENCE / name).read_text()
    assert page.count(there) == 1
    found = checks[name](page.replace(there, instead))
    assert any(complaint in each for each in found), found


def test_fields_in_another_order_are_found(checks: dict[str, Check]) -> None:
    lines = (REFERENCE / "event-fields.md").read_text().splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if line.startswith("| `mac` "))
    swapped = "".join([*lines[: at - 1], lines[at], lines[at - 1], *lines[at + 1 :]])
    assert checks["event-fields.md"](swapped) == ["the fields are not in the order of the bytes"]


def test_a_file_with_a_new_ending_is_seen_in_the_code(tmp_path: Path) -> None:
    for package in ("station", "server"):
        (tmp_path / package).mkdir()
    (tmp_path / "server" / "diary.py").write_text(
        'NOTE = "diary.txt"\ndb.with_name(NOTE)\ndb.with_name(db.name + ".ink")\n'
    )
    assert sorted(manual_files.file_endings(tmp_path)) == [("server.diary", ".ink"), ("server.diary", "diary.txt")]


def test_every_page_of_the_reference_is_checked() -> None:
    assert sorted(path.name for path in REFERENCE.glob("*.md")) == sorted(PAGES)
