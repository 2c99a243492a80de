"""Command wipline-hub print: papers with codes as files. It reads the database, also while the hub runs."""

import getpass
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from server.cli.options import settings, where
from server.ledger.entries import Entry
from server.printing.target import Target
from server.printing.travellers import Prepared
from station.core.printing import (
    PAPERS,
    Encode,
    Page,
    PaperError,
    kit_pages,
    label_pages,
    label_words,
    read_logo,
)
from station.core.printing.libraries import symbols
from station.core.printing.logo import MAX_BYTES as MAX_LOGO_BYTES

INSTALL = f"Install it, in wipline's source folder: {sys.prefix}/bin/pip install '.[print]'."
DPI = ("203", "300", "600")
PRINT_DPI = 300  # of office printers: a module is a whole number of their dots
KINDS = ("item", "product", "carrier", "badge", "stage", "reason", "card")
PROGRESS_EVERY = 50  # orders
AT_ONCE = 500  # entries in one transaction


@click.group("print")
def print_group() -> None:
    """Print papers with codes: travellers of orders, labels, and the kits of benches."""


@print_group.command()
@click.argument("names", nargs=-1, metavar="NAMES...")
@click.option("--new", is_flag=True, help="Every open order whose traveller is not printed yet.")
@click.option("-o", "--output", help="The file; - for standard output.")
@click.option("--printer", help="cups:QUEUE, in place of a file.")
@click.option("--unrecorded", is_flag=True, help="Do not record the print: it is a draft.")
@click.option("--format", "form", type=click.Choice(["pdf", "svg"]), default="pdf", help="The form of the file.")
@click.option("--paper", type=click.Choice(list(PAPERS)), default="a4", help="The size of the paper.")
@where
def traveller(
    names: tuple[str, ...],
    new: bool,
    output: str | None,
    printer: str | None,
    unrecorded: bool,
    form: str,
    paper: str,
    config_path: Path | None,
    db: str | None,
) -> None:
    """Print the traveller of each order; of an order with named lots or serials, one for each of them.

    A traveller that was printed before carries the word "copy".

    Orders that cannot be printed are listed with the reason; the others are printed, and the command ends with 1.
    """
    from server.ops.bootstrap import open_read_only
    from server.printing.print_record import entries_of
    from server.printing.travellers import TravellerWriter, Unprinted, printable
    from server.queries.current_master_data import master_data
    from server.queries.lag import lag_of
    from server.queries.order_list import OrderFilter, names_of
    from server.queries.site import current_locale
    from server.queries.valuation import Valuation
    from station.core.printing import traveller_pages
    from station.system.clock import utc_us

    config = settings(config_path, db)
    refused: list[Unprinted] = []
    items: list[str] = []
    with open_read_only(config.db) as store, store.read() as connection, sentences():
        now_us = utc_us()
        shop, target = master_data(connection), Target(form, PRINT_DPI, output, printer, INSTALL)
        encode: Encode = symbols(INSTALL)
        writer = TravellerWriter(connection, shop, current_locale(connection, config, now_us), now_us)
        orders = list(names)
        if new:
            orders += writer.not_printed(names_of(connection, Valuation(shop, now_us), OrderFilter(), "due"))
        elif not names:
            raise PaperError(came="No order is named.", expected="Expected some, or --new.", do="Name one.")
        prepared = printable(
            writer, orders, lambda sheet: traveller_pages(PAPERS[paper], sheet, encode), target.check(), refused
        )

        def drawn() -> Iterator[Page]:
            for of_order in progress(prepared, len(orders)):
                items.extend(of_order.items)
                yield from of_order.pages

        def record() -> None:
            if not unrecorded:
                record_prints(config.db, entries_of(items, _user()))

        pages = target.write(drawn(), record)
        lag = lag_of(connection, now_us)
    if new and lag.events:
        click.echo(f"{lag.words}: start the hub, and print them then.", err=True)
    report(refused, pages, target.name)


@print_group.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("names", nargs=-1, required=True, metavar="NAMES...")
@click.option("-o", "--output", help="The file; - for standard output.")
@click.option("--printer", help="tcp://HOST[:9100] or cups:QUEUE, in place of a file.")
@click.option("--format", "form", type=click.Choice(["pdf", "svg", "zpl"]), default="pdf", help="The form of the file.")
@click.option("--dpi", type=click.Choice(DPI), default="203", help="The resolution of a thermal printer.")
@click.option("--sheet", default="a4-3x7", help="The label sheet or roll.")
@click.option("--start", type=click.IntRange(1, 10_000), default=1, help="The first free label of the sheet.")
@click.option("--offset-x", type=click.FloatRange(-50, 50), default=0.0, help="mm to the right.")
@click.option("--offset-y", type=click.FloatRange(-50, 50), default=0.0, help="mm down.")
@click.option("--copies", type=click.IntRange(1, 1_000), default=1, help="Labels of each thing.")
@click.option("--second", help="The second line, in place of the usual one.")
@click.option("--logo", type=click.File("rb"), help="An SVG file with filled paths.")
@click.option("--link", help="The address of a resolver: QR Codes with GS1 Digital Links.")
@click.option("--unrecorded", is_flag=True, help="Do not record the print: it is a draft.")
@where
def label(
    kind: str, names: tuple[str, ...], output: str | None, printer: str | None, form: str, dpi: str, sheet: str, start: int,
    offset_x: float, offset_y: float, copies: int, second: str | None, logo: BinaryIO | None, link: str | None,
    unrecorded: bool, config_path: Path | None, db: str | None,
) -> None:  # fmt: skip
    """Print labels of items (orders, lots, serials), products, carriers, badges, stages, reasons or cards.

    Things that cannot be printed are listed with the reason; the others are printed, and the command ends with 1.
    """
    from server.ops.bootstrap import open_read_only
    from server.printing.label_print import placement_of
    from server.printing.labels import LabelKind, LabelOptions, LabelWriter, labelled
    from server.printing.print_record import label_entries
    from server.queries.current_master_data import master_data
    from station.system.clock import utc_us

    config = settings(config_path, db)
    refused: list[tuple[str, PaperError]] = []
    with open_read_only(config.db) as store, store.read() as connection, sentences():
        target = Target(form, int(dpi), output, printer, INSTALL)
        picture = None if logo is None else read_logo(logo.read(MAX_LOGO_BYTES + 1))
        options = LabelOptions(second, picture, link)
        writer = LabelWriter(connection, master_data(connection), utc_us(), options)
        placement = placement_of(config, sheet, start, form, int(dpi), offset_x, offset_y)
        encode, check_texts = symbols(INSTALL), target.check()
        labels = labelled(
            writer,
            LabelKind(kind),
            names,
            lambda made: check_texts(label_words(made, placement, encode)),
            refused,
            copies,
        )

        def record() -> None:
            if not unrecorded:
                left_out = {name for name, _ in refused}
                printed = [name for name in names if name not in left_out]
                record_prints(config.db, label_entries(connection, kind, printed, copies, _user()))

        pages = target.write(label_pages(labels, placement, encode), record)
    report(refused, pages, target.name)


@print_group.command()
@click.argument("stage")
@click.option("-o", "--output", help="The file; - for standard output.")
@click.option("--printer", help="cups:QUEUE, in place of a file.")
@click.option("--format", "form", type=click.Choice(["pdf", "svg"]), default="pdf", help="The form of the file.")
@click.option("--paper", type=click.Choice(list(PAPERS)), default="a4", help="The size of the paper.")
@click.option("--unrecorded", is_flag=True, help="Do not record the print: it is a draft.")
@where
def kit(
    stage: str, output: str | None, printer: str | None, form: str, paper: str, unrecorded: bool,
    config_path: Path | None, db: str | None,
) -> None:  # fmt: skip
    """Print the kit of the bench at a STAGE: setup symbols, its cards and reasons, and the dangerous cards apart."""
    from server.ops.bootstrap import open_read_only
    from server.printing.kit import kit_of
    from server.printing.labels import LabelWriter
    from server.printing.print_record import kit_entry
    from server.queries.current_master_data import master_data
    from station.system.clock import utc_us

    config = settings(config_path, db)
    with open_read_only(config.db) as store, store.read() as connection, sentences():
        shop = master_data(connection)
        made = kit_of(LabelWriter(connection, shop, utc_us()), shop, stage)
        target = Target(form, PRINT_DPI, output, printer, INSTALL)

        def record() -> None:
            if not unrecorded:
                record_prints(config.db, [kit_entry(stage, _user())])

        pages = target.write(kit_pages(PAPERS[paper], made, symbols(INSTALL)), record)
    report([], pages, target.name)


def report(refused: Sequence[tuple[str, PaperError]], pages: int, place: str) -> None:
    """List what was not printed, and the number of pages; end the command with 1 where anything was not printed."""
    for name, error in refused:
        click.echo(f"Not printed: {name[:80]}: {error}", err=True)
    click.echo(f"{'1 page' if pages == 1 else f'{pages} pages'}{f' {place}' if place else ''}.", err=True)
    if refused:
        sys.exit(1)


def progress(prepared: Iterable[Prepared], total: int, every: int = PROGRESS_EVERY) -> Iterator[Prepared]:
    """The same, with a line on standard error after each `every` of many."""
    for number, of_order in enumerate(prepared, 1):
        yield of_order
        if total > every and number % every == 0:
            click.echo(f"{number} of {total}", err=True)


def record_prints(db: str, entries: list[Entry]) -> None:
    """Write the entries of prints, whether the hub runs or not."""
    from server.ops.admin_commands import enter

    for start in range(0, len(entries), AT_ONCE):
        enter(db, entries[start : start + AT_ONCE])


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a service user without a name
        return "print"


@contextmanager
def sentences() -> Iterator[None]:
    """Convert a `PaperError` into the error of a command."""
    try:
        yield
    except PaperError as error:
        raise click.ClickException(str(error)) from error
