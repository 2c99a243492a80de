"""A shop as a folder of tables: what an installer writes in a spreadsheet, read into entries of the ledger.

Stages, routings, products, materials, costs, people, reasons, codes, cards and work orders, one CSV file each
(`docs/shop-folder.md` names every column). Read whole or not at all: `read_shop` gives the entries to record, or raises
`ShopError` with every mistake in every file. `command` is the thin edge that opens folder and hub.
"""

from server.importer.current_state import Standing
from server.importer.errors import Mistake, ShopError
from server.importer.loader import Import, read_shop

__all__ = ["Import", "Mistake", "ShopError", "Standing", "read_shop"]
