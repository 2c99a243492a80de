"""Printing: common code of the printable pages: the requested paper, SVG and PDF responses, and the error response."""

import sys
from collections.abc import Sequence

from flask import Response, request

from server.api_errors import ApiError
from server.printing.fonts import MACHINE_FONTS
from station.core.printing import PAPERS, Page, Paper, PaperError, write_svg
from station.core.printing.libraries import pdf, pdf_letters

# wipline is in no package registry: pip installs it from its source folder, into the environment that runs this code.
INSTALL = (
    f"Install it where the hub runs, in wipline's source folder: {sys.prefix}/bin/pip install '.[print]'."
    " Then restart the hub."
)


def paper() -> Paper:
    """The paper of the query parameter `paper`, by default A4. Raises `ApiError` 400."""
    asked = request.args.get("paper", "a4")
    if asked not in PAPERS:
        raise ApiError(400, f"the paper {asked[:40]!r}", f"one of {', '.join(PAPERS)}", "Choose one on the page.")
    return PAPERS[asked]


def drawing(page: Page) -> Response:
    """An SVG response, for an `img` element and the browser's print function."""
    return Response(write_svg(page), mimetype="image/svg+xml")


def pdf_file(pages: Sequence[Page], name: str) -> Response:
    """A PDF response. Raises `ApiError` 503 where the PDF library is missing."""
    try:
        content = pdf(pages, INSTALL, pdf_letters(MACHINE_FONTS, INSTALL))
    except PaperError as error:
        raise unprintable(error) from error
    disposition = f'attachment; filename="{name}"'
    return Response(content, mimetype="application/pdf", headers={"Content-Disposition": disposition})


def unprintable(error: PaperError) -> ApiError:
    """The 503 of a page that cannot be printed on this machine."""
    expected = error.expected.removeprefix("Expected ").rstrip(".")
    return ApiError(503, error.came.rstrip("."), expected, error.do)
