"""Printing: what the pages for paper share: the paper asked for, a drawing or a file as the answer, or why there is none."""

import sys
from collections.abc import Sequence

from flask import Response, request

from server.api_errors import ApiError
from station.core.printing import PAPERS, Page, Paper, PaperError, write_svg
from station.core.printing.libraries import pdf

# wipline is in no package registry: pip installs it from its source folder, into the environment that runs this code.
INSTALL = (
    f"Install it where the hub runs, in wipline's source folder: {sys.prefix}/bin/pip install '.[print]'."
    " Then restart the hub."
)


def paper() -> Paper:
    """The paper that the address asks for, A4 without a word. Raises `ApiError` 400."""
    asked = request.args.get("paper", "a4")
    if asked not in PAPERS:
        raise ApiError(400, f"the paper {asked[:40]!r}", f"one of {', '.join(PAPERS)}", "Choose one on the page.")
    return PAPERS[asked]


def drawing(page: Page) -> Response:
    """A page as a drawing, for an `img` and for a browser's printer."""
    return Response(write_svg(page), mimetype="image/svg+xml")


def pdf_file(pages: Sequence[Page], name: str) -> Response:
    """Pages as a file to save and print. Raises `ApiError` 503."""
    try:
        content = pdf(pages, INSTALL)
    except PaperError as error:
        raise unprintable(error) from error
    disposition = f'attachment; filename="{name}"'
    return Response(content, mimetype="application/pdf", headers={"Content-Disposition": disposition})


def unprintable(error: PaperError) -> ApiError:
    """The answer where something cannot be printed here."""
    expected = error.expected.removeprefix("Expected ").rstrip(".")
    return ApiError(503, error.came.rstrip("."), expected, error.do)
