"""How much a shop's folder may say: the longest, the largest, the most exact, and whatever else comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shop_folder import read

from server.importer import ShopFolderError
from server.importer.cell_parsers import CellError
from server.importer.current_state import fold_entries
from server.importer.file_schema import SHEETS
from server.importer.raw_table import MAX_FILE_BYTES, MAX_LINES


@pytest.mark.parametrize(("length", "fits"), [(64, True), (65, False)])
def test_a_name_has_at_most_64_characters(length, fits):
    people = {"people.csv": f"person,name\n{'x' * length},A. Kim\n".encode()}
    if fits:
        assert read(people).entries[0].data["person"] == "x" * 64
        return
    with pytest.raises(ShopFolderError) as caught:
        read(people)
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        f"people.csv, line 2, column 1 (person): came '{'x' * 60}…', expected at most 64 characters; shorten it by 1."
    ]


def test_a_sheet_has_at_most_100_000_lines():
    lines = b"".join(b"p%d,Someone\n" % n for n in range(MAX_LINES))
    assert len(read({"people.csv": b"person,name\n" + lines}).entries) == MAX_LINES
    with pytest.raises(ShopFolderError) as caught:
        read({"people.csv": b"person,name\n" + lines + b"last,One\n"})
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        "people.csv, line 100002: came more lines, expected at most 100000; split it and import twice."
    ]


def test_a_sheet_has_at_most_16_mib():
    with pytest.raises(ShopFolderError) as caught:
        read({"people.csv": b"person,name\n" + b"\n" * (MAX_FILE_BYTES - 11)})
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        f"people.csv: came {MAX_FILE_BYTES + 1} bytes, expected at most {MAX_FILE_BYTES}; split it and import twice."
    ]


@pytest.mark.parametrize(
    ("sheet", "column", "text", "value"),
    [
        ("orders.csv", "qty", "1000000000", 10**12),
        ("orders.csv", "qty", "1.5000", 1_500),
        ("costs.csv", "amount", "0", 0),
        ("costs.csv", "amount", "0.000001", 1),
        ("stages.csv", "target", "2w", 1_209_600),
        ("stages.csv", "limit", "1000000", 1_000_000),
    ],
)
def test_the_most_that_a_cell_may_say_is_kept_exactly(sheet, column, text, value):
    assert SHEETS[sheet].column(column).read(text) == value


@pytest.mark.parametrize(
    ("sheet", "column", "text"),
    [
        ("orders.csv", "qty", "1000000000.001"),
        ("orders.csv", "qty", "0"),
        ("orders.csv", "qty", "-1"),
        ("orders.csv", "qty", "1e3"),
        ("orders.csv", "qty", "٣"),
        ("orders.csv", "qty", "0.0001"),
        ("costs.csv", "amount", "€ 3"),
        ("costs.csv", "amount", "9999999999"),
        ("stages.csv", "target", "0h"),
        ("stages.csv", "target", "1.5h"),
        ("stages.csv", "limit", "0"),
        ("orders.csv", "due", "2026-02-30"),
        ("orders.csv", "due", "25.11.26"),
        ("orders.csv", "due", "+9999d"),
        ("orders.csv", "due", "3d"),
    ],
)
def test_what_cannot_be_kept_is_refused(sheet, column, text):
    with pytest.raises(CellError):
        SHEETS[sheet].column(column).read(text)


@given(st.dictionaries(st.sampled_from(list(SHEETS)), st.binary(max_size=200), max_size=4))
def test_any_bytes_are_entries_or_mistakes(files):
    try:
        assert read(files).entries is not None
    except ShopFolderError as error:
        assert error.mistakes  # noqa: PT017 - either is right; a refusal without a mistake is not


@given(st.data())
def test_any_cells_are_entries_or_mistakes(data):
    """Right headings, any text below: what a person may have typed."""
    files = {}
    for file in data.draw(st.lists(st.sampled_from(list(SHEETS)), unique=True, max_size=4)):
        names = [column.name for column in SHEETS[file].columns]
        rows = data.draw(st.lists(st.lists(CELL, min_size=len(names), max_size=len(names)), max_size=4))
        lines = [",".join(names), *(",".join(f'"{cell}"' for cell in row) for row in rows)]
        files[file] = "\n".join(lines).encode()
    try:
        assert read(files, current=fold_entries([])).entries is not None
    except ShopFolderError as error:
        assert error.mistakes  # noqa: PT017 - either is right; a refusal without a mistake is not


CELL = st.one_of(
    st.sampled_from(
        ["saw", "P", "r", "10", "1.5", "+3d", "yes", "process", "labour", "WIP:SCRAP", "(a+)+", "item", ""]
    ),
    st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]), max_size=8),
)
