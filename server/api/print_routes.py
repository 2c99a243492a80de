"""Papers over HTTP: the traveller of an order, the label of a thing, the kit of a bench, as a PDF file or as a drawing."""

from typing import NamedTuple

import msgspec
from flask import Blueprint, Response, request

from server.api.openapi import documented
from server.api.print_bodies import KitBody, LabelsBody, TravellersBody
from server.api.request_body import read_json
from server.api_errors import ApiError
from server.auth.gate import caller, may, readers
from server.auth.roles import Role
from server.context import current_hub
from server.printing.kit import kit_of
from server.printing.label_print import (
    DEFAULT_SHEET,
    MEDIA,
    MOST_LABELS,
    DrawnLabels,
    LabelPrint,
    draw_labels,
    label_file,
)
from server.printing.labels import LabelKind, LabelOptions, LabelWriter, label_sheet
from server.printing.print_record import entries_of, kit_entry, label_entries
from server.printing.response import letter_check, pdf_answer, refused
from server.printing.travellers import TravellerWriter, UnknownOrderError, Unprinted, printable
from server.queries.current_master_data import master_data
from server.queries.site import current_locale
from server.urls import segments
from server.web.form_entries import enter
from server.web.printing import INSTALL, drawing, paper
from station.core.printing import PAPERS, Page, Paper, PaperError, Placement, kit_pages, label_pages, traveller_pages
from station.core.printing.libraries import symbols

blueprint = Blueprint("print_routes", __name__)
segments(blueprint)
FORMATS = ("pdf", "svg")
FILES = ("application/pdf", "image/svg+xml")


class PrintQuery(msgspec.Struct):
    """`format`: pdf or svg; `paper`: a4 or letter; `page`: of an svg, the number of the page, from 1."""

    format: str = "pdf"
    paper: str = "a4"
    page: int = 1


@blueprint.get("/api/v1/print/traveller/<segment:order>", merge_slashes=False)
@documented(None, query=PrintQuery, errors=(400, 401, 403, 404, 409, 503), files=FILES)
@readers
def traveller(order: str) -> Response:
    """The traveller of an order, or of one of its items: all pages as a PDF file, or one page as an SVG drawing."""
    form = _format()
    pages = drawn([order])
    if form == "pdf":
        return pdf_answer(pages, f"wipline-traveller-{paper().name}.pdf")
    return drawing(pages[page_of(len(pages)) - 1])


@blueprint.get("/api/v1/print/kit/<segment:stage>", merge_slashes=False)
@documented(None, query=PrintQuery, errors=(400, 401, 403, 404, 409, 503), files=FILES)
@readers
def kit(stage: str) -> Response:
    """The kit of the bench at a stage: all pages as a PDF file, or one page as an SVG drawing. It is not recorded."""
    form = _format()
    pages = kit_drawn(stage, paper())
    if form == "pdf":
        return pdf_answer(pages, f"wipline-kit-{paper().name}.pdf")
    return drawing(pages[page_of(len(pages)) - 1])


@blueprint.post("/api/v1/print/kit")
@documented(None, json=KitBody, errors=(400, 401, 403, 404, 409, 413, 503), files=FILES[:1])
@readers
def print_kit() -> Response:
    """The kit of the bench at a stage as a PDF file; it is recorded where the caller has `supervise`."""
    body = read_json(KitBody)
    return kit_answer(body.stage, PAPERS[body.paper])


@blueprint.post("/api/v1/print/travellers")
@documented(None, json=TravellersBody, errors=(400, 401, 403, 404, 409, 413, 503), files=FILES[:1])
@readers
def travellers() -> Response:
    """The travellers of several orders as a PDF file, all or none; recorded where the caller has `supervise`."""
    body = read_json(TravellersBody)
    size = PAPERS[body.paper]
    made = travellers_drawn(list(dict.fromkeys(body.orders)), size)
    if made.unprinted:
        order, error = made.unprinted[0]
        count = (
            f"{len(made.unprinted)} of {len(set(body.orders))} orders cannot be printed, the first is {order[:80]!r}: "
        )
        raise refused(error, count)
    return travellers_answer(made, size)


class LabelQuery(msgspec.Struct):
    """`format`: pdf or svg; `sheet`: a label sheet; `start`: its first free label; `second`: the second line."""

    format: str = "pdf"
    sheet: str = DEFAULT_SHEET
    start: int = 1
    second: str = ""


@blueprint.get("/api/v1/print/label/<kind>/<segment:name>", merge_slashes=False)
@documented(None, query=LabelQuery, errors=(400, 401, 403, 404, 409, 503), files=FILES)
@readers
def label(kind: str, name: str) -> Response:
    """The label of an item, product, carrier, stage, reason or card; the badge of a person for a supervisor."""
    form, page = _format(), label_page(kind, name)
    return pdf_answer([page], "wipline-label.pdf") if form == "pdf" else drawing(page)


@blueprint.post("/api/v1/print/labels")
@documented(None, json=LabelsBody, errors=(400, 401, 403, 404, 409, 413, 503), files=tuple(MEDIA.values()))
@readers
def labels() -> Response:
    """The labels of several things as a file, all of them or none: 409 names the first that cannot be printed.

    The print is recorded where the caller has `supervise`.
    """
    body = read_json(LabelsBody)
    kind = label_kind(body.kind)
    names = tuple(dict.fromkeys(body.names))
    wanted = LabelPrint(kind, names, body.sheet, body.start, body.copies, body.second, body.format, body.dpi)
    if len(names) * body.copies > MOST_LABELS:
        came = f"{len(names)} things with {body.copies} copies"
        raise ApiError(400, came, f"at most {MOST_LABELS} labels", "Print fewer at once.")
    made = labels_drawn(wanted)
    if made.refused:
        name, error = made.refused[0]
        count = f"{len(made.refused)} of {len(names)} things cannot be printed, the first is {name[:80]!r}: "
        raise refused(error, count)
    return label_file_answer(made, wanted)


def label_kind(text: str) -> LabelKind:
    """The kind of an address, a form or a body. Raises `ApiError` 403 and 404."""
    if text not in list(LabelKind):
        raise ApiError(404, f"the kind {text[:40]!r}", f"one of {', '.join(LabelKind)}", "Use one of them.")
    if text == LabelKind.BADGE and not may(Role.SUPERVISE):
        raise ApiError(403, "a badge", "a supervisor: a badge lets its holder scan in a name", "Sign in as one.")
    return LabelKind(text)


def label_page(kind: str, name: str) -> Page:
    """The page with the label of the query. Raises `ApiError` 400, 403, 404, 409 and 503."""
    of_kind = label_kind(kind)
    start = request.args.get("start") or "1"
    if not (start.isascii() and start.isdecimal() and len(start) <= 5):
        raise ApiError(400, f"start {start[:40]!r}", "a number from 1", "Leave it out for the first label.")
    hub = current_hub()
    try:
        placement = Placement(label_sheet(hub.config, request.args.get("sheet") or DEFAULT_SHEET), int(start))
        if not 1 <= placement.start <= placement.sheet.cells:
            raise ApiError(400, f"start {start}", f"1 to {placement.sheet.cells}", "Count the labels row by row.")
        with hub.store.read() as connection:
            options = LabelOptions(request.args.get("second") or None)
            writer = LabelWriter(connection, master_data(connection), hub.clock.utc_us(), options)
            made = writer.label(of_kind, name)
        (page,) = label_pages([made], placement, symbols(INSTALL))
    except PaperError as error:
        raise refused(error) from error
    return page


class DrawnTravellers(NamedTuple):
    """The orders that are printed, the items whose travellers these are, the pages, and the other orders with the reason."""

    printed: list[str]
    items: list[str]
    pages: list[Page]
    unprinted: list[Unprinted]


def travellers_drawn(orders: list[str], size: Paper, *, new: bool = False) -> DrawnTravellers:
    """The travellers of these orders; `new`: of those that are not printed yet. Raises `ApiError` 409 and 503."""
    hub = current_hub()
    made = DrawnTravellers([], [], [], [])
    try:
        encode, check = symbols(INSTALL), letter_check()
        with hub.store.read() as connection:
            shop, now_us = master_data(connection), hub.clock.utc_us()
            writer = TravellerWriter(connection, shop, current_locale(connection, hub.config, now_us), now_us)
            wanted = writer.not_printed(orders) if new else orders
            for of_order in printable(
                writer, wanted, lambda sheet: traveller_pages(size, sheet, encode), check, made.unprinted
            ):
                made.printed.append(of_order.order)
                made.items.extend(of_order.items)
                made.pages.extend(of_order.pages)
    except PaperError as error:
        raise refused(error) from error
    return made


def travellers_answer(made: DrawnTravellers, size: Paper) -> Response:
    """The file of the travellers. The print is recorded first where the caller may write entries about work."""
    answer = pdf_answer(made.pages, f"wipline-travellers-{size.name}.pdf")
    if may(Role.SUPERVISE):
        enter(entries_of(made.items, caller().name))
    return answer


def kit_drawn(stage: str, size: Paper) -> list[Page]:
    """The pages of the kit of a stage. Raises `ApiError` 404, 409 and 503."""
    hub = current_hub()
    try:
        with hub.store.read() as connection:
            shop = master_data(connection)
            made = kit_of(LabelWriter(connection, shop, hub.clock.utc_us()), shop, stage)
        return list(kit_pages(size, made, symbols(INSTALL)))
    except PaperError as error:
        raise refused(error) from error


def kit_answer(stage: str, size: Paper) -> Response:
    """The file of the kit of a stage. The print is recorded first where the caller may write entries about work."""
    answer = pdf_answer(kit_drawn(stage, size), f"wipline-kit-{size.name}.pdf")
    if may(Role.SUPERVISE):
        enter([kit_entry(stage, caller().name)])
    return answer


def labels_drawn(wanted: LabelPrint) -> DrawnLabels:
    """The labels of several things. Raises `ApiError` 400, 409 and 503."""
    hub = current_hub()
    try:
        encode = symbols(INSTALL)
        with hub.store.read() as connection:
            shop, now_us = master_data(connection), hub.clock.utc_us()
            return draw_labels(connection, shop, now_us, hub.config, wanted, encode, INSTALL)
    except PaperError as error:
        raise refused(error) from error


def label_file_answer(drawn: DrawnLabels, wanted: LabelPrint) -> Response:
    """The labels as a file to download. The print is recorded first where the caller may write entries about work.

    Raises `ApiError` 400, 409 and 503.
    """
    try:
        content = label_file(drawn.pages, wanted, INSTALL)
    except PaperError as error:
        raise refused(error) from error
    if may(Role.SUPERVISE):
        with current_hub().store.read() as connection:
            entries = label_entries(connection, wanted.kind, drawn.printed, wanted.copies, caller().name)
        enter(entries)
    headers = {"Content-Disposition": f'attachment; filename="wipline-labels-{wanted.kind}.{wanted.form}"'}
    return Response(content, mimetype=MEDIA[wanted.form], headers=headers)


def _format() -> str:
    """The format of the query. Raises `ApiError` 400."""
    form = request.args.get("format", "pdf")
    if form not in FORMATS:
        raise ApiError(400, f"format {form[:40]!r}", f"one of {', '.join(FORMATS)}", "Leave it out for pdf.")
    return form


def drawn(orders: list[str]) -> list[Page]:
    """The pages of the travellers of these orders. Raises `ApiError` 404, 409 and 503."""
    hub = current_hub()
    now_us = hub.clock.utc_us()
    try:
        encode = symbols(INSTALL)
        with hub.store.read() as connection:
            writer = TravellerWriter(
                connection, master_data(connection), current_locale(connection, hub.config, now_us), now_us
            )
            return [page for sheet in writer.travellers(orders) for page in traveller_pages(paper(), sheet, encode)]
    except UnknownOrderError as error:
        name = str(error.args[0])
        expected = "an order that was released, or one of its items"
        raise ApiError(404, f"the order {name[:80]!r}", expected, "Search with /find?q=.") from error
    except PaperError as error:
        raise refused(error) from error


def page_of(pages: int) -> int:
    """The number of a page in the query, from 1. Raises `ApiError` 404."""
    text = request.args.get("page", "1")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(pages)) else 0
    if not 1 <= number <= pages:
        raise ApiError(404, f"page {text[:40]!r}", f"one from 1 to {pages}", "Leave it out for the first page.")
    return number
