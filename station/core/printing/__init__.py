"""Pages to print: positions of text, lines and symbols in mm, and writers for SVG and PDF. Pure.

A page is texts, lines and symbols with positions in mm from the upper left corner. Two writers draw it: as an SVG document
for the hub's page, and as a PDF for the printer. The libraries for symbols and PDF files are passed in; `libraries` loads
them.
"""

from station.core.printing.card_pages import APART_A_PAGE, CARDS_A_PAGE, card_sheets, cards_page, page_count
from station.core.printing.kit_pages import Kit, kit_pages
from station.core.printing.label_pages import Label, Placement, label_pages, label_words
from station.core.printing.label_sheets import SHEETS, LabelSheet
from station.core.printing.logo import Logo, read_logo
from station.core.printing.page import PAPERS, Page, Paper, PaperError, RuledLine, Symbol, TextLine, not_installed
from station.core.printing.pdf import typefaces, write_pdf
from station.core.printing.printed_code import CodeRefused, PrintedCode, ShopCodes, Thing, printed_code
from station.core.printing.setup_page import NOTES, STEPS, setup_page
from station.core.printing.svg import write_svg
from station.core.printing.symbols import Encode, Modules, encoder
from station.core.printing.traveller_pages import Traveller, TravellerStep, traveller_pages

__all__ = [
    "APART_A_PAGE",
    "CARDS_A_PAGE",
    "NOTES",
    "PAPERS",
    "SHEETS",
    "STEPS",
    "CodeRefused",
    "Encode",
    "Kit",
    "Label",
    "LabelSheet",
    "Logo",
    "Modules",
    "Page",
    "Paper",
    "PaperError",
    "Placement",
    "PrintedCode",
    "RuledLine",
    "ShopCodes",
    "Symbol",
    "TextLine",
    "Thing",
    "Traveller",
    "TravellerStep",
    "card_sheets",
    "cards_page",
    "encoder",
    "kit_pages",
    "label_pages",
    "label_words",
    "not_installed",
    "page_count",
    "printed_code",
    "read_logo",
    "setup_page",
    "traveller_pages",
    "typefaces",
    "write_pdf",
    "write_svg",
]
