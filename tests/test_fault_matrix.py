"""docs/reliability.md: every row of the fault matrix names tests, and each of them exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| (\d+) \| [^|]+ \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
LAST = 49


def rows(text: str) -> dict[int, list[tuple[str, str]]]:
    """The tests of each row: file and function."""
    return {int(number): TEST.findall(tests) for number, tests in ROW.findall(text)}


def missing(text: str) -> list[str]:
    """Rows without a test, and tests that are not there."""
    found = rows(text)
    wrong = [f"row {number}" for number in range(1, LAST + 1) if not found.get(number)]
    for file, function in sorted({each for tests in found.values() for each in tests}):
        path = ROOT / file
        tree = ast.parse(path.read_bytes()) if path.exists() else ast.Module([], [])
        if function not in {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}:
            wrong.append(f"{file}::{function}")
    return wrong


def test_every_row_of_the_fault_matrix_names_tests_that_exist() -> None:
    assert missing((ROOT / "docs" / "reliability.md").read_text()) == []


def test_a_row_without_a_test_and_a_test_that_was_renamed_are_named() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text()
    assert missing(text.replace("::test_green_survives_the_power_cut", "::test_gone")) == [
        "tests/faults/test_power.py::test_gone"
    ]
    assert missing(text.replace("| 27 |", "| 27b |").replace("| 49 |", "| 50 |")) == ["row 27", "row 49"]
