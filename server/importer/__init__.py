"""Importer: convert a shop folder of CSV tables into entries of the ledger.

The folder has one CSV file each for stages, routings, products, materials, costs, people, reasons, patterns, codes, cards
and work orders (`docs/shop-folder.md` has every column). It is imported as a whole or not at all: `read_shop` returns the
entries to record, or raises `ShopFolderError` with every mistake in every file. `cli` is the command that opens folder and
hub.
"""

from server.importer.current_state import CurrentState
from server.importer.errors import ImportMistake, ShopFolderError
from server.importer.loader import ShopImport, read_shop

__all__ = ["CurrentState", "ImportMistake", "ShopFolderError", "ShopImport", "read_shop"]
