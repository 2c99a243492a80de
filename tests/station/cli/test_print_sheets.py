"""`wipline-station sheet`: a file for a printer, with symbols that a scanner reads; or a sentence that says why not."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from read_back import pdf_pictures, scanned, svg_picture

from station.cli.commands import main
from station.cli.print_sheets import STDOUT, Destination, PrintOptions, destination
from station.core.codes.setup_sheet import BARS_A_TEXT, BARS_B_TEXT, SQUARE_TEXT
from tests.station.fixtures.journals import open_journal

SETUP = sorted([("]Q1", SQUARE_TEXT.encode()), ("]C0", BARS_A_TEXT.encode()), ("]C0", BARS_B_TEXT.encode())])
NO_SHOP = "This station knows no shop: these are the cards of every shop, and those that you named.\n"
SHOP = {
    "definitions": [
        {"what": "stage.define", "data": {"stage": "saw", "name": "Saw"}},
        {"what": "reason.define", "data": {"reason": "burr", "name": "Burr left"}},
        {"what": "person.define", "data": {"person": "kim", "name": "A. Kim", "badge": "K7"}},
        {"what": "stage.define", "data": {"stage": "b{d", "name": "Odd"}},
    ]
}


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a command writes, it writes here."""
    monkeypatch.chdir(tmp_path)


def sheet(*words: str) -> Result:
    """The command on a machine without a configuration: its default path is a file that does not exist."""
    return CliRunner().invoke(main, ["sheet", *words], default_map={"sheet": {"config_path": "none.toml"}})


@pytest.fixture
def toml(tmp_path: Path) -> str:
    """A station that its hub has told of the shop."""
    with open_journal(tmp_path) as journal:
        journal.save_snapshot("1", msgspec.json.encode(SHOP))
    path = tmp_path / "station.toml"
    path.write_text(f'station = "saw-1"\njournal = "{tmp_path}/journal.db"\n')
    return str(path)


@pytest.mark.parametrize("paper", ["a4", "letter"])
def test_without_a_name_it_goes_along_the_pipe_as_pdf(paper: str, tmp_path: Path) -> None:
    asked = sheet("--paper", paper)
    assert asked.exit_code == 0, asked.stderr
    assert [scanned(picture) for picture in pdf_pictures(asked.stdout_bytes, tmp_path)] == [SETUP]
    assert sorted(path.name for path in tmp_path.glob("wipline-*")) == []


def test_at_a_terminal_it_lies_in_the_folder_afterwards(tmp_path: Path) -> None:
    leader, follower = os.openpty()
    done = subprocess.run([sys.executable, "-m", "station.cli", "sheet"], stdout=follower, cwd=tmp_path, check=False)
    os.close(follower)
    said = os.read(leader, 1000).decode()
    os.close(leader)
    assert (done.returncode, said.strip()) == (0, "wipline-setup.pdf: print it at 100 %")
    assert [scanned(page) for page in pdf_pictures((tmp_path / "wipline-setup.pdf").read_bytes(), tmp_path)] == [SETUP]


def test_a_drawing_goes_to_its_file(tmp_path: Path) -> None:
    for words in (("--svg", "a.svg"), ("-o", "b.SVG")):
        assert sheet(*words).output == f"{words[1]}: print it at 100 %\n"
        assert scanned(svg_picture((tmp_path / words[1]).read_text())) == SETUP
    assert scanned(svg_picture(sheet("--svg", "-").output)) == SETUP


def test_cards_take_what_the_command_line_says(tmp_path: Path) -> None:
    asked = sheet(
        "--cards", "-o", "c.pdf", "--qty", "1, 2.5", "--stage", "saw=Cold saw", "--stage", "mill", "--reason", "burr",
        "--call", "forklift", "--badge", "K7=A. Kim",
    )  # fmt: skip
    assert (asked.exit_code, asked.stdout, asked.stderr) == (0, "c.pdf: print it at 100 %\n", NO_SHOP)
    read = [seen for page in pdf_pictures((tmp_path / "c.pdf").read_bytes(), tmp_path) for seen in scanned(page)]
    assert {aim for aim, _ in read} == {"]C0"}
    texts = {text.decode() for _, text in read}
    assert {text for text in texts if text.count(":") == 2} == {
        "WIP:QTY:1", "WIP:QTY:2.5", "WIP:STAGE:saw", "WIP:STAGE:mill", "WIP:REASON:burr", "WIP:CALL:forklift",
        "WIP:BADGE:K7",
    }  # fmt: skip
    assert {"WIP:SCRAP", "WIP:UNDO", "WIP:ALL", "WIP:COUNT"} < texts
    assert len(texts) == len(read)


def test_drawings_of_several_pages_are_numbered(tmp_path: Path) -> None:
    asked = sheet("--cards", "--svg", "cards.svg")
    names = ["cards-1.svg", "cards-2.svg", "cards-3.svg"]
    assert asked.stdout == "".join(f"{name}: print it at 100 %\n" for name in names)
    assert [len(scanned(svg_picture((tmp_path / name).read_text()))) for name in names] == [10, 5, 5]


def test_cards_take_the_shops_words_from_what_the_station_knows(toml: str, tmp_path: Path) -> None:
    asked = CliRunner().invoke(main, ["sheet", "--config", toml, "--cards", "--stage", "mill=Mill", "-o", "c.pdf"])
    assert asked.exit_code == 0, asked.stderr
    assert asked.stderr == "Not printed: 'WIP:STAGE:b{d': a scanner would bring it back in another spelling.\n"
    read = [text for page in pdf_pictures((tmp_path / "c.pdf").read_bytes(), tmp_path) for _, text in scanned(page)]
    assert {b"WIP:STAGE:saw", b"WIP:STAGE:mill", b"WIP:REASON:burr", b"WIP:BADGE:K7", b"WIP:QTY:10"} < set(read)


WITHOUT_CARDS = "Words for cards came without --cards. Expected them beside it. Add --cards, or leave them out."
NO_CARD = (
    "'WIP:{0}:' makes no card: what stands behind {0} has 0 characters, not 1 to 120. "
    "Expected what a scanner can bring back. Correct it."
)
NO_ENDING = (
    "'x.png' does not say what it should be. Expected a name that ends in .pdf or .svg. "
    "Name it so, or say --pdf or --svg."
)
NO_FOLDER = (
    "'no/such/folder.pdf' cannot be written: No such file or directory. "
    "Expected a file in a folder that is there, where you may write. Name another with -o."
)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("--pdf a --svg b", 2, "More than one file is named. Expected one of --pdf, --svg and -o. Leave others out."),
        ("-o x.png", 2, NO_ENDING),
        ("--qty 5", 2, WITHOUT_CARDS),
        ("--badge K7", 2, WITHOUT_CARDS),
        ("--cards --qty 1,,5", 2, NO_CARD.format("QTY")),
        ("--cards --stage =Saw", 2, NO_CARD.format("STAGE")),
        ("--cards --svg -", 2,
         "There are 3 drawings. Expected a file: standard output takes one drawing. Name a file with --svg."),
        ("-o no/such/folder.pdf", 1, NO_FOLDER),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_in_three_sentences(words: str, code: int, said: str, tmp_path: Path) -> None:
    asked = sheet(*words.split())
    assert (asked.exit_code, asked.stderr) == (code, f"wipline-station: {said}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_card_without_a_font_is_left_out_of_the_pdf_and_its_letter_is_named(tmp_path: Path) -> None:
    asked = sheet("--cards", "--stage", "saw=Saw", "--stage", "li=ꗬ", "--badge", "K1=דנה", "-o", "c.pdf")
    do = "Install one (fonts-dejavu-core, fonts-noto-cjk), or print the drawing: --svg.\n"
    assert asked.exit_code == 0
    assert asked.stderr == (
        f"{NO_SHOP}Not printed: 'WIP:STAGE:li': No font of this machine has 'ꗬ' (U+A5EC) of 'ꗬ'. {do}"
    )
    texts = {text for page in pdf_pictures((tmp_path / "c.pdf").read_bytes(), tmp_path) for _, text in scanned(page)}
    assert {b"WIP:STAGE:saw", b"WIP:BADGE:K1"} < texts
    assert b"WIP:STAGE:li" not in texts
    drawn = sheet("--cards", "--stage", "li=李", "--svg", "c.svg")
    assert (drawn.exit_code, drawn.stderr) == (0, NO_SHOP)


def test_another_paper_is_refused_with_those_there_are() -> None:
    asked = sheet("--paper", "a5")
    assert asked.exit_code == 2
    assert "'a5' is not one of 'a4', 'letter'" in asked.stderr


@pytest.mark.parametrize(("module", "package"), [("zint", "zint-bindings"), ("reportlab.pdfgen.canvas", "reportlab")])
def test_where_a_library_is_missing_it_says_what_to_install(
    module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    asked = sheet()
    assert (asked.exit_code, asked.stdout) == (1, "")
    assert asked.stderr == (
        f"wipline-station: The Python package {package!r} is not installed here. Sheets and cards are drawn with it. "
        f"Install it, in wipline's source folder: {sys.prefix}/bin/pip install '.[print]'. "
        "Or print the hub's page /sheet in a browser.\n"
    )


def test_a_drawing_needs_no_pdf_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reportlab.pdfgen.canvas", None)
    assert sheet("--svg", "a.svg").exit_code == 0


def test_where_the_file_goes() -> None:
    assert destination(PrintOptions(), terminal=False) == Destination("pdf", STDOUT)
    assert destination(PrintOptions(cards=True), terminal=True) == Destination("pdf", "wipline-cards.pdf")
    assert destination(PrintOptions(out="-"), terminal=True) == Destination("pdf", STDOUT)
    assert destination(PrintOptions(svg="x"), terminal=True) == Destination("svg", "x")
    assert destination(PrintOptions(pdf="-"), terminal=True) == Destination("pdf", STDOUT)
