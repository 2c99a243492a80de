"""Print sheets: render the setup sheet or the operator's cards as a PDF or SVG file.

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

from station.core.codes.card_labels import CardLabel, CardLabels, CardVocabulary, Named, card_labels, shown, words_of
from station.core.printing import PAPERS, Page, PaperError, cards_page, page_count, setup_page, write_svg
from station.core.printing.libraries import MachineFonts, pdf, pdf_letters, refused_names, symbols
from station.core.snapshot import SnapshotError, read_snapshot
from station.system.fonts import font_file, letters_without_font

# wipline is in no package registry: pip installs it from its source folder, into the environment that runs this code.
INSTALL = (
    f"Install it, in wipline's source folder: {sys.prefix}/bin/pip install '.[print]'."
    " Or print the hub's page /sheet in a browser."
)
FONTS = MachineFonts(font_file, letters_without_font)
NO_FONT = "Install one (fonts-dejavu-core, fonts-noto-cjk), or print the drawing: --svg."
STDOUT = "-"
FORMS = ("pdf", "svg")


class PrintOptionsError(PaperError):
    """The options are invalid or contradict each other."""


@dataclass(frozen=True, slots=True)
class PrintOptions:
    """The options of the command: the sheet or cards, the file, the paper, and cards in addition to those of the shop.

    A stage, a reason or a badge is an id, or an id and a name: `saw=Cold saw`. `quantities` are separated by commas.
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
    """The output: form `pdf` or `svg`, and a path; `-` is standard output."""

    form: str
    path: str


@dataclass(frozen=True, slots=True)
class PrintResult:
    """The files that were written, and notes for the user about them."""

    files: tuple[str, ...]
    notes: tuple[str, ...]


def prepare(options: PrintOptions, snapshot: bytes | None, *, terminal: bool, why: str = "") -> PrintResult:
    """Render the pages and write them. `snapshot`: the body of this station's snapshot. Raises `PaperError`.

    `why`: the reason in sentences why a snapshot could not be read; empty where the station has none.
    """
    output = destination(options, terminal=terminal)
    paper = PAPERS[options.paper]
    if not options.cards:
        if options.quantities is not None or any((options.stages, options.reasons, options.calls, options.badges)):
            raise PrintOptionsError(
                came="Words for cards came without --cards.",
                expected="Expected them beside it.",
                do="Add --cards, or leave them out.",
            )
        return PrintResult(_write([setup_page(paper, symbols(INSTALL))], output), ())
    labels = cards(options, snapshot)
    encode = symbols(INSTALL)
    without = refused_names(_texts(labels.labels), INSTALL, pdf_letters(FONTS, INSTALL)) if output.form == "pdf" else {}
    why_not = {label: without[text] for label in labels.labels for text in _texts([label]) if text in without}
    printed = [label for label in labels.labels if label not in why_not]
    pages = [cards_page(paper, printed, number + 1, encode) for number in range(page_count(printed))]
    notes = [f"Not printed: {card.text!r}: {card.why}." for card in labels.refused]
    notes += [f"Not printed: {label.text!r}: {error.came} {NO_FONT}" for label, error in why_not.items()]
    if snapshot is None:
        reason = f"{why} The shop of this station is not known" if why else "This station knows no shop"
        notes.insert(0, f"{reason}: these are the cards of every shop, and those that you named.")
    return PrintResult(_write(pages, output), tuple(notes))


def destination(options: PrintOptions, *, terminal: bool) -> Destination:
    """The output of these options. Raises `PrintOptionsError`.

    Without a file name it is a file in this folder where standard output is a terminal, else standard output.
    """
    files = [
        (form, path)
        for form, path in (("pdf", options.pdf), ("svg", options.svg), (None, options.out))
        if path is not None
    ]
    if len(files) > 1:
        raise PrintOptionsError(
            came="More than one file is named.", expected="Expected one of --pdf, --svg and -o.", do="Leave others out."
        )
    if not files:
        return Destination("pdf", f"wipline-{'cards' if options.cards else 'setup'}.pdf" if terminal else STDOUT)
    form, path = files[0]
    if form is None and path != STDOUT:
        form = Path(path).suffix.lower().removeprefix(".")
        if form not in FORMS:
            raise PrintOptionsError(
                came=f"{path!r} does not say what it should be.",
                expected="Expected a name that ends in .pdf or .svg.",
                do="Name it so, or say --pdf or --svg.",
            )
    return Destination(form or "pdf", path)


def cards(options: PrintOptions, snapshot: bytes | None) -> CardLabels:
    """The cards of the shop in this snapshot and those of the options. Raises `PrintOptionsError` for an invalid one."""
    shop = words_of(_definitions(snapshot))
    extra = CardVocabulary(
        shop.quantities if options.quantities is None else tuple(map(str.strip, options.quantities.split(","))),
        tuple(map(_parse_named, options.stages)),
        tuple(map(_parse_named, options.reasons)),
        tuple(options.calls) or shop.calls,
        tuple(map(_parse_named, options.badges)),
    )
    refused = card_labels(extra).refused
    if refused:
        raise PrintOptionsError(
            came=f"{refused[0].text!r} makes no card: {refused[0].why}.",
            expected="Expected what a scanner can bring back.",
            do="Correct it.",
        )
    vocabulary = replace(
        extra, own=shop.own, stages=_merged(shop.stages, extra.stages),
        reasons=_merged(shop.reasons, extra.reasons), people=_merged(shop.people, extra.people),
    )  # fmt: skip
    return card_labels(vocabulary)


def _texts(labels: Iterable[CardLabel]) -> list[str]:
    """The texts of these cards that are the shop's own."""
    return [text for label in labels for text in (label.name, shown(label.text))]


def _write(pages: Sequence[Page], output: Destination) -> tuple[str, ...]:
    """Write the pages; returns the file names. An SVG file has one page, so the files of several pages are numbered."""
    if output.form == "pdf":
        files = {output.path: pdf(pages, INSTALL, pdf_letters(FONTS, INSTALL))}
    elif len(pages) == 1:
        files = {output.path: write_svg(pages[0]).encode()}
    elif output.path == STDOUT:
        raise PrintOptionsError(
            came=f"There are {len(pages)} drawings.",
            expected="Expected a file: standard output takes one drawing.",
            do="Name a file with --svg.",
        )
    else:
        path = Path(output.path)
        names = (str(path.parent / f"{path.stem}-{number}{path.suffix}") for number in range(1, len(pages) + 1))
        files = {name: write_svg(page).encode() for name, page in zip(names, pages, strict=True)}
    for name, content in files.items():
        _write_file(name, content)
    return () if output.path == STDOUT else tuple(files)


def _write_file(name: str, content: bytes) -> None:
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
    """The definitions in a snapshot's body; empty where there is none or it cannot be read."""
    try:
        snapshot = read_snapshot(body)
    except SnapshotError:
        return ()
    return ((entry.what, entry.data) for entry in snapshot.definitions)


def _parse_named(text: str) -> Named:
    identity, _, name = text.partition("=")
    return identity, name or identity


def _merged(shop: Sequence[Named], extra: Sequence[Named]) -> tuple[Named, ...]:
    return tuple((dict(shop) | dict(extra)).items())
