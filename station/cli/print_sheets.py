"""The setup sheet and the operator's cards as files for a printer: which pages, in which form, and where to.

>>> destination(PrintOptions(), terminal=True)
Destination(form='pdf', path='wipline-setup.pdf')
>>> destination(PrintOptions(cards=True, out="cards.svg"), terminal=True)
Destination(form='svg', path='cards.svg')
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from station.core.codes.card_labels import CardLabels, CardVocabulary, Named, card_labels, words_of
from station.core.printing import PAPERS, Page, PaperError, cards_page, page_count, setup_page, write_svg
from station.core.printing.libraries import pdf, symbols
from station.core.snapshot import SnapshotError, read_snapshot

# wipline is in no package registry: pip installs it from its source folder, into the environment that runs this code.
INSTALL = (
    f"Install it, in wipline's source folder: {sys.prefix}/bin/pip install '.[print]'."
    " Or print the hub's page /sheet in a browser."
)
STDOUT = "-"
FORMS = ("pdf", "svg")


class PrintOptionsError(PaperError):
    """The command line asks for what cannot be."""


@dataclass(frozen=True, slots=True)
class PrintOptions:
    """What a command line asks for: the sheet or cards, a file, a paper, and words for cards beside the shop's own.

    The id of a stage, a reason or a badge may carry a name: `saw=Cold saw`. `quantities` stand between commas.
    """

    cards: bool = False
    pdf: str | None = None
    svg: str | None = None
    out: str | None = None
    paper: str = "a4"
    quantities: str | None = None
    stages: Sequence[str] = ()
    reasons: Sequence[str] = ()
    calls: Sequence[str] = ()
    badges: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Destination:
    """`pdf` or `svg`, and a path; `-` is standard output."""

    form: str
    path: str


@dataclass(frozen=True, slots=True)
class PrintResult:
    """The files that were written, and what a person should know about them."""

    files: tuple[str, ...]
    notes: tuple[str, ...]


def prepare(asked: PrintOptions, snapshot: bytes | None, *, terminal: bool) -> PrintResult:
    """Draw and write what was asked for. `snapshot`: what this station knows of the shop. Raises `PaperError`."""
    to = destination(asked, terminal=terminal)
    paper = PAPERS[asked.paper]
    if not asked.cards:
        if asked.quantities is not None or any((asked.stages, asked.reasons, asked.calls, asked.badges)):
            raise PrintOptionsError(
                came="Words for cards came without --cards.",
                expected="Expected them beside it.",
                do="Add --cards, or leave them out.",
            )
        return PrintResult(_write([setup_page(paper, symbols(INSTALL))], to), ())
    labels = cards(asked, snapshot)
    encode = symbols(INSTALL)
    pages = [cards_page(paper, labels.labels, number + 1, encode) for number in range(page_count(len(labels.labels)))]
    notes = [f"Not printed: {each.text!r}: {each.why}." for each in labels.refused]
    if snapshot is None:
        notes.insert(0, "This station knows no shop: these are the cards of every shop, and those that you named.")
    return PrintResult(_write(pages, to), tuple(notes))


def destination(asked: PrintOptions, *, terminal: bool) -> Destination:
    """Where the file goes. Without a word: into this folder, or on along a pipe. Raises `PrintOptionsError`."""
    named = [
        (form, path) for form, path in (("pdf", asked.pdf), ("svg", asked.svg), (None, asked.out)) if path is not None
    ]
    if len(named) > 1:
        raise PrintOptionsError(
            came="More than one file is named.", expected="Expected one of --pdf, --svg and -o.", do="Leave others out."
        )
    if not named:
        return Destination("pdf", f"wipline-{'cards' if asked.cards else 'setup'}.pdf" if terminal else STDOUT)
    form, path = named[0]
    if form is None and path != STDOUT:
        form = Path(path).suffix.lower().removeprefix(".")
        if form not in FORMS:
            raise PrintOptionsError(
                came=f"{path!r} does not say what it should be.",
                expected="Expected a name that ends in .pdf or .svg.",
                do="Name it so, or say --pdf or --svg.",
            )
    return Destination(form or "pdf", path)


def cards(asked: PrintOptions, snapshot: bytes | None) -> CardLabels:
    """The cards of the shop in this snapshot, and those that were asked for. Raises `PrintOptionsError` for what is none."""
    known = words_of(_definitions(snapshot))
    wanted = CardVocabulary(
        known.quantities if asked.quantities is None else tuple(map(str.strip, asked.quantities.split(","))),
        tuple(map(_named, asked.stages)),
        tuple(map(_named, asked.reasons)),
        tuple(asked.calls) or known.calls,
        tuple(map(_named, asked.badges)),
    )
    refused = card_labels(wanted).refused
    if refused:
        raise PrintOptionsError(
            came=f"{refused[0].text!r} makes no card: {refused[0].why}.",
            expected="Expected what a scanner can bring back.",
            do="Correct it.",
        )
    every = replace(
        wanted, own=known.own, stages=_joined(known.stages, wanted.stages),
        reasons=_joined(known.reasons, wanted.reasons), people=_joined(known.people, wanted.people),
    )  # fmt: skip
    return card_labels(every)


def _write(pages: Sequence[Page], to: Destination) -> tuple[str, ...]:
    """Write the pages; the files' names. A drawing (SVG) is one page, so several are numbered."""
    if to.form == "pdf":
        files = {to.path: pdf(pages, INSTALL)}
    elif len(pages) == 1:
        files = {to.path: write_svg(pages[0]).encode()}
    elif to.path == STDOUT:
        raise PrintOptionsError(
            came=f"There are {len(pages)} drawings.",
            expected="Expected a file: standard output takes one drawing.",
            do="Name a file with --svg.",
        )
    else:
        path = Path(to.path)
        names = (str(path.parent / f"{path.stem}-{number}{path.suffix}") for number in range(1, len(pages) + 1))
        files = {name: write_svg(page).encode() for name, page in zip(names, pages, strict=True)}
    for name, content in files.items():
        _put(name, content)
    return () if to.path == STDOUT else tuple(files)


def _put(name: str, content: bytes) -> None:
    if name == STDOUT:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        Path(name).write_bytes(content)
    except OSError as error:
        raise PaperError(
            came=f"{name!r} cannot be written: {error.strerror}.",
            expected="Expected a file in a folder that is there, where you may write.",
            do="Name another with -o.",
        ) from error


def _definitions(body: bytes | None) -> Iterable[tuple[str, dict[str, Any]]]:
    """The definitions in a snapshot's body; none where there is none or it cannot be read."""
    try:
        snapshot = read_snapshot(body)
    except SnapshotError:
        return ()
    return ((entry.what, entry.data) for entry in snapshot.definitions)


def _named(text: str) -> Named:
    identity, _, name = text.partition("=")
    return identity, name or identity


def _joined(known: Sequence[Named], asked: Sequence[Named]) -> tuple[Named, ...]:
    return tuple((dict(known) | dict(asked)).items())
