"""Draw the papers of the manual again: a traveller, labels, the kit of a bench and the cards that are hard to take back.

    .venv/bin/python docs/pictures/papers.py [FOLDER]

The shop is that of config/demo, imported into a hub of its own; each file is a page in its true size, as `--format svg`
writes it. Needs the extra `print`.
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection

from server.db.position_signal import PositionSignal
from server.db.store import Store
from server.importer.loader import read_shop
from server.ledger.entries import Entry, record_all
from server.locale_format import UTC, LocaleFormat
from server.ops.bootstrap import initialise
from server.printing.kit import kit_of
from server.printing.labels import LabelKind, LabelWriter
from server.printing.travellers import TravellerWriter
from server.projection.worker import Projector
from server.queries.current_master_data import master_data
from station.core.codes.card_labels import WORD_OF, card_labels, words_of
from station.core.master_data import MasterData
from station.core.printing import (
    PAPERS,
    SHEETS,
    Page,
    Placement,
    card_sheets,
    cards_page,
    kit_pages,
    label_pages,
    traveller_pages,
    write_svg,
)
from station.core.printing.libraries import symbols
from station.system.clock import utc_us

HERE = Path(__file__).resolve().parent
DEMO = HERE.parent.parent / "config" / "demo"
ORDER, PRODUCT, STAGE = "WO-1042", "BRK-20", "deburr"
PRINTED = "Printed 2026-11-30 10:05"
encode = symbols("")


def shop(store: Store) -> None:
    """Import the demo's folder, release an order and write a note about it."""
    initialise(store)
    files = {path.name: path.read_bytes() for path in DEMO.glob("*.csv") if path.name != "orders.csv"}
    entries = read_shop(files, now_us=utc_us(), zone=UTC).entries
    record_all(store, [Entry(each.what, each.data, "Kim", each.holds_from_us) for each in entries])
    release = {
        "order": ORDER, "product": PRODUCT, "qty_milli": 40_000, "due": "2026-12-24", "customer": "Halvorsen Lifts",
        "reference": "PO 4711/2026", "priority": 2,
    }  # fmt: skip
    note = {"item": ORDER, "text": "Deburr both sides before the coating. Ask A. Kim."}
    record_all(store, [Entry("order.release", release, "Kim", None), Entry("note", note, "Kim", None)])
    Projector(store, PositionSignal()).drain()


def papers(connection: Connection, master: MasterData) -> Iterator[tuple[str, Page]]:
    """The name and the page of each picture."""
    now_us = utc_us()
    (traveller,) = TravellerWriter(connection, master, LocaleFormat(), now_us).travellers([ORDER])
    yield "traveller", traveller_pages(PAPERS["a4"], replace(traveller, printed=PRINTED), encode)[0]
    writer = LabelWriter(connection, master, now_us)
    wanted = [
        (LabelKind.ITEM, ORDER), (LabelKind.ITEM, "010950600013435210AB"), (LabelKind.ITEM, "Größe-17"),
        (LabelKind.BADGE, min(master.names("person.define"))), (LabelKind.STAGE, STAGE),
        (LabelKind.REASON, min(master.names("reason.define"))), (LabelKind.CARD, "QTY:5"),
        *((LabelKind.ITEM, f"SN-{number:05}") for number in range(1, 15)),
    ]  # fmt: skip
    labels = [writer.label(kind, name) for kind, name in wanted]
    yield "label-sheet", next(label_pages(labels, Placement(SHEETS["a4-3x7"]), encode))
    yield "label-roll", next(label_pages(labels[:1], Placement(SHEETS["roll-50x30"], dot_mm=1 / 8), encode))
    yield "kit", kit_pages(PAPERS["a4"], kit_of(writer, master, STAGE), encode)[0]
    known = ((what, master.at(what, name, now_us)) for what in WORD_OF for name in master.names(what))
    cards = card_labels(words_of((what, entry.data) for what, entry in known if entry)).labels
    yield "danger-cards", cards_page(PAPERS["a4"], cards, len(card_sheets(cards)), encode)


def main(folder: Path = HERE) -> None:
    """Write every picture into a folder."""
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(Path(scratch) / "hub.db")
        shop(store)
        with store.read() as connection:
            for name, page in papers(connection, master_data(connection)):
                (folder / f"{name}.svg").write_text(write_svg(page))
        store.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
