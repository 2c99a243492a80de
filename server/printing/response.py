"""Responses with papers: pages as a PDF file, and the errors of papers as answers."""

from collections.abc import Callable, Iterable

from flask import Response

from server.api_errors import ApiError
from server.printing.fonts import MACHINE_FONTS
from server.printing.labels import NoBadge, UnknownSheet, UnknownThing
from server.web.printing import INSTALL, unprintable
from station.core.printing import CodeRefused, Page, PaperError, TextLine
from station.core.printing.libraries import pdf, pdf_check, pdf_letters

_STATUS = {UnknownSheet: 400, UnknownThing: 404, NoBadge: 409, CodeRefused: 409}


def pdf_answer(pages: Iterable[Page], name: str) -> Response:
    """The pages as a PDF file to download. Raises `ApiError` 409 and 503."""
    try:
        content = pdf(pages, INSTALL, pdf_letters(MACHINE_FONTS, INSTALL))
    except PaperError as error:
        raise refused(error) from error
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, mimetype="application/pdf", headers=headers)


def letter_check() -> Callable[[Iterable[TextLine]], None]:
    """A function that raises `PaperError` for a text that no font of the hub can set."""
    return pdf_check(INSTALL, pdf_letters(MACHINE_FONTS, INSTALL))


def refused(error: PaperError, before: str = "") -> ApiError:
    """The error as an answer: 400 for a sheet, 404 for an unknown thing, 409 for a code or a badge, 503 for a missing part.

    `before`: what is written in front of what came.
    """
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), None)
    if status is None:
        return unprintable(PaperError(before + error.came, error.expected, error.do))
    came = before + error.came.rstrip(".")
    return ApiError(status, came, error.expected.removeprefix("Expected ").rstrip("."), error.do)
