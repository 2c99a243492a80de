"""A shop as a folder of tables: what an installer writes in a spreadsheet, read into entries of the ledger.

Stages, routings, products, materials, costs, people, reasons, codes, cards and work orders, one CSV file each
(`docs/shop-folder.md` names every column). Read whole or not at all: `read_shop` gives the entries to record, or raises
`ShopFolderError` with every mistake in every file. `command` is the thin edge that opens folder and hub.
"""

from server.importer.current_state import CurrentState
from server.importer.errors import ImportMistake, ShopFolderError
from server.importer.loader import ShopImport, read_shop

__all__ = ["CurrentState", "ImportMistake", "ShopFolderError", "ShopImport", "read_shop"]
