"""Responses with papers: pages as a PDF file, and the errors of papers as answers."""

from collections.abc import Callable, Iterable

from flask import Response

from server.api_errors import ApiError
from server.printing.fonts import MACHINE_FONTS
from server.web.printing import INSTALL, unprintable
from station.core.printing import CodeRefused, Page, PaperError, TextLine
from station.core.printing.libraries import pdf, pdf_check, pdf_letters


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


def refused(error: PaperError) -> ApiError:
    """The 409 of a code that must not be printed; the 503 of a paper that this machine cannot print."""
    if not isinstance(error, CodeRefused):
        return unprintable(error)
    return ApiError(409, error.came.rstrip("."), error.expected.removeprefix("Expected ").rstrip("."), error.do)
